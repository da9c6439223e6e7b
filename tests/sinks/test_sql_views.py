"""Views: what they show is what the fold says, at every time."""

import itertools
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.testing import Place, canonical
from cdsbridge.sinks.testing.history import NO_ENDINGS, NO_REJECTS, TABLE, opened, rows_for
from cdsbridge.sinks.testing.places import Row
from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.contract import Contracts
from cdsbridge.tables.order import order_key
from cdsbridge.tables.schema import TableSchema
from cdsbridge.tables.state import StateChanges, state_changes, state_schema

from .places import SqlitePlace
from .sql_places import SQL_PLACES

DATA: Mapping[str, pa.DataType] = {
    "name": pa.string(),
    "size": pa.int64(),
    "kind": pa.int64(),
    "kindname": pa.string(),
    "done": pa.bool_(),
    "picks": pa.string(),
    "picksname": pa.string(),
    "ownerid": pa.string(),
    "ownerid_entitytype": pa.string(),
    "owneridname": pa.string(),
    "new_100%": pa.string(),
    "newx100": pa.string(),
}
SCHEMA = TableSchema(TABLE, {**SYSTEM, **DATA})
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["a", "b", None]),
    "size": st.sampled_from([1, 2, None]),
    "kind": st.sampled_from([3, 4, None]),
    "done": st.sampled_from([True, False, None]),
    "picks": st.sampled_from(["1;3", "2", "a domain", None]),
    "ownerid": st.sampled_from(["u", "t", None]),
    "new_100%": st.sampled_from(["p", "q", None]),
    "newx100": st.sampled_from(["r", None]),
}
BESIDE = {
    "kind": {"kindname": ["Three", None]},
    "picks": {"picksname": ["One; Three", None]},
    "ownerid": {"ownerid_entitytype": ["systemuser", None], "owneridname": ["Ann", None]},
}
Places = Callable[[str], Place]
Change = tuple[str, Mapping[str, Any], Sequence[str]]


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    """What happened to one row, in order: what, its values, and which were sent."""
    found: list[Change] = []
    for _ in range(draw(st.integers(1, 7))):
        op = draw(st.sampled_from(["create", "update", "update", "delete"]))
        sent = [] if op == "delete" else draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True))
        values = {name: draw(VALUES[name]) for name in sent}
        for name in sent:
            for beside, some in BESIDE.get(name, {}).items():
                values[beside] = draw(st.sampled_from(some))
        named = [
            *sent,
            *([draw(st.sampled_from(["kindname", "owneridname"]))] if draw(st.booleans()) else []),
        ]
        found.append((op, values, sorted(set(named)) if op != "delete" else []))
    return found


def history_of(key: str, happened: Sequence[Change]) -> pa.Table:
    events = [f"{key}-{at}" for at in range(len(happened))]
    data: dict[str, list[Any]] = {
        "Id": [key] * len(events),
        "_op": [op for op, _, _ in happened],
        "IsDelete": [op == "delete" for op, _, _ in happened],
        "_message": ["Update"] * len(events),
        "_truncated": [False] * len(events),
        "_occurred_at": [at * 10 for at in range(len(events))],
        "_order": [order_key(at * 10, happened[at][0], 1, event) for at, event in enumerate(events)],
        "_changed": [json.dumps(names) for _, _, names in happened],
        **{name: [values.get(name) for _, values, _ in happened] for name in DATA},
    }
    return rows_for(SCHEMA, events, data)


def said(rows: pa.Table) -> Flush:
    found = state_changes({"account": rows}, {"account": DATA}, Contracts())
    states = {each.schema.table: each for each in found if each.schema.table == "account"}
    return Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS, states, now=1)


def folded(rows: pa.Table) -> Row:
    """What the state would be if these were all events."""
    changes_ = StateChanges(state_schema("account", DATA), "Id", rows)
    found = changes_.folded(changes_.schema.arrow().empty_table(), 1)
    (row,) = canonical(found.select(["IsDelete", *DATA]))
    return row


def shown(place: Place, view: str, key: str) -> list[Row]:
    return [row for row in place.rows(view) if row["Id"] == key]


