"""What is particular to Delta tables: their log, their files, and what is read to write them."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, WriterProperties, write_deltalake
from hypothesis import example, given
from hypothesis import strategies as st
from obstore.store import LocalStore
from pydantic import ValidationError

from cdsbridge.model.errors import ConfigError, SinkUnavailable
from cdsbridge.sinks import DeltaSink
from cdsbridge.sinks.base import Flush, SinkWriter
from cdsbridge.sinks.delta.files import Group, encoded
from cdsbridge.sinks.delta.keys import EVENT, MESSAGE, DataFile, KnownKeys, hashed, may_share
from cdsbridge.sinks.delta.table import folder_name
from cdsbridge.sinks.testing.history import (
    NO_ENDINGS,
    NO_REJECTS,
    NOW,
    TABLE,
    commit,
    ending,
    endings,
    opened,
    reading,
    rows_for,
    schema_with,
)
from cdsbridge.tables.columns import TIMESTAMP
from cdsbridge.tables.schema import TableSchema

from .delta_log import Replayed, replay
from .places import DeltaPlace

SCHEMA = schema_with(name=pa.string(), age=pa.int64())
HOUR = 3_600_000_000


@pytest.fixture
def place(tmp_path: Path) -> DeltaPlace:
    return DeltaPlace(tmp_path)


def log(place: DeltaPlace, table: str = TABLE) -> Replayed:
    return replay(LocalStore(place.root), folder_name(table))


def put(writer: SinkWriter, events: Sequence[str], sent: int = 1, **data: list[Any]) -> None:
    commit(writer, Flush({TABLE: rows_for(SCHEMA, list(events), data, sent)}, NO_REJECTS, NO_ENDINGS))


class Reads:
    """Counts the row groups that are read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.columns: list[object] = []
        read = Group.read

        def counted(group: Group, columns: Sequence[str] | None = None) -> pa.Table:
            self.columns.append(columns)
            return read(group, columns)

        monkeypatch.setattr(Group, "read", counted)


