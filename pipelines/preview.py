"""What a replay would bring, found out by flattening what was peeked at; nothing is written."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import pyarrow as pa
import typer

from ..model.envelope import Envelope, MicroBatch
from ..model.verdict import Outcome
from ..sinks.base import Sink
from ..tables.columns import SYSTEM, history_name
from ..tables.metadata import Metadata, load_metadata
from ..transforms.flattener import Flattener
from .config import BridgeConfig
from .sheet import Cell, Sheet, shortened, show, show_json

_AT_ONCE: Final = 500


@dataclass(slots=True)
class TableChange:
    """What a replay would bring to one table.

    Attributes:
        operations: create, update, delete or event, and how many rows.
        keys: Distinct rows of the table they are about.
        columns: Columns that have values.
        events: Their event ids.
        new_columns: Name of a sink to the columns it lacks; all of them where it has no such table.
        there: Name of a sink to how many of the events it holds already.
    """

    operations: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    events: list[str] = field(default_factory=list)
    new_columns: dict[str, list[str]] = field(default_factory=dict)
    there: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Preview:
    """What a replay would bring.

    Attributes:
        messages: Looked at.
        more: Whether there are others, not looked at.
        outcomes: committed, skipped and rejected, and how many.
        reasons: Why they would be rejected, and how many; with the first one's sentence.
        tables: Logical name to what it gets.
    """

    messages: int = 0
    more: bool = False
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)
    tables: dict[str, TableChange] = field(default_factory=dict)


def preview(config: BridgeConfig, found: Iterable[Envelope], at_most: int, *, sinks: bool = True) -> Preview:
    """Flatten messages as the bridge would, and compare with what its sinks hold.

    Contracts are not asked: a message they would keep out counts as committed here.

    Args:
        config: Of the bridge.
        found: The messages.
        at_most: How many to look at.
        sinks: Whether to ask the sinks.

    Raises:
        BridgeError: The messages, the metadata or a sink cannot be read.
    """
    metadata = Metadata() if config.metadata is None else load_metadata(config.metadata)
    flattener = Flattener(metadata.types, config.flatten)
    result = Preview()
    rest = iter(found)
    for some in _pieces(islice(rest, at_most)):
        _add(result, flattener, some)
    result.more = next(rest, None) is not None
    for sink in config.sinks if sinks else ():
        if sink.history:
            _compare(result.tables, sink)
    return result


def _pieces(found: Iterator[Envelope]) -> Iterator[Sequence[Envelope]]:
    while piece := list(islice(found, _AT_ONCE)):
        yield piece


def _add(result: Preview, flattener: Flattener, some: Sequence[Envelope]) -> None:
    flat = flattener.flatten(MicroBatch(some[0].entity, tuple(some)))
    result.messages += len(some)
    for verdict in flat.verdicts:
        result.outcomes[str(verdict.outcome)] += 1
        if verdict.outcome is Outcome.REJECTED:
            count, sentence = result.reasons.get(verdict.reason, (0, verdict.sentence))
            result.reasons[verdict.reason] = (count + 1, sentence)
    for batch in flat.tables:
        change = result.tables.setdefault(batch.table, TableChange())
        change.operations.update(_values(batch.records, "_op"))
        change.keys.update(filter(None, _values(batch.records, "Id")))
        change.columns.update(name for name in batch.records.schema.names if name not in SYSTEM)
        change.events.extend(_values(batch.records, "_event_id"))


def _values(rows: pa.RecordBatch, name: str) -> list[str]:
    """Return a column; it is left out where it has nothing but nulls."""
    return rows.column(name).to_pylist() if name in rows.schema.names else []


def _compare(tables: Mapping[str, TableChange], sink: Sink) -> None:
    with closing(sink.open()) as writer, closing(sink.read()) as reader:
        for table, change in tables.items():
            there = writer.describe(history_name(table))
            known = there.columns if there else {}
            change.new_columns[sink.name] = sorted(change.columns - set(known))
            ids = pa.array(sorted(set(change.events)), pa.string())
            change.there[sink.name] = len(reader.held(history_name(table), ids)) if there else 0


def preview_sheets(found: Preview, what: str) -> Iterator[Sheet]:
    """Yield tables that tell a preview to people.

    Args:
        found: The preview.
        what: What the messages are called: ``dead letters``.
    """
    ended = (
        ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(found.outcomes.items())) or "nothing"
    )
    more = "; there are more, which were not looked at" if found.more else ""
    yield Sheet((), (), f"A replay of these {found.messages:,} {what} would make: {ended}{more}")
    if found.reasons:
        rows: list[list[Cell]] = [
            [count, reason, shortened(sentence, 100)]
            for reason, (count, sentence) in sorted(found.reasons.items(), key=lambda item: -item[1][0])
        ]
        yield Sheet(["rejected", "reason", "the first of them"], rows)
    changes: list[list[Cell]] = [
        [
            table,
            sum(change.operations.values()),
            ", ".join(f"{count:,} {op}" for op, count in sorted(change.operations.items())),
            len(change.keys),
            _told_columns(change),
            min(change.there.values(), default=0),
        ]
        for table, change in sorted(found.tables.items())
    ]
    if changes:
        yield Sheet(["table", "rows", "of them", "keys", "new columns", "there already"], changes)


def _told_columns(change: TableChange) -> str:
    """Return the columns some sink lacks; that it lacks all of them is the news that it lacks the table."""
    lacking = max(change.new_columns.values(), key=len, default=[])
    if lacking and set(lacking) == change.columns:
        return "the table is new"
    return shortened(", ".join(lacking), 80)


def shown(found: Preview, what: str, *, dry_run: bool, output: str) -> bool:
    """Show what a replay would bring, as a person or a script reads it; tell whether it is to be done.

    Args:
        found: What it would bring.
        what: What would be replayed, plural.
        dry_run: It is not to be done.
        output: ``text`` or ``json``.
    """
    if output == "json":
        if dry_run:
            show_json({"dry_run": True, **preview_tree(found)})
        return not dry_run
    for sheet in preview_sheets(found, what):
        show(sheet)
    if dry_run:
        typer.echo("Nothing was done")
    return not dry_run


def preview_tree(found: Preview) -> dict[str, object]:
    """Return a preview as values JSON has."""
    return {
        "messages": found.messages,
        "more": found.more,
        "outcomes": dict(found.outcomes),
        "reasons": {
            reason: {"messages": count, "first": first} for reason, (count, first) in found.reasons.items()
        },
        "tables": {
            table: {
                "rows": dict(change.operations),
                "keys": len(change.keys),
                "new_columns": change.new_columns,
                "there_already": change.there,
            }
            for table, change in found.tables.items()
        },
    }
