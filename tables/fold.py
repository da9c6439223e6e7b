"""The fold: rows and changes, in any order and any multiplicity, to rows.

Per row and column the change with the highest order holds.  Its order is kept
beside the row (:mod:`cdsbridge.tables.versions`), so a late partial update
fills what it set and leaves what is newer.

A delete leaves a tombstone with the last known values; no update revives it,
a later create does.  A row made again after a delete has nothing of what was
said before that delete.  Both follow from the set of creates and deletes
alone, never from the order in which they arrive.  Hence folding is
associative, commutative and idempotent; ``docs/decisions/012-the-fold.md``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from . import hydration
from .columns import TIMESTAMP
from .extras import members, owner
from .extras import spelled as spelled_members
from .latest import NONE, Flags, Latest, Numbers, Sayings, joined, latest
from .presence import Presence, presence
from .versions import CREATE, CUT, DELETE, MARKS, parse, spelled

SYSTEM: Final[Mapping[str, pa.DataType]] = {
    "Id": pa.string(),
    "IsDelete": pa.bool_(),
    "_order": pa.string(),
    "_event_id": pa.string(),
    "_truncated": pa.bool_(),
    "_extra": pa.string(),
    "_versions": pa.string(),
    "SinkCreatedOn": TIMESTAMP,
    "SinkModifiedOn": TIMESTAMP,
}
"""System columns of a state.

