"""Tells a preview to people and to scripts."""

from collections.abc import Iterator
from dataclasses import asdict

import typer

from ..sheet import Cell, Sheet, shortened, show, show_json
from .outlook import Preview, TableChange


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
    for sink, tables in found.states.items():
        states: list[list[Cell]] = [
            [table, change.appear, change.change, change.go, change.stay] for table, change in tables.items()
        ]
        if states:
            columns = ["table", "appear", "change", "are deleted", "stay (the same or newer there)"]
            yield Sheet(columns, states, f"Rows of the current state in {sink}")


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
        "states": {
            sink: {table: asdict(change) for table, change in tables.items()}
            for sink, tables in found.states.items()
        },
        "sinks_away": found.away,
    }
