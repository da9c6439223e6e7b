"""From flattened micro-batches to one flush: a pure function of both and the tables' columns.

Here it is decided which columns tables get, which messages cannot be held,
and which of several posts of one event is kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ..model.batch import FlattenedBatch
from ..model.envelope import Envelope
from ..model.verdict import Outcome, Reason, Verdict
from ..tables.columns import SYSTEM, TIMESTAMP, history_name
from ..tables.schema import TableSchema, evolve
from .arrow_types import type_name
from .base import Flush
from .fitting import fitted
from .records import ledger_rows, quarantine_rows

MAX_COLUMNS: Final = 1_500
"""Columns a table may grow to.  SQLite ends at 2,000 (https://www.sqlite.org/limits.html),
PostgreSQL at 1,600 (https://www.postgresql.org/docs/current/limits.html)."""

MAX_NAME: Final = 128
"""Bytes a table or column name may have; Dataverse's own stay below it."""

_SYSTEM_FIELDS: Final = [pa.field(name, arrow_type) for name, arrow_type in SYSTEM.items()]
_SYSTEM_FOLDED: Final = {name.lower() for name in SYSTEM}


@dataclass(frozen=True, slots=True)
class Plan:
    """What one flush is to do.

    Attributes:
        schemas: The columns every table of the flush must have beforehand.
        flush: The rows, fit for those columns.
        verdicts: For each pending batch, one final verdict an envelope.
    """

    schemas: tuple[TableSchema, ...]
    flush: Flush
    verdicts: tuple[tuple[Verdict, ...], ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    table: str
    records: pa.RecordBatch
    messages: pa.Int32Array

    def filled(self) -> Iterator[int]:
        """Indexes of the columns that hold at least one value."""
        rows = self.records.num_rows
        return (i for i, column in enumerate(self.records.columns) if column.null_count < rows)


@dataclass(frozen=True, slots=True)
class _Fault:
    piece: _Piece
    column: int
    verdict: Verdict
    failed: pa.BooleanArray | None = None

    def messages(self) -> Iterable[int]:
        """Numbers of the messages that hold a value in the column, or one that failed."""
        present = self.piece.records.column(self.column).is_valid() if self.failed is None else self.failed
        return pc.unique(self.piece.messages.filter(present)).to_pylist()


def touched(pending: Iterable[FlattenedBatch]) -> set[str]:
    """Return the names in the sink of all tables the batches write to."""
    return {history_name(table.table) for flat in pending for table in flat.tables}


def make_plan(
    pending: Sequence[FlattenedBatch], known: Mapping[str, TableSchema], now: int, *, accounted: bool = True
) -> Plan:
    """Return the flush that makes the batches durable.

    A column in conflict rejects every message with a value in it, with all
    its rows in all tables.  A column of nothing but nulls is not created.  Of
    several posts of one event the one with the lowest ``_order``, then the
    lowest ``_received_at``, is kept.

    Args:
        pending: At least one batch.
        known: Columns the sinks' tables have now; a table they lack is absent.
        now: The instant of the commit, microseconds since 1970 UTC.
        accounted: Whether ledger and quarantine tell how the envelopes ended.
    """
    schemas, pieces, refused = _settle_types(_pieces(pending), known)
    rows = {name: _rows(group, schemas[name], now) for name, group in _by_table(pieces).items()}
    verdicts = _final_verdicts(pending, refused)
    ended = _ended(pending, verdicts) if accounted else []
    flush = Flush(rows, quarantine_rows(ended, now), ledger_rows(ended, now))
    return Plan(tuple(schemas[name] for name in rows), flush, verdicts)


def _pieces(pending: Sequence[FlattenedBatch]) -> list[_Piece]:
    pieces: list[_Piece] = []
    before = 0
    for flat in pending:
        for table in flat.tables:
            if table.records.num_rows:
                numbers = pc.add(table.positions, pa.scalar(before, pa.int32()))
                pieces.append(_Piece(history_name(table.table), table.records, numbers))
        before += len(flat.batch.envelopes)
    return pieces


def _by_table(pieces: Iterable[_Piece]) -> dict[str, list[_Piece]]:
    groups: dict[str, list[_Piece]] = defaultdict(list)
    for piece in pieces:
        groups[piece.table].append(piece)
    return groups


def _settle_types(
    pieces: list[_Piece], known: Mapping[str, TableSchema]
) -> tuple[dict[str, TableSchema], list[_Piece], dict[int, Verdict]]:
    """Reject messages until the rest agrees; what a rejected message brought decides no type."""
    refused: dict[int, Verdict] = {}
    while True:
        schemas: dict[str, TableSchema] = {}
        faults: list[_Fault] = []
        fit: list[_Piece] = []
        for name, group in _by_table(pieces).items():
            current = known.get(name, TableSchema(name))
            held, unfit = _fitted(current, group)
            schemas[name], found = _evolved(current, held)
            faults += unfit + found
            fit += held
        if not faults:
            return schemas, fit, refused
        for fault in faults:
            for message in fault.messages():
                refused.setdefault(message, fault.verdict)
        pieces = list(_without(pieces, refused))


def _fitted(current: TableSchema, group: Sequence[_Piece]) -> tuple[list[_Piece], list[_Fault]]:
    """Give columns the type their table has, or the first piece gives it, where that is exact."""
    held = dict(current.columns)
    pieces: list[_Piece] = []
    faults: list[_Fault] = []
    for piece in group:
        records = piece.records
        for index in piece.filled():
            field = records.schema.field(index)
            type_held = held.setdefault(field.name, field.type)
            found = fitted(records.column(index), type_held) if type_held != field.type else None
            if found is None:
                continue
            if pc.any(found[1]).as_py():
                faults.append(_Fault(piece, index, _conflict(current.table, field, type_held), found[1]))
            records = records.set_column(index, pa.field(field.name, type_held), found[0])
        pieces.append(_Piece(piece.table, records, piece.messages))
    return pieces, faults


def _evolved(current: TableSchema, group: Sequence[_Piece]) -> tuple[TableSchema, list[_Fault]]:
    base = evolve(current, _SYSTEM_FIELDS).schema
    if not _fit(current.table):
        return base, [_Fault(piece, _event_column(piece), _bad_table(current.table)) for piece in group]
    seen = [(piece, column) for piece in group for column in piece.filled()]
    fields = [piece.records.schema.field(column) for piece, column in seen]
    step = evolve(base, fields)
    faults = [
        _Fault(*seen[i], _conflict(base.table, fields[i], step.schema.columns[fields[i].name]))
        for i in step.conflicts
    ]
    unfit = {name for name in step.added if not _fit(name) or name.lower() in _SYSTEM_FOLDED}
    unfit.update(list(step.schema.columns)[MAX_COLUMNS:])
    faults += [
        _Fault(*at, _bad_column(base.table, field.name))
        for at, field in zip(seen, fields, strict=True)
        if field.name in unfit
    ]
    return step.schema, faults


def _fit(name: str) -> bool:
    return name == name.lower() and name.isprintable() and 0 < len(name.encode()) <= MAX_NAME


def _event_column(piece: _Piece) -> int:
    return piece.records.schema.get_field_index("_event_id")


def _conflict(table: str, field: pa.Field, held: pa.DataType) -> Verdict:
    return Verdict.rejected(
        Reason.TYPE_CONFLICT,
        f"Table {table} holds column {field.name} as {type_name(held)}, this message carries it as "
        f"{type_name(field.type)}: correct the sender, or give the column its new type in an empty "
        "table, and replay",
        field.name,
    )


def _bad_column(table: str, name: str) -> Verdict:
    return Verdict.rejected(
        Reason.BAD_VALUE,
        f"Table {table} cannot have a column {name[:MAX_NAME]!r}: a name is lower case, printable, at most "
        f"{MAX_NAME} bytes, no system column in other case, and a table has at most {MAX_COLUMNS} columns",
        name[:MAX_NAME],
    )


def _bad_table(name: str) -> Verdict:
    return Verdict.rejected(
        Reason.NO_TABLE,
        f"No table can be called {name[:MAX_NAME]!r}: a name is lower case, printable and at most "
        f"{MAX_NAME} bytes",
        name[:MAX_NAME],
    )


def _without(pieces: Iterable[_Piece], refused: Mapping[int, Verdict]) -> Iterator[_Piece]:
    numbers = pa.array(refused.keys(), pa.int32())
    for piece in pieces:
        kept = pc.invert(pc.is_in(piece.messages, numbers))
        records = piece.records.filter(kept)
        if records.num_rows:
            yield _Piece(piece.table, records, piece.messages.filter(kept))


def _rows(group: Sequence[_Piece], schema: TableSchema, now: int) -> pa.Table:
    parts = [pa.Table.from_batches([piece.records.select(list(piece.filled()))]) for piece in group]
    table = _one_row_an_event(pa.concat_tables(parts, promote_options="default"))
    stamp = pa.repeat(pa.scalar(now, TIMESTAMP), table.num_rows)
    found = {name: table.column(name) for name in table.column_names}
    found |= {"SinkCreatedOn": stamp, "SinkModifiedOn": stamp}
    columns = [
        found[name] if name in found else pa.nulls(table.num_rows, arrow_type)
        for name, arrow_type in schema.columns.items()
    ]
    return pa.Table.from_arrays(columns, schema=schema.arrow())


def _one_row_an_event(table: pa.Table) -> pa.Table:
    if pc.count_distinct(table.column("_event_id")).as_py() == table.num_rows:
        return table
    by = [(name, "ascending") for name in ("_event_id", "_order", "_received_at")]
    ranked = table.take(pc.sort_indices(table.select([name for name, _ in by]), by))
    ids = ranked.column("_event_id").combine_chunks()
    later = pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1))
    return ranked.filter(pc.invert(pa.concat_arrays([pa.array([False]), later])))


def _final_verdicts(
    pending: Sequence[FlattenedBatch], refused: Mapping[int, Verdict]
) -> tuple[tuple[Verdict, ...], ...]:
    final: list[tuple[Verdict, ...]] = []
    before = 0
    for flat in pending:
        verdicts = flat.verdicts
        if refused:
            verdicts = tuple(refused.get(before + i, verdict) for i, verdict in enumerate(verdicts))
        final.append(verdicts)
        before += len(verdicts)
    return tuple(final)


def _ended(
    pending: Sequence[FlattenedBatch], verdicts: Sequence[Sequence[Verdict]]
) -> list[tuple[Envelope, Verdict]]:
    """Every message once, whatever the number of its deliveries."""
    ends = [
        end
        for flat, final in zip(pending, verdicts, strict=True)
        for end in zip(flat.batch.envelopes, final, strict=True)
    ]
    keys = [(envelope.entity, envelope.sequence_number, envelope.enqueued_at) for envelope, _ in ends]
    if len(set(keys)) == len(keys):
        return ends
    first: dict[tuple[str, int, int], tuple[Envelope, Verdict]] = {}
    for key, end in zip(keys, ends, strict=True):
        first.setdefault(key, end)
    return list(first.values())


def committed_rows(plan: Plan) -> int:
    """Return the number of history rows in a plan."""
    return sum(table.num_rows for table in plan.flush.tables.values())


def outcomes(plan: Plan) -> Mapping[Outcome, int]:
    """Return how many deliveries ended in each way."""
    counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
    for final in plan.verdicts:
        for verdict in final:
            counts[verdict.outcome] += 1
    return counts
