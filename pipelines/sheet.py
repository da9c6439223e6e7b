"""Tables that commands print: drawn on a terminal, plain elsewhere, JSON for a script."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_SHORT: Final = 30
"""Characters of a cell that are kept in one line."""

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table to be shown.

    Attributes:
        columns: Their names.
        rows: A cell for each of them.
        title: What it shows, a few words.
        notes: Sentences below it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    notes: Sequence[str] = field(default_factory=tuple)


def show(sheet: Sheet) -> None:
    """Print a table on standard output: drawn on a terminal, columns of text elsewhere."""
    if sys.stdout.isatty():
        _draw(sheet)
        return
    for line in plain_lines(sheet):
        typer.echo(line)


def show_json(value: Mapping[str, object] | Sequence[object]) -> None:
    """Print what a script reads."""
    typer.echo(json.dumps(value, default=str, ensure_ascii=False, indent=2))


def plain_lines(sheet: Sheet) -> list[str]:
    """Return a table as lines of text whose columns stand below one another.

    >>> plain_lines(Sheet(["reason", "messages"], [["bad-value", 1200], ["", 3]], notes=["Done."]))
    ['reason     messages', 'bad-value     1,200', '                  3', 'Done.']
    """
    lines = [sheet.title] if sheet.title else []
    if sheet.rows:
        texts = [list(sheet.columns), *([_text(cell) for cell in row] for row in sheet.rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        right = _right(sheet)
        lines += [
            "  ".join(
                _laid(text, width, at in right)
                for at, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in texts
        ]
    return [*lines, *sheet.notes]


def instant_text(microseconds: int) -> str:
    """Return an instant for people, UTC; nothing for 0, which stands for unknown.

    >>> instant_text(1_790_000_000_000_000), instant_text(0)
    ('2026-09-21 14:13:20', '')
    """
    return f"{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M:%S}" if microseconds else ""


def shortened(text: str, length: int = 60) -> str:
    """Return a text in one line of at most so many characters.

    >>> shortened("It  is too long", 8)
    'It is t…'
    """
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _draw(sheet: Sheet) -> None:
    console = Console()
    if sheet.rows:
        table = Table(title=sheet.title or None, title_justify="left", box=box.SIMPLE_HEAD)
        right = _right(sheet)
        for at, name in enumerate(sheet.columns):
            short = all(len(_text(row[at])) <= _SHORT for row in sheet.rows)
            table.add_column(name, justify="right" if at in right else "left", overflow="fold", no_wrap=short)
        for row in sheet.rows:
            table.add_row(*(Text(_text(cell)) for cell in row))
        console.print(table)
    elif sheet.title:
        console.print(Text(sheet.title))
    for note in sheet.notes:
        console.print(Text(note))


def _right(sheet: Sheet) -> set[int]:
    """Return the columns of numbers."""
    return {
        at
        for at in range(len(sheet.columns))
        if all(isinstance(row[at], int | float) and not isinstance(row[at], bool) for row in sheet.rows)
    }


def _text(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    return "" if cell is None else " ".join(str(cell).split())


def _laid(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