def test_every_engine_reads_the_tables(place: DeltaPlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        put(writer, ["a-0"])
        writer.prepare(schema_with(name=pa.string(), age=pa.int64(), seen=TIMESTAMP))
        put(writer, ["b-0"])
    for table in (TABLE, "_ledger", "_quarantine"):
        found = log(place, table)
        assert found.protocol == (1, 2)
        assert found.configuration["delta.checkpointInterval"] == "10"
    assert log(place).schema["seen"] == "timestamp"
    assert set(log(place).schema.values()) == {"string", "boolean", "long", "timestamp"}


def test_a_checkpoint_is_written_every_so_many_commits(tmp_path: Path) -> None:
    sink = DeltaSink(url=str(tmp_path), checkpoint_interval=3)
    writer = sink.open()
    for number in range(7):
        commit(writer, Flush({}, NO_REJECTS, endings(ending(number))))
    writer.close()
    assert len(list((tmp_path / "_ledger" / "_delta_log").glob("*.checkpoint.parquet"))) == 2


def test_a_table_whose_name_no_path_takes_has_a_folder_that_all_do(place: DeltaPlace) -> None:
    schema = TableSchema("a/b %41=c_history", dict(SCHEMA.columns))
    with opened(place) as writer:
        writer.prepare(schema)
        rows = rows_for(schema, ["a-0"])
        commit(writer, Flush({schema.table: rows}, NO_REJECTS, NO_ENDINGS))
    assert (place.root / "a=2Fb=20=2541=3Dc_history" / "_delta_log").is_dir()
    with reading(place) as reader:
        assert dict(reader.rows()) == {schema.table: 1, "_quarantine": 0}


@pytest.mark.parametrize("folder", ["with space", "hash#and?more", "\u00fcml\u00e4ut"])
def test_a_lake_may_lie_in_any_folder(tmp_path: Path, folder: str) -> None:
    place = DeltaPlace(tmp_path / folder)
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        put(writer, ["a-0"])
        put(writer, ["a-0", "b-0"])
    assert [row["_event_id"] for row in place.rows(TABLE)] == ["a-0", "b-0"]
    with reading(place) as reader:
        assert reader.rows()[TABLE] == 2


def test_a_folder_the_library_cannot_find_again_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a folder with % in its name"):
        DeltaPlace(tmp_path / "per%20cent").sink.open()


def test_a_flush_of_new_events_reads_no_file(place: DeltaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(monkeypatch)
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        for number in range(5):
            put(writer, [f"e{number}-0"])
            commit(writer, Flush({}, NO_REJECTS, endings(ending(number))))
    assert reads.columns == []
    assert len(place.rows(TABLE)) == 5


def test_a_writer_that_knows_nothing_reads_only_ids(
    place: DeltaPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        put(writer, ["a-0"])
    reads = Reads(monkeypatch)
    with opened(place) as writer:
        put(writer, ["b-0"])
        put(writer, ["c-0"])
    assert reads.columns == [("_event_id",)]


def test_files_of_another_time_are_not_read(place: DeltaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        for day in range(4):
            put(writer, [f"e{day}-0"], _occurred_at=[NOW + 24 * day * HOUR])
    reads = Reads(monkeypatch)
    with opened(place) as writer:
        put(writer, ["new-0"], _occurred_at=[NOW + 24 * HOUR])
        assert len(reads.columns) == 1
        put(writer, ["e3-0"], _occurred_at=[NOW + 71 * HOUR])
    assert [row["_event_id"] for row in place.rows(TABLE)] == ["e0-0", "e1-0", "e2-0", "e3-0", "new-0"]


@pytest.mark.parametrize(
    "told",
    [{"_message": ["Hydrate"], "_occurred_at": [NOW + 900 * HOUR]}, {"_occurred_at": [None]}],
    ids=["read again from Dataverse", "of no known time"],
)
def test_an_event_that_may_lie_anywhere_is_looked_for_everywhere(
    place: DeltaPlace, told: Mapping[str, list[Any]]
) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        put(writer, ["a-0"], _occurred_at=[NOW])
    with opened(place) as writer:
        put(writer, ["a-0"], 1, **told)
    assert len(place.rows(TABLE)) == 1


def test_an_earlier_post_rewrites_its_file_and_no_other(place: DeltaPlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        put(writer, ["a-0", "b-0"], sent=10, name=["A", "B"])
        put(writer, ["c-0"], sent=20)
        before = log(place)
        put(writer, ["a-0"], sent=1, name=["A"], SinkCreatedOn=[NOW + 7], SinkModifiedOn=[NOW + 7])
    after = log(place)
    first, other = before.files
    assert other in after.files
    assert first not in after.files
    (row, *_) = place.rows(TABLE)
    assert (row["name"], row["_sequence_number"]) == ("A", 1)
    assert str(row["SinkCreatedOn"]) < str(row["SinkModifiedOn"])
    assert len(place.rows(TABLE)) == 3


def test_a_file_whose_rows_all_stay_is_not_rewritten(place: DeltaPlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        put(writer, ["a-0"], sent=10)
        first = set(log(place).files)
        put(writer, ["b-0"], sent=20)
        other = set(log(place).files) - first
        put(writer, ["a-0", "b-0"], sent=9, _order=["0", "9"])
        known = writer._amender._known  # type: ignore[attr-defined]
    assert other < set(log(place).files)
    assert not first & set(log(place).files)
    assert [known.get(TABLE, path) for path in first] == [None], "a file that is gone is remembered"
    assert [row["_sequence_number"] for row in place.rows(TABLE)] == [9, 20]


def test_of_two_deliveries_of_a_post_the_one_received_first_counts(place: DeltaPlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        for received in (NOW + 9, NOW + 2, NOW + 5):
            put(writer, ["a-0"], _received_at=[received], _enqueued_at=[NOW])
    (row,) = place.rows(TABLE)
    assert str(row["_received_at"]).endswith("000002")


def test_a_later_post_commits_nothing(place: DeltaPlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        put(writer, ["a-0"], sent=1)
        before = len(log(place).commits)
        put(writer, ["a-0"], sent=9)
    assert len(log(place).commits) == before


def test_keys_forgotten_are_read_again(place: DeltaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdsbridge.sinks.delta.writer.KnownKeys", lambda: KnownKeys(limit=2))
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        for number in (0, 1, 2, 3, 1, 0, 3):
            put(writer, [f"e{number}-0"])
    assert [row["_event_id"] for row in place.rows(TABLE)] == [f"e{number}-0" for number in range(4)]


keys = st.lists(st.sampled_from([f"k{number}" for number in range(40)]), max_size=30)


@given(keys, keys)
def test_hashes_never_deny_a_key_two_files_share(one: list[str], other: list[str]) -> None:
    share = may_share(hashed(pa.array(one, pa.string())), hashed(pa.array(other, pa.string())))
    assert share == bool(set(one) & set(other))


stamps = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)


@given(st.lists(stamps, min_size=1, max_size=5), stamps, st.booleans())
def test_bounds_never_hide_a_row(held: list[int], other: int, there: bool) -> None:
    asked = held[0] if there else other
    rows = pa.table({"entity": ["e"], "sequence_number": [1], "enqueued_at": pa.array([asked], TIMESTAMP)})
    pieces = pa.table(
        {"entity": ["e"] * len(held), "sequence_number": held, "enqueued_at": pa.array(held, TIMESTAMP)}
    )
    file = encoded([pieces], MESSAGE)
    assert file is not None
    stats = json.loads(file.stats)
    low, high = (_micros(stats[which].get("enqueued_at")) for which in ("minValues", "maxValues"))
    data_file = DataFile("p", 1, *((low, high) if None not in (low, high) else (None, None)))
    found = MESSAGE.candidates([data_file], rows)
    assert found or asked not in held
    if high is not None and (asked > max(held) + 10_000 or asked < min(held) - 10_000):
        assert not found


def _micros(text: str | None) -> int | None:
    if text is None:
        return None
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)


def test_bounds_told_to_the_millisecond_hide_no_row() -> None:
    key = {"entity": ["e"], "sequence_number": [1], "enqueued_at": pa.array([NOW + 999], TIMESTAMP)}
    assert MESSAGE.candidates([DataFile("p", 1, NOW, NOW)], pa.table(key))


long_texts = st.text(st.sampled_from("ab\U0010ffff"), min_size=31, max_size=35)
texts = st.lists(st.text(max_size=5) | long_texts, min_size=1, max_size=4)


@given(texts, st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1))
@example(["a" * 32 + "\U0010ffff" + "a"], [None])
def test_statistics_enclose_every_value(words: list[str], numbers: list[int | None]) -> None:
    count = max(len(words), len(numbers))
    cells = [*numbers, *[None] * (count - len(numbers))]
    rows = pa.table(
        {"_event_id": (words * count)[:count], "n": pa.array(cells, pa.int64()), "x": [1.5] * count}
    )
    file = encoded([rows.slice(0, 1), rows.slice(1)], EVENT)
    assert file is not None
    stats = json.loads(file.stats)
    low, high = stats["minValues"], stats["maxValues"]
    assert all(low["_event_id"] <= word for word in rows["_event_id"].to_pylist())
    if "_event_id" in high:
        assert all(word <= high["_event_id"] for word in rows["_event_id"].to_pylist())
    known = [number for number in cells if number is not None]
    assert (low.get("n"), high.get("n")) == ((min(known), max(known)) if known else (None, None))
    assert "x" not in low
    assert stats["nullCount"] == {"_event_id": 0, "n": cells.count(None), "x": 0}
    assert stats["numRecords"] == count


def test_what_another_engine_appends_is_seen(place: DeltaPlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        put(writer, ["a-0"])
        write_deltalake(
            str(place.root / TABLE),
            rows_for(SCHEMA, ["b-0"]),
            mode="append",
            writer_properties=WriterProperties(compression="SNAPPY"),
        )
        put(writer, ["b-0", "c-0"])
    assert [row["_event_id"] for row in place.rows(TABLE)] == ["a-0", "b-0", "c-0"]


def test_what_the_library_reads_is_what_was_written(place: DeltaPlace) -> None:
    rows = rows_for(SCHEMA, ["a-0", "b-0"], {"name": ["A", None], "age": [None, 2]})
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        commit(writer, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
    found = DeltaTable(str(place.root / TABLE)).to_pyarrow_table()
    assert found.cast(rows.schema).sort_by("_event_id") == rows


def test_a_table_with_a_feature_none_of_ours_has_is_refused(place: DeltaPlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
    properties = {"delta.enableDeletionVectors": "true"}
    DeltaTable(str(place.root / TABLE)).alter.set_table_properties(properties)
    with opened(place) as writer, pytest.raises(ConfigError, match=r"reader version 3 .* deletion vectors"):
        writer.describe(TABLE)


def test_a_table_of_another_program_with_types_we_have_not_is_refused(place: DeltaPlace) -> None:
    write_deltalake(str(place.root / TABLE), pa.table({"_event_id": ["a"], "n": pa.array([1], pa.int32())}))
    with opened(place) as writer, pytest.raises(ConfigError, match="column n has the type int32"):
        writer.describe(TABLE)


def test_a_table_that_has_gone_holds_the_bridge_until_it_is_prepared(place: DeltaPlace) -> None:
    flush = Flush({TABLE: rows_for(SCHEMA, ["a-0"])}, NO_REJECTS, NO_ENDINGS)
    with opened(place) as writer, pytest.raises(SinkUnavailable, match="has gone since"):
        commit(writer, flush)
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        commit(writer, flush)
    assert len(place.rows(TABLE)) == 1


def test_only_texts_have_a_dictionary_and_all_is_compressed(place: DeltaPlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        put(writer, ["a-0", "b-0"], name=["A", "A"], age=[1, 1])
    (path,) = (place.root / TABLE).glob("*.parquet")
    group = pq.read_metadata(path).row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert columns["name"].has_dictionary_page
    assert not columns["age"].has_dictionary_page
    assert {column.compression for column in columns.values()} == {"ZSTD"}


@pytest.mark.parametrize(
    "settings",
    [
        {"url": ""},
        {"url": "ftp://host/x"},
        {"url": "az://box/lake?sig=S3cret"},
        {"url": "/lake", "checkpoint_interval": 0},
        {"url": "/lake", "colour": "red"},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        DeltaSink.model_validate(settings)
    assert "S3cret" not in str(caught.value)
