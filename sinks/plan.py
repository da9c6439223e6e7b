"""From flattened micro-batches to one flush: a pure function of both and the tables' columns.

Here it is decided which messages cannot be held, which of several posts of one
event is kept, and what is said of the current state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ..model.batch import FlattenedBatch
from ..model.envelope import Envelope
from ..model.verdict import Outcome, Verdict
from ..tables.columns import TIMESTAMP, history_name
from ..tables.contract import Contracts
from ..tables.names import PARTY_TABLE
from ..tables.profile import Profile, shown, with_partitions
from ..tables.schema import TableSchema
from ..tables.state import state_changes
from .agreeing import agree
from .archive.schema import SCHEMA as MESSAGES
from .archive.schema import archive_rows
from .base import Flush, Sink
from .pieces import by_table, concatenated, pieces_of
from .records import ledger_rows, quarantine_rows

MAX_COLUMNS: Final = 1_500
"""Columns a table may grow to where the sinks say nothing.  SQLite ends at 2,000
(https://www.sqlite.org/limits.html), PostgreSQL at 1,600 (https://www.postgresql.org/docs/current/limits.html)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a plan is made by.

    Attributes:
        contracts: What becomes of news about tables.
        max_columns: Columns a table may grow to.
        accounted: Whether ledger and quarantine tell how the envelopes ended.
        states: Whether some sink keeps the current state.
        messages: Whether some sink takes the messages themselves.
        profile: Which columns tables show.
    """

    contracts: Contracts = field(default_factory=Contracts)
    max_columns: int = MAX_COLUMNS
    accounted: bool = True
    states: bool = False
    messages: bool = False
    profile: Profile = "native"


def rules_of(
    sinks: Sequence[Sink], contracts: Contracts, profile: Profile, *, accounted: bool = True
) -> Rules:
    """Return what plans for some sinks together are made by."""
    return Rules(
        contracts,
        min(MAX_COLUMNS, *(sink.max_columns for sink in sinks)),
        accounted,
        any(sink.state for sink in sinks),
        any(sink.wants_messages for sink in sinks),
        profile,
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What one flush is to do.

    Attributes:
        schemas: The columns every history of the flush must have beforehand.
        flush: The rows, fit for those columns.
        verdicts: For each pending batch, one final verdict an envelope.
    """

    schemas: tuple[TableSchema, ...]
    flush: Flush
    verdicts: tuple[tuple[Verdict, ...], ...]


def touched(pending: Sequence[FlattenedBatch]) -> set[str]:
    """Return the logical names of all tables the batches write to."""
    return {table.table for flat in pending for table in flat.tables}


def make_plan(
    pending: Sequence[FlattenedBatch],
    known: Mapping[str, TableSchema],
    now: int,
    rules: Rules | None = None,
    refused: Mapping[int, Verdict] | None = None,
) -> Plan:
    """Return the flush that makes the batches durable.

    A column of nothing but nulls is not created.  Of several posts of one event
    the history keeps the one with the lowest ``_order``, then the lowest
    ``_received_at``.

    Args:
        pending: At least one batch.
        known: Columns the sinks' histories have now; a table they lack is absent.
        now: The instant of the commit, microseconds since 1970 UTC.
        rules: What it is made by.
        refused: Messages some sink refused before, by their number in the flush.
    """
    rules = rules or Rules()
    agreed = agree(pieces_of(pending), known, rules.contracts, rules.max_columns, refused or {})
    rows = {table: concatenated(group) for table, group in by_table(agreed.pieces).items()}
    schemas = {table: agreed.schemas[table] for table in rows}
    kept = {
        table: TableSchema(each.table, shown(each.columns, rules.profile)) for table, each in schemas.items()
    }
    histories = {history_name(table): _history(some, kept[table], now) for table, some in rows.items()}
    verdicts = _final_verdicts(pending, agreed.refused)
    ended = _ended(pending, verdicts) if rules.accounted else []
    states = []
    if rules.states:
        data = {
            name: known[history].columns
            for name in (PARTY_TABLE,)
            if (history := history_name(name)) in known
        }
        data |= {table: schema.columns for table, schema in schemas.items()}
        states = list(state_changes(rows, data, rules.contracts, rules.profile))
    flush = Flush(
        histories,
        quarantine_rows(ended, now),
        ledger_rows(ended, now),
        {each.schema.table: each for each in states},
        archive_rows(ended, now, _batches(pending, ended)) if rules.messages else MESSAGES.empty_table(),
        now,
    )
    return Plan(tuple(kept.values()), flush, verdicts)


def _history(found: pa.Table, schema: TableSchema, now: int) -> pa.Table:
    table = _one_row_an_event(found)
    stamp = pa.repeat(pa.scalar(now, TIMESTAMP), table.num_rows)
    columns = {name: table.column(name) for name in table.column_names}
    columns |= {"SinkCreatedOn": stamp, "SinkModifiedOn": stamp}
    arrays = [
        columns[name] if name in columns else pa.nulls(table.num_rows, arrow_type)
        for name, arrow_type in schema.columns.items()
    ]
    return with_partitions(pa.Table.from_arrays(arrays, schema=schema.arrow()))


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
    keys = [_key(envelope) for envelope, _ in ends]
    if len(set(keys)) == len(keys):
        return ends
    first: dict[tuple[str, int, int], tuple[Envelope, Verdict]] = {}
    for key, end in zip(keys, ends, strict=True):
        first.setdefault(key, end)
    return list(first.values())


def _batches(pending: Sequence[FlattenedBatch], ended: Sequence[tuple[Envelope, Verdict]]) -> list[int]:
    """Which of the batches each message came in first."""
    first: dict[tuple[str, int, int], int] = {}
    for number, flat in enumerate(pending):
        for envelope in flat.batch.envelopes:
            first.setdefault(_key(envelope), number)
    return [first[_key(envelope)] for envelope, _ in ended]


def _key(envelope: Envelope) -> tuple[str, int, int]:
    return envelope.entity, envelope.sequence_number, envelope.enqueued_at


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
