"""Which rows a database refuses: known beforehand, or found by halving and rolling back."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ...tables.columns import SYSTEM, history_name
from ...tables.state import StateChanges
from ..base import Flush
from ..refused import Refused
from .fit import unfit

FOUND_AT_ONCE: Final = 200
"""Rows looked for in one flush; what is tried again without them finds the next."""

Attempt = Callable[[pa.Table], str | None]
"""Writes rows and takes it back; returns what the database said if it refused."""


def known_unfit(dialect: str, flush: Flush) -> tuple[Refused, ...]:
    """Return the rows that a kind of database is known to refuse, each once."""
    found: dict[tuple[str, str], Refused] = {}
    for table, rows in _changes(flush):
        for each in unfit(dialect, rows):
            event = rows.column("_event_id")[each.row].as_py()
            sentence = f"Column {each.column} {each.sentence}. Correct it in Dataverse, or use another sink"
            found.setdefault((table, event), Refused(table, event, sentence, each.column))
    return tuple(found.values())


def refused(table: str, rows: pa.Table, attempt: Attempt) -> Iterator[Refused]:
    """Yield the rows of a history that a database refuses.

    Args:
        table: Name of the history in the sink.
        rows: Its rows.
        attempt: Writes some of them and takes it back.
    """
    for place, told in _halved(0, rows.num_rows, lambda start, count: attempt(rows.slice(start, count))):
        row = rows.slice(place, 1)
        column = _column_at_fault(row, attempt)
        said = f"Column {column}: {told}" if column else told
        yield Refused(table, row.column("_event_id")[0].as_py(), said, column)


def refused_groups(changes: StateChanges, attempt: Callable[[StateChanges], str | None]) -> Iterator[Refused]:
    """Yield the events of the groups whose state a database refuses; their histories may be sound.

    Args:
        changes: What a flush says of a state.
        attempt: Folds and writes some of it and takes it back.
    """
    groups = changes.groups

    def of(start: int, count: int) -> StateChanges:
        asked = pc.is_in(changes.changes.column(changes.group), value_set=groups.slice(start, count))
        return StateChanges(changes.schema, changes.group, changes.changes.filter(asked))

    table = _history_of(changes)
    for place, told in _halved(0, len(groups), lambda start, count: attempt(of(start, count))):
        for event in pc.unique(of(place, 1).changes.column("_event_id")).to_pylist():
            yield Refused(table, event, f"The current state cannot be written: {told}")


def _changes(flush: Flush) -> Iterator[tuple[str, pa.Table]]:
    yield from flush.tables.items()
    for changes in flush.states.values():
        if _history_of(changes) not in flush.tables:
            yield _history_of(changes), changes.changes


def _history_of(changes: StateChanges) -> str:
    return history_name(changes.schema.table.removesuffix("_state"))


def _halved(start: int, count: int, fails: Callable[[int, int], str | None]) -> Iterator[tuple[int, str]]:
    told = fails(start, count) if count else None
    if told is None:
        return
    if count == 1:
        yield start, told
        return
    half = count // 2
    yield from _halved(start, half, fails)
    yield from _halved(start + half, count - half, fails)


def _column_at_fault(row: pa.Table, attempt: Attempt) -> str:
    """Return the only column without which the row is taken, or the empty string."""
    names = [name for name in row.column_names if name not in SYSTEM and row.column(name).null_count == 0]
    if not names or attempt(_only(row, ())) is not None:
        return ""
    while len(names) > 1:
        half = len(names) // 2
        at_fault = [some for some in (names[:half], names[half:]) if attempt(_only(row, some)) is not None]
        if len(at_fault) != 1:
            return ""
        names = at_fault[0]
    return names[0]


def _only(row: pa.Table, names: tuple[str, ...] | list[str]) -> pa.Table:
    """Return a row without its data, some columns excepted."""
    columns: Mapping[str, pa.ChunkedArray] = {
        name: row.column(name)
        if name in SYSTEM or name in names
        else pa.chunked_array([pa.nulls(1, row.schema.field(name).type)])
        for name in row.column_names
    }
    return pa.table(dict(columns), schema=row.schema)
