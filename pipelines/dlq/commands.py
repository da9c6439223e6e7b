"""The commands ``dlq list``, ``peek``, ``group``, ``explain`` and ``export``: they look, and take nothing."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import typer

from ...model.envelope import Envelope
from ...sources.plan import Selection, reason_of, table_of
from ..config import BridgeConfig
from ..exit import Exit
from ..load import load_config
from ..preview.outlook import Preview, outlook
from ..selecting import selection_of
from ..sheet import Cell, Sheet, instant_text, shortened, show, show_json
from .causes import advice, description_of, now_of
from .copies import Copy
from .looking import Count, Group, counted, dead_letter_queues, grouped, selected

_TABLES: Final = 8
"""Tables that are named."""
_NO_LETTERS: Final = "No dead letters there."


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person chose on the command line.

    Attributes:
        config: The bridge.
        entities: Paths of the dead-letter queues.
        selection: Which of their messages.
    """

    config: BridgeConfig
    entities: Sequence[str]
    selection: Selection

    def messages(self, *, deferred: bool | None = None) -> Generator[Envelope]:
        """Yield the messages, by peeking: all, only those that are set aside, or only those that are not."""
        return selected(self.config.source, self.entities, self.selection, deferred=deferred)


def choose(
    conf: Path,
    settings: Sequence[str] | None,
    entities: Sequence[str] | None = None,
    reasons: Sequence[str] | None = None,
    tables: Sequence[str] | None = None,
    message_ids: Sequence[str] | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Chosen:
    """Read the configuration and the filters; an option that was not given is ``None``.

    Raises:
        ConfigError: One of them is wrong.
    """
    config = load_config(conf, settings or ())
    selection = selection_of(reasons, tables, message_ids, since, until)
    return Chosen(config, dead_letter_queues(config.source, entities or ()), selection)


def list_command(chosen: Chosen, at_most: int, output: str) -> int:
    """Show each dead-letter queue with what it holds; return the exit code."""
    counts = [counted(chosen.config.source, entity, at_most) for entity in chosen.entities]
    if output == "json":
        show_json([_count_tree(count) for count in counts])
        return Exit.OK
    rows: list[list[Cell]] = [
        [count.entity, _number(count), count.size, instant_text(count.first), instant_text(count.last)]
        for count in counts
    ]
    more = any(count.more for count in counts)
    notes = [f"Counting ended at {at_most:,} messages; --at-most counts further."] if more else []
    show(
        Sheet(["dead-letter queue", "messages", "bytes", "first enqueued", "last enqueued"], rows, "", notes)
    )
    return Exit.OK


def peek_command(chosen: Chosen, count: int, output: str) -> int:
    """Show single dead letters; return the exit code."""
    with closing(chosen.messages()) as found:
        some = list(islice(found, count))
    if output == "json":
        show_json([_message_tree(each) for each in some])
        return Exit.OK
    rows: list[list[Cell]] = [
        [
            str(each.sequence_number),
            each.entity,
            instant_text(each.enqueued_at),
            table_of(each),
            reason_of(each),
            now_of(each),
            shortened(description_of(each)),
            each.message_id,
        ]
        for each in some
    ]
    columns = [
        "number",
        "dead-letter queue",
        "enqueued",
        "table",
        "reason",
        "again",
        "description",
        "message id",
    ]
    notes = ["Look into one: cdsbridge decode --peek CONF --entity QUEUE --sequence-number NUMBER"]
    show(Sheet(columns, rows, "" if rows else _NO_LETTERS, notes if rows else ()))
    return Exit.OK


def group_command(chosen: Chosen, at_most: int, output: str) -> int:
    """Show dead letters by cause; return the exit code."""
    groups = grouped(chosen.messages(), at_most)
    if output == "json":
        show_json([_group_tree(group) for group in groups])
        return Exit.OK
    rows: list[list[Cell]] = [
        [
            group.count.messages,
            group.count.entity,
            group.cause.reason or "(none)",
            group.cause.code,
            group.cause.table,
            instant_text(group.count.first),
            instant_text(group.count.last),
            _again(group),
        ]
        for group in groups
    ]
    columns = ["messages", "dead-letter queue", "reason", "code", "table", "first", "last", "failed again as"]
    notes = ["What to do about each: cdsbridge dlq explain CONF"]
    show(Sheet(columns, rows, "" if rows else _NO_LETTERS, notes if rows else ()))
    return Exit.OK


def explain_command(chosen: Chosen, at_most: int, output: str) -> int:
    """Say of each cause what it means, what a replay would do now, and what to do; return the exit code."""
    groups = grouped(chosen.messages(), at_most, by_table=False)
    told = [(group, outlook(chosen.config, group.samples)) for group in groups]
    if output == "json":
        show_json([{**_group_tree(group), **_outlook_tree(group, now)} for group, now in told])
        return Exit.OK
    if not told:
        typer.echo(_NO_LETTERS)
    for group, now in told:
        for line in _explained(group, now):
            typer.echo(line)
    return Exit.OK


def export_command(chosen: Chosen, file: Path, output: str) -> int:
    """Copy dead letters to a file of JSON lines, and leave them where they are; return the exit code."""
    with Copy(file) as copy:
        for envelope in chosen.messages():
            copy.write([envelope])
    if output == "json":
        show_json({"messages": copy.messages, "file": str(file)})
    else:
        typer.echo(f"{copy.messages:,} dead letters copied to {file}; they are still in their queues")
    return Exit.OK


def _explained(group: Group, now: Preview) -> Iterator[str]:
    cause, count = group.cause, group.count
    code = f", code {cause.code}" if cause.code else ""
    yield f"{count.messages:,} in {count.entity}: {cause.reason or '(no reason)'}{code}"
    yield f"  About {_told(group.tables) or 'no table'}."
    if sentence := description_of(group.samples[0]) if group.samples else "":
        yield f"  They say: {shortened(sentence, 300)}"
    if group.again:
        yield f"  Replayed before, and failed again as {_again(group)}."
    yield f"  {advice(cause.reason)}"
    ended = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(now.outcomes.items()))
    if ended:
        yield f"  Of {now.messages:,} looked into, a replay would make now: {ended}."
    if now.away:
        yield f"  The sinks were not asked, whose tables may refuse more: {now.away}"


