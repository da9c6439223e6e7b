"""Rows a database refuses: told one by one, and never a fault of the others."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.refused import RowsRefused
from cdsbridge.sinks.sql.refused import refused
from cdsbridge.sinks.testing.history import NO_ENDINGS, NO_REJECTS, TABLE, opened, rows_for, schema_with
from cdsbridge.tables.columns import TIMESTAMP
from cdsbridge.tables.state import StateChanges, state_schema

from .batches import Post, flattened, text
from .places import SqlitePlace
from .sql_places import SQL_PLACES, MariaPlace, PostgresPlace

SCHEMA = schema_with(name=pa.string(), size=pa.int64(), remark=pa.string())


def narrowed(place: Any) -> None:
    """Have the column ``name`` take less, as a person might who tends the database."""
    if isinstance(place, SqlitePlace):
        with closing(sqlite3.connect(place.path)) as base:
            base.execute(
                f"CREATE TRIGGER short BEFORE INSERT ON {TABLE} WHEN length(NEW.name) > 5 "
                "BEGIN SELECT RAISE(ABORT, 'name is too long'); END"
            )
    elif isinstance(place, PostgresPlace):
        with place.connected() as postgres:
            postgres.execute("DROP VIEW account_scd2")
            postgres.execute(f"ALTER TABLE {TABLE} ALTER name TYPE varchar(5)")
    elif isinstance(place, MariaPlace):
        with place.connected() as maria:
            maria.cursor().execute(f"ALTER TABLE {place.name}.{TABLE} MODIFY name varchar(5)")
    else:
        with duckdb.connect(str(place.path)) as duck:
            duck.execute(f"ALTER TABLE {TABLE} ALTER name TYPE INTEGER")


@pytest.mark.parametrize("name", sorted(SQL_PLACES))
def test_a_row_that_is_refused_is_named_with_its_column_and_nothing_is_written(
    name: str, tmp_path: Path
) -> None:
    place = SQL_PLACES[name](tmp_path)
    names = [str(number) for number in range(40)]
    names[13] = names[29] = "none of these"
    rows = rows_for(
        SCHEMA, [f"e{n}-0" for n in range(40)], {"name": names, "remark": ["r"] * 40, "size": [1] * 40}
    )
    with opened(place) as writer:
        writer.prepare(SCHEMA)
    narrowed(place)
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        staged = writer.stage(Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
        with pytest.raises(RowsRefused, match="Column name: ") as caught:
            writer.commit(staged)
        assert [(each.table, each.event_id, each.column) for each in caught.value.rows] == [
            (TABLE, "e13-0", "name"),
            (TABLE, "e29-0", "name"),
        ]
        assert place.rows(TABLE) == []
        rest = rows.filter(pa.compute.not_equal(rows.column("name"), "none of these"))
        writer.commit(writer.stage(Flush({TABLE: rest}, NO_REJECTS, NO_ENDINGS)))
    assert len(place.rows(TABLE)) == 38


UNFIT: Mapping[str, tuple[str, pa.DataType, Any]] = {
    "NUL": ("postgresql", pa.string(), "a\0b"),
    "NUL, portable": ("postgresql-portable", pa.string(), "a\0b"),
    "infinity": ("mariadb", pa.float64(), float("-inf")),
    "no number": ("mariadb-portable", pa.float64(), float("nan")),
    "the year 10000": ("mariadb-inserting", TIMESTAMP, 253_402_300_800_000_000),
    "before year 1": ("postgresql", TIMESTAMP, -62_135_596_800_000_001),
    "a day before year 1": ("duckdb", pa.date32(), -719_163),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_a_database_has_no_form_for_is_told_before_anything_is_sent(case: str, tmp_path: Path) -> None:
    name, kind, value = UNFIT[case]
    place = SQL_PLACES[name](tmp_path)
    schema = schema_with(bad=kind)
    rows = rows_for(schema, ["a-0", "b-0", "c-0"], {"bad": [None, value, None]})
    with opened(place) as writer:
        writer.prepare(schema)
        with pytest.raises(RowsRefused) as caught:
            writer.stage(Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
    (row,) = caught.value.rows
    assert (row.table, row.event_id, row.column) == (TABLE, "b-0", "bad")


@pytest.mark.parametrize("name", ["postgresql", "mariadb", "mariadb-portable", "sqlite"])
def test_a_bridge_goes_on_without_the_messages_a_database_refuses(name: str, tmp_path: Path) -> None:
    place = SQL_PLACES[name](tmp_path)
    posts = [Post(number, f"e{number}", [("account", {"name": text("short")})]) for number in range(12)]
    committer = Committer([place.sink])
    committer.add(flattened(posts))
    committer.flush()
    narrowed(place)
    more = [
        Post(20 + n, f"f{n}", [("account", {"name": text("too long" if n == 3 else "n")})]) for n in range(6)
    ]
    committer.add(flattened(more))
    (batch,) = committer.flush()
    committer.close()
    assert [each.verdict.reason for each in batch.dispositions] == ["", "", "", "refused", "", ""]
    assert len(place.rows(TABLE)) == 17
    (row,) = place.rows("_quarantine")
    assert (row["message_id"], row["reason"], row["place"]) == ("id-23", "refused", "name")


def test_quarantine_and_ledger_take_any_text(tmp_path: Path) -> None:
    place = PostgresPlace(tmp_path)
    bad = Post(1, "e1", [("account", {"name": text("a\0b")})])
    committer = Committer([place.sink])
    committer.add(flattened([bad, replace(bad, number=2, event="e2", rows=[])]))
    committer.flush()
    committer.close()
    (row,) = place.rows("_quarantine")
    assert row["body"] == b"{}"
    assert "NUL" in str(row["sentence"])


@pytest.mark.parametrize("make", [PostgresPlace, MariaPlace])
def test_a_state_that_grows_too_wide_refuses_what_widened_it(
    make: Callable[[Path], Any], tmp_path: Path
) -> None:
    """Each event fits a row; all columns together do not."""
    place = make(tmp_path)
    wide = {f"c{n}": pa.string() for n in range(min(520, place.sink.max_columns - 30))}
    schema = state_schema("account", wide)
    halves = [sorted(wide)[0::2], sorted(wide)[1::2]]
    with opened(place) as writer:
        writer.prepare(schema)
        writer.commit(writer.stage(_said(schema, "k", "e1-0", halves[0])))
        staged = writer.stage(_said(schema, "k", "e2-0", halves[1], "l", "e3-0"))
        with pytest.raises(RowsRefused, match="The current state cannot be written") as caught:
            writer.commit(staged)
        assert [(each.table, each.event_id) for each in caught.value.rows] == [(TABLE, "e2-0")]


def _said(schema: Any, key: str, event: str, names: list[str], *other: str) -> Flush:
    keys, events = [key, *other[:1]], [event, *other[1:]]
    rows = {
        "Id": keys,
        "_event_id": events,
        "_order": events,
        "_op": ["update"] * len(keys),
        "_changed": pa.nulls(len(keys), pa.string()),
        "_truncated": [False] * len(keys),
        "_message": ["Update"] * len(keys),
        "_extra": pa.nulls(len(keys), pa.string()),
        **{name: ["x" * 36, *[None for _ in other[:1]]] for name in names},
    }
    return Flush({}, NO_REJECTS, NO_ENDINGS, {"account": StateChanges(schema, "Id", pa.table(rows))}, now=1)


@settings(max_examples=60)
@given(st.sets(st.integers(0, 39)), st.sampled_from(["name", "remark", ""]))
def test_halving_finds_exactly_the_rows_at_fault(bad: set[int], column: str) -> None:
    rows = rows_for(SCHEMA, [f"e{n}" for n in range(40)], {"name": ["n"] * 40, "remark": ["r"] * 40})
    tried: list[int] = []

    def attempt(some: pa.Table) -> str | None:
        tried.append(some.num_rows)
        found = {int(event[1:]) for event in some.column("_event_id").to_pylist()} & bad
        wrong = found and (not column or some.column(column).null_count < some.num_rows)
        return "it does not fit" if wrong else None

    found = list(refused(TABLE, rows, attempt))
    assert {int(each.event_id[1:]) for each in found} == bad
    assert {each.column for each in found} <= {column}
    assert len(tried) <= 1 + len(bad) * 16
