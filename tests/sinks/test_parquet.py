"""What is particular to Parquet files."""

import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from cdsbridge.model.errors import BridgeError, SinkUnavailable
from cdsbridge.sinks import ParquetSink, parquet
from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.holding import Backoff

from .batches import Post, flattened, text
from .contract import (
    NO_ENDINGS,
    NO_REJECTS,
    NOW,
    TABLE,
    commit,
    ending,
    endings,
    opened,
    rows_for,
    schema_with,
)
from .places import ParquetPlace

SCHEMA = schema_with(name=pa.string(), age=pa.int64())


@pytest.fixture
def place(tmp_path: Path) -> ParquetPlace:
    return ParquetPlace(tmp_path)


def data_files(place: ParquetPlace) -> list[str]:
    return sorted(str(path.relative_to(place.root)) for path in place.root.rglob("*.parquet"))


def put(place: ParquetPlace, *flushes: Flush) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        for flush in flushes:
            commit(writer, flush)


def test_files_lie_where_the_documentation_says(place: ParquetPlace) -> None:
    put(place, Flush({TABLE: rows_for(SCHEMA, ["a-0"])}, NO_REJECTS, endings(ending(1))))
    folders = {os.path.dirname(path) for path in data_files(place)}
    assert folders == {"account_history/ingest_date=2026-09-21", "_ledger/ingest_date=2026-09-21"}
    assert (place.root / "account_history/_schema/00000001.json").is_file()


def test_the_same_rows_in_any_order_are_the_same_file(place: ParquetPlace) -> None:
    rows = rows_for(SCHEMA, ["a-0", "b-0"])
    turned = rows.take([1, 0])
    put(place, *(Flush({TABLE: each}, NO_REJECTS, NO_ENDINGS) for each in (rows, turned)))
    assert len(data_files(place)) == 1


def test_the_same_events_posted_by_another_message_are_another_file(place: ParquetPlace) -> None:
    posts = [rows_for(SCHEMA, ["a-0"], sent=sent) for sent in (9, 4)]
    put(place, *(Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS) for rows in posts))
    assert len(data_files(place)) == 2
    assert [row["_sequence_number"] for row in place.rows(TABLE)] == [4]


def test_a_retry_after_midnight_is_told_by_its_event_id(place: ParquetPlace) -> None:
    late = [NOW, NOW + 86_400_000_000]
    tables = [rows_for(SCHEMA, ["a-0"], {"SinkCreatedOn": [instant]}) for instant in late]
    put(place, *(Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS) for rows in tables))
    assert len(data_files(place)) == 2
    assert len(place.rows(TABLE)) == 1
    reader = place.sink.read()
    assert reader.rows()[TABLE] == 1


def test_only_texts_have_a_dictionary_and_all_is_compressed(place: ParquetPlace) -> None:
    rows = rows_for(SCHEMA, ["a-0", "b-0"], {"name": ["A", "A"], "age": [1, 1]})
    put(place, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
    group = pq.read_metadata(place.root / data_files(place)[0]).row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert columns["name"].has_dictionary_page
    assert not columns["age"].has_dictionary_page
    assert {column.compression for column in columns.values()} == {"ZSTD"}


def test_a_file_has_every_column_known_in_the_same_order(place: ParquetPlace) -> None:
    committer = Committer([place.sink])
    for post in (
        Post(1, "a", [("account", {"name": text("A"), "city": text("C")})]),
        Post(2, "b", [("account", {"street": text("S")})]),
    ):
        committer.add(flattened([post]))
        committer.flush()
    files = sorted(place.root.rglob(f"{TABLE}/*/*.parquet"), key=os.path.getmtime)
    names = [pq.read_schema(path).names for path in files]
    assert names[1] == [*names[0], "street"]


def test_a_large_flush_is_cut_into_files(place: ParquetPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_ROWS", 10)
    events = [f"e{i:02d}-0" for i in range(25)]
    put(place, Flush({TABLE: rows_for(SCHEMA, events)}, NO_REJECTS, NO_ENDINGS))
    assert sorted(pq.read_metadata(path).num_rows for path in place.root.rglob("*.parquet")) == [7, 9, 9]
    assert [row["_event_id"] for row in place.rows(TABLE)] == events


def test_a_flush_heavy_in_bytes_is_cut_into_files(
    place: ParquetPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MAX_BYTES", 10_000)
    rows = rows_for(SCHEMA, [f"e{i}-0" for i in range(4)], {"name": ["x" * 8_000] * 4})
    put(place, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
    assert len(data_files(place)) == 4


def test_columns_that_are_not_written_down_are_taken_from_the_files(place: ParquetPlace) -> None:
    put(place, Flush({TABLE: rows_for(SCHEMA, ["a-0"])}, NO_REJECTS, NO_ENDINGS))
    (place.root / TABLE / "_schema" / "00000001.json").unlink()
    with opened(place) as writer:
        assert writer.describe(TABLE) == SCHEMA
        writer.prepare(schema_with(name=pa.string(), age=pa.int64(), city=pa.string()))
    with opened(place) as writer:
        found = writer.describe(TABLE)
    assert found is not None
    assert list(found.columns)[-3:] == ["name", "age", "city"]


def test_columns_that_cannot_be_read_hold_the_bridge(place: ParquetPlace) -> None:
    put(place, Flush({}, NO_REJECTS, NO_ENDINGS))
    (place.root / TABLE / "_schema" / "00000001.json").write_text("{")
    with opened(place) as writer, pytest.raises(SinkUnavailable, match="remove that file"):
        writer.describe(TABLE)


def test_the_ledger_is_never_ahead_of_the_history(place: ParquetPlace) -> None:
    obstacle = place.root / TABLE / "ingest_date=2026-09-21"
    obstacle.parent.mkdir(parents=True)
    obstacle.touch()
    ledgers: list[int] = []

    def on_hold(sink: str, error: BridgeError, seconds: float) -> None:
        ledgers.append(len(place.rows("_ledger")))
        obstacle.unlink()

    committer = Committer([place.sink], clock=lambda: NOW, on_hold=on_hold, backoff=Backoff(0.001, 0.01))
    committer.add(flattened([Post(1, "a", [("account", {"name": text("A")})])]))
    committer.flush()
    assert ledgers == [0]
    assert len(place.rows("_ledger")) == len(place.rows(TABLE)) == 1


def test_what_killed_processes_left_is_cleared_away_after_a_day(place: ParquetPlace) -> None:
    staging = place.root / "_staging"
    staging.mkdir(parents=True)
    for name, age in (("old", 90_000), ("young", 10)):
        (staging / name).write_bytes(b"half a file")
        os.utime(staging / name, (time.time() - age,) * 2)
    put(place, Flush({TABLE: rows_for(SCHEMA, ["a-0"])}, NO_REJECTS, NO_ENDINGS))
    assert [path.name for path in staging.iterdir()] == ["young"]
    assert len(data_files(place)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory:///x",
        "ftp://host/x",
        "https://a.blob.core.windows.net/c/x?sig=S3cret",
        "s3://k:S3cret@b/x",
    ],
)
def test_a_url_no_store_has_or_with_a_credential_in_it_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ParquetSink(url=url)
    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_path_and_a_file_url_are_the_same_place(tmp_path: Path, prefix: str) -> None:
    with opened(ParquetPlaceAt(f"{prefix}{tmp_path}/a b")) as writer:
        writer.prepare(SCHEMA)
    assert (tmp_path / "a b" / TABLE / "_schema").is_dir()


class ParquetPlaceAt(ParquetPlace):
    def __init__(self, url: str) -> None:
        self.sink = ParquetSink(url=url)
