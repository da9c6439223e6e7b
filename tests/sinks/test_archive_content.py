"""One number for what a table says."""

import random
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.sinks.content import UNEQUAL, content
from cdsbridge.sinks.testing.history import NOW, rows_for, schema_with
from cdsbridge.tables.columns import TIMESTAMP

COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "flag": (pa.bool_(), st.booleans()),
    "count": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "ratio": (pa.float64(), st.floats(allow_nan=False)),
    "price": (pa.decimal128(38, 4), st.decimals(-(10**30), 10**30, places=4)),
    "day": (pa.date32(), st.dates()),
    "at": (TIMESTAMP, st.integers(-(10**15), 10**15)),
    "name": (pa.string(), st.text(st.characters(codec="utf-8"))),
    "blob": (pa.binary(), st.binary()),
}
SCHEMA = schema_with(**{name: kind for name, (kind, _) in COLUMNS.items()})
ROW = st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()})


def table(rows: list[dict[str, Any]], **more: list[Any]) -> pa.Table:
    data = {name: [row[name] for row in rows] for name in COLUMNS}
    return rows_for(SCHEMA, [f"{at}-0" for at in range(len(rows))], {**data, **more})


@given(st.lists(ROW, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_cuts_and_repeats_do_not_count(rows: list[dict[str, Any]], source: random.Random) -> None:
    whole = table(rows)
    places = [source.randrange(len(rows)) for _ in range(5)] + list(range(len(rows)))
    source.shuffle(places)
    columns = list(whole.column_names)
    source.shuffle(columns)
    pieces = [whole.take([at]).select(columns) for at in places]
    assert content(pieces) == content([whole])
    assert content([whole]).rows == len(rows)


@given(st.lists(ROW, min_size=1, max_size=4), st.data())
def test_every_cell_counts(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(list(COLUMNS)))
    other = [dict(row) for row in rows]
    other[at][name] = data.draw(ROW)[name]
    before, after = table(rows), table(other)
    cells = [repr(each.column(name)[at].as_py()) for each in (before, after)]
    assert (content([before]) == content([after])) is (cells[0] == cells[1])


def test_what_stands_next_to_each_other_is_told_apart() -> None:
    schema = schema_with(a=pa.string(), b=pa.string())
    cells = [("xy", ""), ("x", "y"), ("", "xy"), (None, "xy"), ("xy", None), (None, None)]
    found = {content([rows_for(schema, ["e-0"], {"a": [a], "b": [b]})]) for a, b in cells}
    assert len(found) == len(cells)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.string(), "1"),
        (pa.int64(), 1),
        (pa.float64(), 1.0),
        (pa.decimal128(38, 0), Decimal(1)),
        (pa.binary(), b"1"),
    ],
)
def test_types_are_told_apart(kind: pa.DataType, value: Any) -> None:
    found = content([rows_for(schema_with(a=kind), ["e-0"], {"a": [value]})])
    others = {pa.string(): "1", pa.date32(): date(1970, 1, 2), pa.decimal128(38, 4): Decimal(1)}
    others.pop(kind, None)
    assert all(
        found != content([rows_for(schema_with(a=other), ["e-0"], {"a": [cell]})])
        for other, cell in others.items()
    )


def test_a_column_without_values_and_our_own_times_do_not_count() -> None:
    narrow, wide = schema_with(name=pa.string()), schema_with(name=pa.string(), empty=pa.int64())
    before = rows_for(narrow, ["e-0"], {"name": ["A"]})
    after = rows_for(wide, ["e-0"], {"name": ["A"], **{column: [NOW + 7] for column in UNEQUAL}})
    assert content([before]) == content([after])


def test_of_two_posts_of_one_event_that_of_the_lowest_order_counts() -> None:
    early, late = (rows_for(SCHEMA, ["e-0"], {"name": [f"{sent}"]}, sent) for sent in (3, 8))
    assert content([late, early]) == content([early]) != content([late])


def test_a_table_without_rows_says_nothing() -> None:
    assert content([]) == content([SCHEMA.arrow().empty_table()])
    assert content([]).rows == 0