def _again(group: Group) -> str:
    return ", ".join(f"{reason} ({count:,})" for reason, count in group.again.most_common(3))


def _told(tables: Counter[str]) -> str:
    named = [f"{table} ({count:,})" for table, count in tables.most_common(_TABLES) if table]
    return ", ".join([*named, "…"] if len(tables) > _TABLES else named)


def _number(count: Count) -> Cell:
    return f"{count.messages:,} or more" if count.more else count.messages


def _count_tree(count: Count) -> dict[str, object]:
    return {
        "entity": count.entity,
        "messages": count.messages,
        "more": count.more,
        "bytes": count.size,
        "first_enqueued": instant_text(count.first),
        "last_enqueued": instant_text(count.last),
    }


def _outlook_tree(group: Group, now: Preview) -> dict[str, object]:
    return {"advice": advice(group.cause.reason), "now": dict(now.outcomes), "sinks_away": now.away}


def _message_tree(envelope: Envelope) -> dict[str, object]:
    return {
        "entity": envelope.entity,
        "sequence_number": envelope.sequence_number,
        "enqueued_at": instant_text(envelope.enqueued_at),
        "message_id": envelope.message_id,
        "table": table_of(envelope),
        "reason": reason_of(envelope),
        "description": description_of(envelope),
        "reason_now": now_of(envelope),
        "delivery_count": envelope.delivery_count,
        "bytes": len(envelope.body),
    }


def _group_tree(group: Group) -> dict[str, object]:
    cause = group.cause
    return {
        **_count_tree(group.count),
        "reason": cause.reason,
        "code": cause.code,
        "table": cause.table,
        "tables": dict(group.tables),
        "again": dict(group.again),
    }
