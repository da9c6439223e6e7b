"""States in Delta tables: what the fold says, whatever the cuts, with the library's own merge as oracle."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import LocalStore

from cdsbridge.sinks import DeltaSink
from cdsbridge.sinks.base import Flush, SchemaMoved, SinkWriter
from cdsbridge.sinks.testing.history import NO_ENDINGS, NO_REJECTS, NOW, commit
from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.names import PARTY_TABLE
from cdsbridge.tables.parties import with_sets
from cdsbridge.tables.schema import TableSchema
from cdsbridge.tables.state import StateChanges, state_schema

from ..tables.histories import DATA, Event, expected, rows, shown, state_of
from ..tables.test_fold import deliveries
from .delta_log import replay

SCHEMA = state_schema("account", {**SYSTEM, **DATA})


@contextmanager
def writing(folder: Path) -> Iterator[SinkWriter]:
    with closing(DeltaSink(url=str(folder)).open()) as writer:
        writer.prepare(SCHEMA)
        yield writer


def fold(writer: SinkWriter, changes: StateChanges, now: int = NOW) -> None:
    name = changes.schema.table
    commit(writer, Flush({}, NO_REJECTS, NO_ENDINGS, {name: changes}, now=now))


def told(events: Sequence[Event]) -> StateChanges:
    return StateChanges(SCHEMA, "Id", rows(events))


def held(folder: Path, table: str = "account") -> list[dict[str, Any]]:
    with closing(DeltaSink(url=str(folder)).read()) as reader:
        return sorted(reader.state(table).to_pylist(), key=lambda row: str(row["Id"]))


def files(folder: Path) -> set[str]:
    return set(replay(LocalStore(folder), "account").files)


@settings(max_examples=25, deadline=None)
@given(deliveries(), st.booleans())
def test_any_history_folds_to_the_same_rows(
    found: tuple[list[Event], list[Sequence[Event]]], reopened: bool
) -> None:
    happened, batches = found
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for events in filter(None, batches):
            with writing(folder) as writer:
                fold(writer, told(events))
                if not reopened:
                    fold(writer, told(events))
        assert held(folder) == state_of([happened])
        assert shown(held(folder)) == expected(happened)


@settings(max_examples=10, deadline=None)
@given(deliveries())
def test_the_librarys_merge_gives_the_same_table(found: tuple[list[Event], list[Sequence[Event]]]) -> None:
    _, batches = found
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = Path(name, "ours"), Path(name, "theirs")
        oracle = DeltaTable.create(theirs, SCHEMA.arrow())
        with writing(ours) as writer:
            for events in filter(None, batches):
                fold(writer, told(events))
                there = oracle.to_pyarrow_table().cast(SCHEMA.arrow())
                changes = told(events)
                touched = there.filter(pa.compute.is_in(there["Id"], changes.groups))
                merge = oracle.merge(changes.folded(touched, NOW), "t.Id = s.Id", "s", "t")
                merge.when_matched_update_all().when_not_matched_insert_all().execute()
        wanted = oracle.to_pyarrow_table().cast(SCHEMA.arrow()).sort_by("Id").to_pylist()
        assert held(ours) == wanted


def test_a_key_is_one_row_in_the_files_other_engines_read(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        for at in range(4):
            fold(writer, told([Event(at, "update", {"size": at}, id=key) for key in ("k1", "k2")]))
    found = DeltaTable(str(tmp_path / "account")).to_pyarrow_table(columns=["Id", "size"])
    assert found.sort_by("Id").to_pylist() == [{"Id": "k1", "size": 3}, {"Id": "k2", "size": 3}]


def test_delta_rs_duckdb_and_polars_read_the_same_rows_after_checkpoints(tmp_path: Path) -> None:
    name = "na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve"
    with writing(tmp_path) as writer:
        for at in range(25):
            update = {"size": at, "name": name if at % 2 else None}
            fold(
                writer, told([Event(at, "update", update, id=f"k{at % 7}"), Event(at, "delete", id=f"d{at}")])
            )
    place = tmp_path / "account"
    table = DeltaTable(str(place))
    wanted = held(tmp_path)
    assert len(wanted) == 32
    by_polars = pl.read_delta(str(place)).to_arrow().select(SCHEMA.columns).cast(SCHEMA.arrow())
    assert by_polars.sort_by("Id").to_pylist() == wanted
    names = [str(place / path) for path in table.get_add_actions(flatten=True)["path"].to_pylist()]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        by_duckdb = connection.read_parquet(names, union_by_name=True).to_arrow_table()
    assert by_duckdb.select(SCHEMA.columns).cast(SCHEMA.arrow()).sort_by("Id").to_pylist() == wanted
    assert table.to_pyarrow_table().cast(SCHEMA.arrow()).sort_by("Id").to_pylist() == wanted


def test_a_stale_change_commits_nothing(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        fold(writer, told([Event(10, "create", {"name": "a"})]))
        before = len(replay(LocalStore(tmp_path), "account").commits)
        fold(writer, told([Event(10, "create", {"name": "a"})]), NOW + 1)
    assert len(replay(LocalStore(tmp_path), "account").commits) == before


def test_only_files_with_a_changed_row_are_written_anew(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        fold(writer, told([Event(1, "create", {"name": "a"}, id=f"a{n}") for n in range(3)]))
        first = files(tmp_path)
        fold(writer, told([Event(2, "create", {"name": "b"}, id=f"b{n}") for n in range(3)]))
        second = files(tmp_path) - first
        fold(writer, told([Event(3, "update", {"name": "c"}, id="b1")]))
    assert first <= files(tmp_path)
    assert not second & files(tmp_path)
    actions = replay(LocalStore(tmp_path), "account").commits[-1]
    assert sorted(next(iter(action)) for action in actions) == ["add", "add", "commitInfo", "remove", "txn"]
    assert [row["name"] for row in held(tmp_path)] == ["a", "a", "a", "b", "c", "b"]


def test_a_file_all_of_whose_rows_changed_goes(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        fold(writer, told([Event(1, "create", {"name": "a"})]))
        fold(writer, told([Event(2, "delete")]))
    assert len(files(tmp_path)) == 1
    assert [row["IsDelete"] for row in held(tmp_path)] == [True]


def test_a_state_widens_and_rows_of_before_have_nulls(tmp_path: Path) -> None:
    wide = TableSchema("account", {**SCHEMA.columns, "city": pa.string()})
    with writing(tmp_path) as writer:
        fold(writer, told([Event(1, "create", {"name": "a"}, id=key) for key in ("k1", "k2")]))
        writer.prepare(wide)
        changes = rows([Event(2, "update", id="k1")])
        changes = changes.append_column("city", pa.array(["Rome"]))
        changes = changes.set_column(
            changes.schema.get_field_index("_changed"), "_changed", pa.array(['["city"]'])
        )
        fold(writer, StateChanges(wide, "Id", changes))
    assert [(row["Id"], row["name"], row["city"]) for row in held(tmp_path)] == [
        ("k1", "a", "Rome"),
        ("k2", "a", None),
    ]


def test_a_writer_that_does_not_know_a_column_plans_again(tmp_path: Path) -> None:
    with writing(tmp_path) as writer:
        fold(writer, told([Event(1, "create", {"name": "a"})]))
        with writing(tmp_path) as other:
            other.prepare(TableSchema("account", {**SCHEMA.columns, "city": pa.string()}))
        with pytest.raises(SchemaMoved):
            fold(writer, told([Event(2, "update", {"name": "b"})]))
    assert [row["name"] for row in held(tmp_path)] == ["a"]


def parties(at: int, members: Sequence[str], activity: str = "x1") -> pa.Table:
    """Return the rows of one party list, as a history has them."""
    data = {"activityid": pa.string(), "partyid": pa.string(), "participationtypemask": pa.int64()}
    data["ordinal"] = pa.int64()
    count = len(members)
    known: dict[str, list[Any]] = {
        "Id": [f"{activity}.{at}.{n}" for n in range(count)],
        "IsDelete": [False] * count,
        "_event_id": [f"e{at}-{n + 1}" for n in range(count)],
        "_op": ["update"] * count,
        "_message": ["Update"] * count,
        "_order": [f"{at:018d}.2.{at:019d}.e{at}-{n + 1}" for n in range(count)],
        "_changed": ['["partyid"]'] * count,
        "activityid": [activity] * count,
        "partyid": list(members),
        "participationtypemask": [2] * count,
        "ordinal": list(range(count)),
    }
    columns = {**SYSTEM, **data}
    arrays = [pa.array(known.get(name, [None] * count), kind) for name, kind in columns.items()]
    return pa.Table.from_arrays(arrays, names=list(columns))


@pytest.mark.parametrize("turned", [False, True])
def test_a_set_is_replaced_as_a_whole(tmp_path: Path, turned: bool) -> None:
    older, newer, other = parties(1, ["p1", "p2", "p3"]), parties(2, ["p4"]), parties(3, ["p5"], "x2")
    schema = state_schema(PARTY_TABLE, dict(zip(older.column_names, older.schema.types, strict=True)))
    with writing(tmp_path) as writer:
        writer.prepare(schema)
        for changes in (newer, older, other) if turned else (older, other, newer):
            fold(writer, StateChanges(schema, "_set", with_sets(changes)))
    there = [row for row in held(tmp_path, PARTY_TABLE) if not row["IsDelete"]]
    assert sorted((row["activityid"], row["partyid"]) for row in there) == [("x1", "p4"), ("x2", "p5")]


def test_a_state_that_is_not_there_has_no_rows_and_no_columns(tmp_path: Path) -> None:
    with closing(DeltaSink(url=str(tmp_path)).read()) as reader:
        assert reader.state("account") == pa.table({})
