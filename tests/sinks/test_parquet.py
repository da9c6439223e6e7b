"""What is particular to Parquet files."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from cdsbridge.model.errors import BridgeError, SinkUnavailable
from cdsbridge.sinks import ParquetSink
from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.holding import Backoff
from cdsbridge.sinks.parquet import lake as parquet_lake
from cdsbridge.sinks.testing.history import (
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
from cdsbridge.tables.columns import SYSTEM

from .batches import Post, flattened, text
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


def test_only_columns_of_few_values_have_a_dictionary_and_all_is_compressed(place: ParquetPlace) -> None:
    rows = rows_for(SCHEMA, ["a-0", "b-0"], {"name": ["A", "A"], "age": [1, 1]})
    put(place, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
    group = pq.read_metadata(place.root / data_files(place)[0]).row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    with_dictionary = {name for name, column in columns.items() if column.has_dictionary_page}
    assert {"_op", "_message", "_changed", "_entity"} <= with_dictionary
    assert not {"Id", "_event_id", "_order", "name", "age"} & with_dictionary
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


def test_a_large_flush_is_cut_into_files(place: ParquetPlace) -> None:
    place.sink = ParquetSink(url=place.sink.url, file_rows=10)
    events = [f"e{i:02d}-0" for i in range(25)]
    put(place, Flush({TABLE: rows_for(SCHEMA, events)}, NO_REJECTS, NO_ENDINGS))
    assert sorted(pq.read_metadata(path).num_rows for path in place.root.rglob("*.parquet")) == [7, 9, 9]
    assert [row["_event_id"] for row in place.rows(TABLE)] == events


def test_a_flush_heavy_in_memory_is_cut_into_files(
    place: ParquetPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_lake, "MAX_ARROW", 10_000)
    rows = rows_for(SCHEMA, [f"e{i}-0" for i in range(4)], {"name": ["x" * 8_000] * 4})
    put(place, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
    assert len(data_files(place)) == 4


def test_a_file_too_large_on_the_disk_is_cut_by_its_encoded_size(place: ParquetPlace) -> None:
    place.sink = ParquetSink(url=place.sink.url, file_bytes=64 * 1024)
    events = [f"e{i:02d}-0" for i in range(20)]
    noise = [os.urandom(10_000).hex() for _ in events]
    put(place, Flush({TABLE: rows_for(SCHEMA, events, {"name": noise})}, NO_REJECTS, NO_ENDINGS))
    sizes = [path.stat().st_size for path in place.root.rglob("*.parquet")]
    assert len(sizes) > 3
    assert max(sizes) <= 64 * 1024
    assert [(row["_event_id"], row["name"]) for row in place.rows(TABLE)] == list(
        zip(events, noise, strict=True)
    )


def test_a_row_too_large_for_any_file_has_one_of_its_own(place: ParquetPlace) -> None:
    place.sink = ParquetSink(url=place.sink.url, file_bytes=64 * 1024)
    texts = ["small", os.urandom(100_000).hex(), "small too"]
    put(
        place,
        Flush(
            {TABLE: rows_for(SCHEMA, ["a-0", "b-0", "c-0"], {"name": texts})},
            NO_REJECTS,
            NO_ENDINGS,
        ),
    )
    assert [row["name"] for row in place.rows(TABLE)] == texts
    assert all(
        pq.read_metadata(path).num_rows == 1 or path.stat().st_size <= 64 * 1024
        for path in place.root.rglob("*.parquet")
    )


def published(place: ParquetPlace) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place.root / TABLE / "_schema.json").read_text())
    return found


def test_the_columns_stand_beside_the_data_with_what_each_version_added(place: ParquetPlace) -> None:
    with opened(place) as writer:
        writer.prepare(schema_with(name=pa.string()))
        writer.prepare(schema_with(name=pa.string(), price=pa.decimal128(38, 4)))
        writer.prepare(schema_with(name=pa.string()))
    found = published(place)
    wide = schema_with(name=pa.string(), price=pa.decimal128(38, 4))
    assert [column["name"] for column in found["columns"]] == list(wide.columns)
    assert (found["table"], found["version"]) == (TABLE, 2)
    assert [entry["version"] for entry in found["versions"]] == [1, 2]
    assert found["versions"][1]["added"] == [{"name": "price", "type": "decimal(38,4)"}]


@pytest.mark.parametrize("held", [None, b"{", b'{"versions": 3}', b'{"versions": [{"version": 1}]}'])
def test_columns_beside_the_data_that_are_torn_or_behind_are_mended(
    place: ParquetPlace, held: bytes | None
) -> None:
    schemas = schema_with(name=pa.string()), schema_with(name=pa.string(), age=pa.int64())
    with opened(place) as writer:
        for schema in schemas:
            writer.prepare(schema)
    whole = published(place)
    path = place.root / TABLE / "_schema.json"
    path.unlink() if held is None else path.write_bytes(held)
    with opened(place) as writer:
        writer.prepare(schemas[1])
    assert published(place) == whole


def test_writers_that_widen_at_once_leave_every_column_beside_the_data(tmp_path: Path) -> None:
    sink = ParquetSink(url=str(tmp_path))
    wanted = [f"column{i}" for i in range(8)]

    def widen(name: str) -> None:
        with closing(sink.open()) as writer:
            writer.prepare(schema_with(**{name: pa.int64()}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(widen, wanted))
    with closing(sink.open()) as writer:
        writer.prepare(schema_with())
    found = json.loads((tmp_path / TABLE / "_schema.json").read_text())
    assert {column["name"] for column in found["columns"]} == {*SYSTEM, *wanted}
    assert found["version"] == 8


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