``Id``: the key.  ``IsDelete``: a tombstone.  ``_order`` and ``_event_id``: of the
latest event of the row.  ``_truncated``: a message of the row was cut and the row
not read again since.  ``_extra``: as in the history, of what holds.  ``_versions``: see
:mod:`cdsbridge.tables.versions`.  ``SinkCreatedOn``, ``SinkModifiedOn``: when we first and last
wrote the row.
"""

STANDING: Final = pa.schema(list(SYSTEM.items()))
"""What the fold needs to know of a held row to tell what becomes of it, its values left aside."""

_TOP: Final = "*event"
"""Slot of the latest event; not spelled, for it is ``_order``."""


def fold(columns: Mapping[str, pa.DataType], held: pa.Table, changes: pa.Table, now: int) -> pa.Table:
    """Return the rows that changes make of held ones; those that stay as they are are left out.

    Args:
        columns: Of the state: those of :data:`SYSTEM`, and data.
        held: All rows held under the keys of the changes, with those columns.
        changes: Rows of the history, each with a key; columns of nothing but nulls may be absent.
        now: The instant of the commit, microseconds since 1970 UTC.
    """
    case = _read(columns, held, changes)
    board = _judged(case)
    return _Rows(case, board, np.nonzero(board.dirty)[0]).table(now)


@dataclass(frozen=True, slots=True)
class _Case:
    columns: Mapping[str, pa.DataType]
    held: pa.Table
    changes: pa.Table
    keys: pa.StringArray
    key_of_row: Numbers
    orders: Sequence[str]
    slots: Mapping[str, int]
    presence: Presence
    own: Sayings
    beside: Sayings

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.keys), len(self.slots)


@dataclass(frozen=True, slots=True)
class _Board:
    own: Latest
    source: Numbers
    deletes: frozenset[tuple[int, int]]
    deleted: Flags
    dirty: Flags


def _read(columns: Mapping[str, pa.DataType], held: pa.Table, changes: pa.Table) -> _Case:
    ids = pa.concat_arrays([*held.column("Id").chunks, *changes.column("Id").chunks]).dictionary_encode()
    versions = parse(held.column("_versions").to_pylist())
    names = {name for each in versions.names for name in each} - MARKS
    found = presence(changes, [name for name in columns if name not in SYSTEM], names)
    slots = {name: at for at, name in enumerate((*found.slots, CREATE, DELETE, CUT, _TOP))}
    tops = held.column("_order").to_pylist()
    marks = [(row + held.num_rows, name, order) for row, name, order in _marks(changes)]
    arrived = changes.column("_order").to_pylist()
    orders = sorted({*arrived, *versions.orders, *tops, *(order for _, _, order in marks)})
    rank = {order: at for at, order in enumerate(orders)}
    said = joined(
        versions.sayings(slots, rank),
        Sayings.of((row, slots[_TOP], rank[order]) for row, order in enumerate(tops)),
        Sayings.of((row, slots[name], rank[order]) for row, name, order in marks),
    )
    ranks = np.array([rank[order] for order in arrived], dtype=np.int64)
    return _Case(
        columns,
        held,
        changes,
        ids.dictionary,
        ids.indices.to_numpy().astype(np.int64),
        orders,
        slots,
        found,
        joined(said, Sayings.flagged(found.own, ranks, held.num_rows)),
        joined(
            Sayings.of(_held_beside(held, found, said, slots)),
            Sayings.flagged(found.beside, ranks, held.num_rows),
        ),
    )


def _marks(changes: pa.Table) -> Iterator[tuple[int, str, str]]:
    """Yield row, mark and order of what changes say of the row as a whole."""
    orders = changes.column("_order").to_pylist()
    for row, (op, order) in enumerate(zip(changes.column("_op").to_pylist(), orders, strict=True)):
        yield row, _TOP, order
        if op == "create":
            yield row, CREATE, order
        elif op == "delete":
            yield row, DELETE, order
    cut = pc.fill_null(changes.column("_truncated"), fill_value=False)
    read = pc.fill_null(pc.equal(changes.column("_message"), hydration.MESSAGE), fill_value=False)
    marked = np.nonzero(pc.or_(cut, read).to_numpy())[0]
    if len(marked):
        posted = changes.column("_enqueued_at").cast(pa.int64()).to_pylist()
        cuts = cut.to_pylist()
        for row in marked.tolist():
            # a row that was read again carries the delivery of the message that was cut
            yield row, CUT, f"{posted[row] or 0:020d}.{0 if cuts[row] else 1}"


def _held_beside(
    held: pa.Table, found: Presence, said: Sayings, slots: Mapping[str, int]
) -> Iterator[tuple[int, int, int]]:
    """Yield what held rows have beside columns: it has the order of its column."""
    if not held.num_rows:
        return
    versions = np.full((held.num_rows, len(slots)), NONE, dtype=np.int64)
    versions[said.row[said.row < held.num_rows], said.slot[said.row < held.num_rows]] = said.rank[
        said.row < held.num_rows
    ]
    for slot, stem in found.stems.items():
        name = found.slots[slot]
        if name in held.column_names:
            there = held.column(name).is_valid().to_numpy()
            for row in np.nonzero(there & (versions[:, slot] == NONE) & (versions[:, stem] != NONE))[0]:
                yield int(row), slot, int(versions[row, stem])


def _judged(case: _Case) -> _Board:
    own, count = case.own, len(case.keys)
    everything = latest(own, case.key_of_row, case.shape)
    created = everything.rank[:, case.slots[CREATE]]
    ends = own.where(own.slot == case.slots[DELETE])
    first_said: dict[tuple[int, int], int] = {}
    for row, rank in zip(ends.row.tolist(), ends.rank.tolist(), strict=True):
        end = int(case.key_of_row[row]), rank
        first_said[end] = min(row, first_said.get(end, row))
    bound, last = np.full(count, NONE), np.full(count, NONE)
    for key, rank in first_said:
        last[key] = max(last[key], rank)
        if rank < created[key]:
            bound[key] = max(bound[key], rank)
    deletes = frozenset(end for end in first_said if end[1] >= bound[end[0]])
    columns = len(case.presence.slots)
    if (bound != NONE).any():
        own, beside = (
            part.where((part.slot >= columns) | (part.rank > bound[case.key_of_row[part.row]]))
            for part in (own, case.beside)
        )
        everything = latest(own, case.key_of_row, case.shape)
    else:
        beside = case.beside
    source = _sources(case, everything, latest(beside, case.key_of_row, case.shape))
    first_new = case.held.num_rows
    spoken = [at for name, at in case.slots.items() if name != DELETE]
    dirty = (everything.row[:, spoken] >= first_new).any(axis=1)
    dirty[[key for key, rank in deletes if first_said[key, rank] >= first_new]] = True
    return _Board(everything, source, deletes, last > created, dirty)


def _sources(case: _Case, own: Latest, beside: Latest) -> Numbers:
    """Return from which row each column is taken: its own, else what goes with another column."""
    source = own.row[:, : len(case.presence.slots)].copy()
    for slot, stem in case.presence.stems.items():
        goes = (
            (own.rank[:, slot] == NONE)
            & (beside.rank[:, slot] != NONE)
            & (beside.rank[:, slot] == own.rank[:, stem])
        )
        source[goes, slot] = beside.row[goes, slot]
    return source


@dataclass(frozen=True, slots=True)
class _Rows:
    """Writes rows from where their columns come."""

    case: _Case
    board: _Board
    keys: Numbers

    def table(self, now: int) -> pa.Table:
        case, keys = self.case, self.keys
        top = self.board.own.row[keys, case.slots[_TOP]]
        system: dict[str, pa.Array] = {
            "Id": case.keys.take(pa.array(keys)),
            "IsDelete": pa.array(self.board.deleted[keys]),
            "_order": self._taken("_order", pa.string(), top),
            "_event_id": self._taken("_event_id", pa.string(), top),
            "_truncated": pa.array(self._cut(), pa.bool_()),
            "_extra": pa.array(self._extra(), pa.string()),
            "_versions": pa.array(self._versions(), pa.string()),
            "SinkCreatedOn": self._first_written(now),
            "SinkModifiedOn": pa.repeat(pa.scalar(now, TIMESTAMP), len(keys)),
        }
        arrays = [
            system[name] if name in system else self._data(name, kind) for name, kind in case.columns.items()
        ]
        return pa.Table.from_arrays(arrays, schema=pa.schema(list(case.columns.items())))

    def _data(self, name: str, kind: pa.DataType) -> pa.Array:
        return self._taken(name, kind, self.board.source[self.keys, self.case.slots[name]])

    def _taken(self, name: str, kind: pa.DataType, rows: Numbers) -> pa.Array:
        parts = [
            part.column(name).combine_chunks().cast(kind)
            if name in part.column_names
            else pa.nulls(part.num_rows, kind)
            for part in (self.case.held, self.case.changes)
        ]
        column = pa.concat_arrays([each for part in parts for each in _arrays(part)])
        return column.take(pa.array(rows, mask=rows == NONE))

    def _cut(self) -> Iterator[bool]:
        for rank in self.board.own.rank[self.keys, self.case.slots[CUT]].tolist():
            yield rank != NONE and self.case.orders[rank].endswith(".0")

    def _versions(self) -> Iterator[str]:
        case = self.case
        written = {name: at for name, at in case.slots.items() if name != _TOP}
        ranks = self.board.own.rank[self.keys][:, list(written.values())]
        ranks[:, written[DELETE]] = NONE
        rows, slots = np.nonzero(ranks != NONE)
        place = {int(key): at for at, key in enumerate(self.keys)}
        ends = Sayings.of(
            (place[key], written[DELETE], rank) for key, rank in self.board.deletes if key in place
        )
        said = joined(Sayings(rows, slots, ranks[rows, slots]), ends)
        return spelled(said, len(self.keys), written, case.orders)

    def _extra(self) -> Iterator[str | None]:
        case, first = self.case, self.case.held.num_rows
        kept = [members(text) for text in case.held.column("_extra").to_pylist()]
        if not case.presence.extras and not any(kept):
            yield from [None] * len(self.keys)
            return
        said = {row: each for row, each in enumerate(kept) if each}
        said |= {row + first: each for row, each in case.presence.extras.items()}
        by_key: dict[int, list[int]] = {}
        for row in said:
            by_key.setdefault(int(case.key_of_row[row]), []).append(row)
        for key in self.keys.tolist():
            yield spelled_members(
                {
                    name: raw
                    for row in by_key.get(key, ())
                    for name, raw in said[row].items()
                    if self.board.source[key, case.slots[owner(name)]] == row
                }
            )

    def _first_written(self, now: int) -> pa.Array:
        case = self.case
        rows = np.full(len(case.keys), NONE, dtype=np.int64)
        rows[case.key_of_row[: case.held.num_rows]] = np.arange(case.held.num_rows)
        return pc.fill_null(
            self._taken("SinkCreatedOn", TIMESTAMP, rows[self.keys]), pa.scalar(now, TIMESTAMP)
        )


def _arrays(column: Any) -> list[pa.Array]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]
