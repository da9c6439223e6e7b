"""Which columns tables get, and what becomes of what fits none: by the contract of each table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ..model.verdict import Reason, Verdict
from ..tables.columns import SYSTEM, history_name
from ..tables.contract import Contracts, News, TableContract
from ..tables.names import VARIANT
from ..tables.schema import TableSchema, evolve
from .arrow_types import type_name
from .fitting import fitted
from .keeping import as_texts, merged, split, with_extra
from .pieces import Piece, by_table, without

MAX_NAME: Final = 128
"""Bytes a table or column name may have; Dataverse's own stay below it."""

_SYSTEM_FIELDS: Final = [pa.field(name, arrow_type) for name, arrow_type in SYSTEM.items()]
_SYSTEM_FOLDED: Final = {name.lower() for name in SYSTEM}
_GROWTH: Final = "; or let the table's contract say evolve, and replay"


@dataclass(frozen=True, slots=True)
class Agreement:
    """Tables and rows that fit one another.

    Attributes:
        schemas: Columns of each history, by the logical name of its table.
        pieces: Rows with those columns.
        refused: Number of a message to why it is rejected.
    """

    schemas: Mapping[str, TableSchema]
    pieces: Sequence[Piece]
    refused: Mapping[int, Verdict]


@dataclass(slots=True)
class _Table:
    """One table while its rows are fitted to its columns."""

    schema: TableSchema
    contract: TableContract
    room: int
    known: frozenset[str] = field(init=False)
    faults: list[tuple[list[int], Verdict]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.known = frozenset(self.schema.columns)
        self.schema = evolve(self.schema, _SYSTEM_FIELDS).schema


def agree(
    pieces: Sequence[Piece],
    known: Mapping[str, TableSchema],
    contracts: Contracts,
    max_columns: int,
    refused: Mapping[int, Verdict],
) -> Agreement:
    """Fit rows to tables and tables to rows, until the rest agrees.

    What a rejected message brought decides no type and adds no column.

    Args:
        pieces: The rows.
        known: Columns the histories have now, by their name in the sink.
        contracts: What may become of them.
        max_columns: Columns a table may grow to.
        refused: Messages that are out already.
    """
    refused = dict(refused)
    while True:
        tables: dict[str, _Table] = {}
        fit: list[Piece] = []
        left = list(without(pieces, refused))
        for name, group in by_table(left).items():
            history = history_name(name)
            current = known.get(history, TableSchema(history))
            tables[name] = _Table(current, contracts.of(name), max_columns)
            fit += [_fit_piece(tables[name], piece) for piece in _admitted(tables[name], group)]
        faults = [fault for table in tables.values() for fault in table.faults]
        if not faults:
            return Agreement({name: table.schema for name, table in tables.items()}, fit, refused)
        for messages, verdict in faults:
            for message in messages:
                refused.setdefault(message, verdict)


def _admitted(table: _Table, group: Sequence[Piece]) -> Sequence[Piece]:
    """Return the pieces, or none where there can be no such table."""
    name = table.schema.table
    verdict = None
    if not _is_name(name):
        verdict = _bad_table(name)
    elif not table.known and table.contract.new_table == "quarantine":
        verdict = Verdict.rejected(
            Reason.CONTRACT, f"The contract takes no new table, and {name} is not there: create it{_GROWTH}"
        )
    if verdict is not None:
        table.faults += [(pc.unique(piece.messages).to_pylist(), verdict) for piece in group]
        return ()
    return group


def _fit_piece(table: _Table, piece: Piece) -> Piece:
    columns: dict[str, list[pa.Array]] = {}
    moved: list[tuple[str, pa.Array]] = []
    for index in piece.filled():
        column = piece.records.schema.field(index)
        values = piece.records.column(index)
        news = _place(table, column)
        if news == "evolve":
            values, values_left = _converted(values, table.schema.columns[column.name])
            if values_left is not None:
                _keep_misfit(table, piece, column, values_left, columns, moved)
            columns.setdefault(column.name, []).append(values)
        elif news == "freeze":
            moved.append((column.name, values))
        else:
            table.faults.append((piece.of(values.is_valid()), _new_column(table.schema.table, column.name)))
    for name in SYSTEM:
        at = piece.records.schema.get_field_index(name)
        if at >= 0:
            columns.setdefault(name, [piece.records.column(at)])
    arrays = {name: merged(parts) for name, parts in columns.items()}
    records = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
    return Piece(piece.table, with_extra(records, moved) if moved else records, piece.messages)


def _place(table: _Table, column: pa.Field) -> News:
    """Return whether a column is there or may be added now; else what becomes of its values."""
    name = column.name
    if name in table.schema.columns:
        return "evolve"
    if not _is_name(name) or name.lower() in _SYSTEM_FOLDED:
        return "quarantine"
    news = table.contract.of_new_column(name)
    if news == "evolve" and len(table.schema.columns) >= table.room:
        news = "freeze"
    if news == "evolve":
        table.schema = evolve(table.schema, [column]).schema
    return news


def _converted(values: pa.Array, held: pa.DataType) -> tuple[pa.Array, pa.Array | None]:
    """Return values as the column holds them, and those it cannot hold."""
    if values.type == held:
        return values, None
    found = fitted(values, held)
    if found is None:
        return pa.nulls(len(values), held), values
    if not pc.any(found[1]).as_py():
        return found[0], None
    return found[0], split(values, found[1])[1]


def _keep_misfit(
    table: _Table,
    piece: Piece,
    column: pa.Field,
    values: pa.Array,
    columns: dict[str, list[pa.Array]],
    moved: list[tuple[str, pa.Array]],
) -> None:
    news = table.contract.of_other_type(column.name)
    variant = pa.field(f"{column.name}{VARIANT}", pa.string())
    if news == "evolve":
        news = _place(table, variant) if _is_name(variant.name) else "freeze"
        if news == "evolve" and table.schema.columns[variant.name] == variant.type:
            columns.setdefault(variant.name, []).append(as_texts(values))
            return
        news = "freeze"
    if news == "freeze":
        moved.append((column.name, values))
    else:
        held = table.schema.columns[column.name]
        table.faults.append((piece.of(values.is_valid()), _conflict(table.schema.table, column, held)))


def _is_name(name: str) -> bool:
    return name == name.lower() and name.isprintable() and 0 < len(name.encode()) <= MAX_NAME


def _conflict(table: str, column: pa.Field, held: pa.DataType) -> Verdict:
    return Verdict.rejected(
        Reason.TYPE_CONFLICT,
        f"Table {table} holds column {column.name} as {type_name(held)}, this message carries it as "
        f"{type_name(column.type)}: correct the sender, or give the column its new type in an empty "
        f"table, and replay{_GROWTH}",
        column.name,
    )


def _new_column(table: str, name: str) -> Verdict:
    if _is_name(name) and name.lower() not in _SYSTEM_FOLDED:
        return Verdict.rejected(
            Reason.CONTRACT,
            f"The contract of table {table} takes no new column, and {name} is not there: add it{_GROWTH}",
            name,
        )
    return Verdict.rejected(
        Reason.BAD_VALUE,
        f"Table {table} cannot have a column {name[:MAX_NAME]!r}: a name is lower case, printable, at most "
        f"{MAX_NAME} bytes, and no system column in other case",
        name[:MAX_NAME],
    )


def _bad_table(name: str) -> Verdict:
    return Verdict.rejected(
        Reason.NO_TABLE,
        f"No table can be called {name[:MAX_NAME]!r}: a name is lower case, printable and at most "
        f"{MAX_NAME} bytes",
        name[:MAX_NAME],
    )