def instant(number: int) -> str:
    return f"1970-01-01 00:00:00.{number:06d}"


def agrees(place: Place, key: str, happened: Sequence[Change]) -> None:
    """At every time the row was what the fold says of the events until then."""
    whole = history_of(key, happened)
    ordered = sorted(shown(place, "account_scd2", key), key=lambda row: str(row["_order"]))
    for row, following in itertools.zip_longest(ordered, ordered[1:]):
        assert row["_valid_to"] == (following["_valid_from"] if following else None)
        assert row["_is_current"] == int(following is None)
    for at in range(len(happened)):
        now = folded(whole.slice(0, at + 1))
        (found,) = [row for row in ordered if _spans(row, instant(at * 10))]
        if now["IsDelete"]:
            assert found["IsDelete"] == 1
        else:
            assert {name: found[name] for name in now} == now, at
    alive = shown(place, "account_active", key)
    assert len(alive) == (not now["IsDelete"])
    assert [{name: row[name] for name in now} for row in alive] == [now][: len(alive)]


def _spans(row: Row, time: str) -> bool:
    until = row["_valid_to"]
    return str(row["_valid_from"]) <= time and (until is None or time < str(until))


def check(place: Place, found: Sequence[Change]) -> None:
    key = f"k{next(_keys)}"
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        writer.prepare(state_schema("account", DATA))
        rows, half = history_of(key, found), len(found) // 2
        # the later half comes first
        for part in (rows.slice(half), rows.slice(0, half)):
            if part.num_rows:
                writer.commit(writer.stage(said(part)))
    agrees(place, key, found)


_keys = itertools.count()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Return one place of each name for all examples: every example has a key of its own."""
    return cache(lambda name: SQL_PLACES[name](tmp_path_factory.mktemp("views")))


@settings(max_examples=60)
@given(found=changes())
@example(
    found=[
        ("create", {"picks": "a domain", "picksname": "One; Three"}, ["picks"]),
        ("update", {"picks": "2"}, ["picks"]),
    ]
)
def test_a_row_was_at_each_time_what_the_fold_says_of_the_events_until_then(
    places: Places, found: list[Change]
) -> None:
    check(places("sqlite"), found)


@pytest.mark.parametrize("name", ["postgresql", "mariadb", "duckdb"])
@settings(max_examples=12)
@given(found=changes())
def test_every_database_shows_the_same(places: Places, name: str, found: list[Change]) -> None:
    check(places(name), found)


@pytest.mark.parametrize("name", ["sqlite", "postgresql", "mariadb", "duckdb"])
def test_views_grow_with_their_tables_and_are_made_once(name: str, tmp_path: Path) -> None:
    place = SQL_PLACES[name](tmp_path)
    narrow = TableSchema(TABLE, {**SYSTEM, "name": pa.string()})
    wide = TableSchema(TABLE, {**narrow.columns, "a" * 100 + "x": pa.string(), "a" * 100 + "y": pa.int64()})
    for schema in (narrow, narrow, wide, wide):
        with opened(place) as writer:
            writer.prepare(schema)
            rows = rows_for(
                schema, ["a-0"], {"Id": ["k"], "_op": ["create"], "_changed": ["[]"], "name": ["A"]}
            )
            writer.commit(writer.stage(Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS)))
    (row,) = place.rows("account_scd2")
    assert len(row) == 3 + 3 + 2 + 3
    assert row["name"] == "A"


def test_a_view_that_cannot_be_made_is_told_and_the_table_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = SqlitePlace(tmp_path)
    with opened(place) as writer, closing(sqlite3.connect(place.path)) as other:
        other.execute("CREATE TABLE account_scd2 (theirs text)")
        writer.prepare(SCHEMA)
        assert writer.describe(TABLE) == SCHEMA
    assert "The view account_scd2 was not made" in caplog.text


def test_views_can_be_left_out(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    place.sink = place.sink.model_copy(update={"views": False})
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        writer.prepare(state_schema("account", DATA))
    with closing(sqlite3.connect(place.path)) as other:
        assert other.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall() == []
