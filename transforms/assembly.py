"""Rows to table batches: cells side by side, to columns."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from ..model.batch import TableBatch
from ..tables.columns import FLATTENED
from ..tables.types import ARROW, Kind
from .rows import Row


class TableBuilder:
    """Collects the rows of one table."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._positions: list[int] = []
        self._system: list[tuple[Any, ...]] = []
        self._columns: dict[tuple[str, Kind], tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))

    def add(self, position: int, row: Row) -> None:
        """Add a row of the message at that position."""
        at = len(self._positions)
        self._positions.append(position)
        self._system.append(row.system)
        for name, kind, value in row.cells:
            ats, values = self._columns[name, kind]
            ats.append(at)
            values.append(value)

    def build(self) -> TableBatch:
        """Return the rows as columns, system columns first, then data by name."""
        arrays = [
            pa.array(values, kind)
            for values, kind in zip(zip(*self._system, strict=True), FLATTENED.values(), strict=True)
        ]
        names = list(FLATTENED)
        for (name, kind), (ats, values) in sorted(self._columns.items()):
            names.append(name)
            arrays.append(_spread(len(self._positions), ats, values, ARROW[kind]))
        records = pa.RecordBatch.from_arrays(arrays, names=names)
        return TableBatch(self._table, records, pa.array(self._positions, pa.int32()))


def _spread(count: int, ats: list[int], values: list[Any], kind: pa.DataType) -> pa.Array:
    column: list[Any] = [None] * count
    for at, value in zip(ats, values, strict=True):
        column[at] = value
    return pa.array(column, kind)


def assemble(rows: Iterable[tuple[int, Row]]) -> tuple[TableBatch, ...]:
    """Return the table batches of rows, each with the position of its message."""
    builders: dict[str, TableBuilder] = {}
    for position, row in rows:
        if row.table not in builders:
            builders[row.table] = TableBuilder(row.table)
        builders[row.table].add(position, row)
    return tuple(builder.build() for builder in builders.values())


def joined(some: Iterable[TableBatch], others: Iterable[TableBatch]) -> list[TableBatch]:
    """Return table batches in which no table stands twice."""
    found = {each.table: each for each in some}
    for other in others:
        one = found.get(other.table)
        found[other.table] = other if one is None else _joined(one, other)
    return list(found.values())


def _joined(one: TableBatch, other: TableBatch) -> TableBatch:
    parts = [{(field.name, field.type): column for field, column in _columns(each)} for each in (one, other)]
    system = list(FLATTENED.items())
    data = sorted({key for part in parts for key in part} - set(system), key=_by_name)
    arrays = [
        pa.concat_arrays(
            [
                part.get(key) if key in part else pa.nulls(each.records.num_rows, key[1])
                for part, each in zip(parts, (one, other), strict=True)
            ]
        )
        for key in (*system, *data)
    ]
    records = pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in (*system, *data)])
    return TableBatch(one.table, records, pa.concat_arrays([one.positions, other.positions]))


def _columns(batch: TableBatch) -> Iterable[tuple[pa.Field, pa.Array]]:
    return zip(batch.records.schema, batch.records.columns, strict=True)


def _by_name(key: tuple[str, pa.DataType]) -> tuple[str, str]:
    return key[0], str(key[1])
