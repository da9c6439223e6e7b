"""Flattens what was peeked at and plans its commit, as the bridge would; nothing is written."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import pyarrow as pa

from ...model.batch import FlattenedBatch
from ...model.envelope import Envelope, MicroBatch
from ...model.errors import NotPermitted, SinkUnavailable
from ...model.verdict import Outcome
from ...sinks.base import SinkReader
from ...sinks.commit import utc_now
from ...sinks.plan import Plan, Rules, make_plan, touched
from ...sinks.rehearsal import Rehearsal
from ...tables.columns import SYSTEM, history_name
from ...tables.metadata import Metadata, load_metadata
from ...tables.state import state_name
from ...transforms.flattener import Flattener
from ..config import BridgeConfig
from .standing import Standing, StateChange

_AT_ONCE: Final = 500
_PLANNED: Final = 5_000
"""Messages in one plan; the rows of so many are held."""


@dataclass(slots=True)
class TableChange:
    """What a replay would bring to one table.

    Attributes:
        operations: create, update, delete or event, and how many rows.
        keys: Distinct rows of the table they are about.
        columns: Columns the table would have.
        events: Their event ids.
        new_columns: Name of a sink to the columns it lacks; all of them where it has no such table.
        there: Name of a sink to how many of the events it holds already.
    """

    operations: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    new_columns: dict[str, list[str]] = field(default_factory=dict)
    there: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Preview:
    """What a replay would bring.

    Attributes:
        messages: Looked at.
        more: Whether there are others, not looked at.
        away: Why the sinks were not asked, or the empty string.
        outcomes: committed, skipped and rejected, and how many.
        reasons: Why they would be rejected, and how many; with the first one's sentence.
        tables: Logical name to what its history gets.
        states: Name of a sink that keeps states to what becomes of them, by logical name of the table.
    """

    messages: int = 0
    more: bool = False
    away: str = ""
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)
    tables: dict[str, TableChange] = field(default_factory=dict)
    states: dict[str, dict[str, StateChange]] = field(default_factory=dict)


def preview(config: BridgeConfig, found: Iterable[Envelope], at_most: int) -> Preview:
    """Plan the commit of messages against what the sinks hold.

    Args:
        config: Of the bridge.
        found: The messages.
        at_most: How many to look at.

    Raises:
        BridgeError: The messages, the metadata or a sink cannot be read.
    """
    result = Preview()
    rest = iter(found)
    with ExitStack() as opened:
        readers = [(sink, opened.enter_context(closing(sink.read()))) for sink in config.sinks]
        standings = {sink.name: Standing(reader) for sink, reader in readers if sink.state}
        rehearsal = Rehearsal(readers, config.contracts, config.profile)
        for flats in _flattened(config, islice(rest, at_most)):
            _add(result, flats, rehearsal.plan(flats, utc_now()), standings)
        result.more = next(rest, None) is not None
        result.states = {name: standing.told() for name, standing in standings.items()}
        for sink, reader in readers:
            if sink.history:
                _compare(result.tables, sink.name, reader)
    return result


def outlook(config: BridgeConfig, some: Sequence[Envelope]) -> Preview:
    """Plan the commit of some messages; where a sink is away, as if there were no tables yet.

    Raises:
        BridgeError: The metadata cannot be read, or a sink is configured wrongly.
    """
    try:
        return preview(config, some, len(some))
    except (SinkUnavailable, NotPermitted) as error:
        result = Preview(away=str(error))
    for flats in _flattened(config, some):
        _add(result, flats, make_plan(flats, {}, utc_now(), Rules()), {})
    return result


def _flattened(config: BridgeConfig, found: Iterable[Envelope]) -> Iterator[list[FlattenedBatch]]:
    metadata = Metadata() if config.metadata is None else load_metadata(config.metadata)
    flattener = Flattener(metadata.types, config.flatten)
    rest = iter(found)
    while some := list(islice(rest, _PLANNED)):
        pieces = [some[at : at + _AT_ONCE] for at in range(0, len(some), _AT_ONCE)]
        yield [flattener.flatten(MicroBatch(piece[0].entity, tuple(piece))) for piece in pieces]


def _add(
    result: Preview,
    flats: Sequence[FlattenedBatch],
    plan: Plan,
    standings: Mapping[str, Standing],
) -> None:
    for verdicts in plan.verdicts:
        result.messages += len(verdicts)
        for verdict in verdicts:
            result.outcomes[str(verdict.outcome)] += 1
            if verdict.outcome is Outcome.REJECTED:
                count, sentence = result.reasons.get(verdict.reason, (0, verdict.sentence))
                result.reasons[verdict.reason] = (count + 1, sentence)
    columns = {schema.table: schema.columns for schema in plan.schemas}
    for table in sorted(touched(flats)):
        rows = plan.flush.tables.get(history_name(table))
        if rows is None:
            continue
        _count(result.tables.setdefault(table, TableChange()), rows)
        result.tables[table].columns.update(columns[history_name(table)].keys() - SYSTEM.keys())
        changes = plan.flush.states.get(state_name(table))
        if changes is not None and changes.group == "Id":
            for standing in standings.values():
                standing.add(table, changes, plan.flush.now)


def _count(change: TableChange, rows: pa.Table) -> None:
    change.operations.update(rows.column("_op").to_pylist())
    change.keys.update(filter(None, rows.column("Id").to_pylist()))
    change.events.update(rows.column("_event_id").to_pylist())


def _compare(tables: Mapping[str, TableChange], sink: str, reader: SinkReader) -> None:
    for table, change in tables.items():
        there = reader.describe(history_name(table))
        known = there.columns if there else {}
        change.new_columns[sink] = sorted(change.columns - set(known))
        ids = pa.array(sorted(change.events), pa.string())
        change.there[sink] = len(reader.held(history_name(table), ids)) if there else 0
