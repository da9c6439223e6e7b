"""Parties of activities: a column's whole list is replaced, never one party of it.

A *set* is the parties one activity has in one role.  The message that comes
last in the order of events says what the set is; an empty one leaves a
tombstone, which keeps older messages from filling it again.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from .columns import TIMESTAMP
from .fold import SYSTEM
from .names import PARTY_TABLE
from .types import ARROW, Kind

PARTY_ROLES: Final[Mapping[str, int]] = {
    "from": 1,
    "to": 2,
    "cc": 3,
    "bcc": 4,
    "requiredattendees": 5,
    "optionalattendees": 6,
    "organizer": 7,
    "regardingobjectid": 8,
    "resources": 10,
    "customers": 11,
}
"""Party-list columns to ``participationtypemask``.

Source: https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/activityparty
"""

SET: Final = "_set"
"""Column of a state that names the set: the activity and the role."""

PARTY_SYSTEM: Final[Mapping[str, pa.DataType]] = {SET: pa.string(), **SYSTEM}
"""System columns of the state of parties.  ``Id`` is the set and the place in it; ``_versions`` is null."""

_LISTS: Final = frozenset(PARTY_ROLES) - {"regardingobjectid"}
"""Columns that are lists in every table that has them."""

_names: Final = msgspec.json.Decoder(list[str]).decode


def with_sets(changes: pa.Table) -> pa.Table:
    """Return changes of parties with the column ``_set``."""
    activity = changes.column("activityid")
    role = (
        changes.column("participationtypemask").cast(pa.string())
        if "participationtypemask" in changes.column_names
        else pa.nulls(changes.num_rows, pa.string())
    )
    named = pc.binary_join_element_wise(activity, pc.fill_null(role, ""), ".")
    return changes.append_column(SET, named)


def emptied(table: str, changes: pa.Table, parties: pa.Table | None) -> pa.Table | None:
    """Return a row for each party list that was sent and is empty, as changes of parties.

    Args:
        table: Logical name of the table changed.
        changes: Its rows.
        parties: The parties that came of the same messages.
    """
    if table == PARTY_TABLE:
        return None
    full = set(_filled_lists(parties)) if parties is not None else set()
    found = [(row, role) for row, role, event in _lists_sent(changes) if (event, role) not in full]
    if not found:
        return None
    rows = changes.take(pa.array([row for row, _ in found]))
    taken = {name: rows.column(name) for name in _COPIED}
    taken["_op"] = pa.array(["delete"] * len(found))
    taken["IsDelete"] = pa.array([True] * len(found))
    taken["activityid"] = rows.column("Id")
    taken["participationtypemask"] = pa.array([role for _, role in found], ARROW[Kind.CHOICE])
    return pa.table(taken)


_COPIED: Final = ("_event_id", "_order")


def _lists_sent(changes: pa.Table) -> Iterator[tuple[int, int, str]]:
    coded = changes.column("_changed").combine_chunks().dictionary_encode()
    lists = [
        [PARTY_ROLES[name] for name in _names(text) if name in _LISTS and name not in changes.column_names]
        for text in coded.dictionary.to_pylist()
    ]
    if not any(lists):
        return
    events = changes.column("_event_id")
    for row, code in enumerate(coded.indices.to_pylist()):
        for role in lists[code] if code is not None else ():
            yield row, role, message_of(events[row].as_py())


def _filled_lists(parties: pa.Table) -> Iterator[tuple[str, int]]:
    if "participationtypemask" in parties.column_names:
        roles = parties.column("participationtypemask").to_pylist()
        events = parties.column("_event_id").to_pylist()
        yield from ((message_of(event), role) for event, role in zip(events, roles, strict=True))


def message_of(key: str) -> str:
    """Return an event id or an order without the number of the row within its message.

    >>> message_of("c1-12")
    'c1'
    """
    return key.rpartition("-")[0]


def fold_sets(columns: Mapping[str, pa.DataType], held: pa.Table, changes: pa.Table, now: int) -> pa.Table:
    """Return the sets that changes make of held ones; those that stay as they are are left out.

    Args:
        columns: Of the state: those of :data:`PARTY_SYSTEM`, and data.
        held: All rows held of the sets, with those columns.
        changes: Parties, with ``_set``; columns of nothing but nulls may be absent.
        now: The instant of the commit, microseconds since 1970 UTC.
    """
    current = _newest(zip(held.column(SET).to_pylist(), held.column("_order").to_pylist(), strict=True))
    sets, orders = changes.column(SET).to_pylist(), changes.column("_order").to_pylist()
    newest = _newest(zip(sets, orders, strict=True))
    written = _written(held)
    places = _places(changes)
    rows: dict[tuple[str, int], int] = {}
    for row, (name, order) in enumerate(zip(sets, orders, strict=True)):
        if newest[name] == message_of(order) and newest[name] > current.get(name, ""):
            rows.setdefault((name, places[row]), row)
    taken = changes.take(pa.array(list(rows.values()), pa.int64()))
    system: dict[str, Any] = {
        "Id": pa.array([f"{name}.{place}" for name, place in rows], pa.string()),
        "_truncated": pa.array([False] * len(rows), pa.bool_()),
        "_versions": pa.nulls(len(rows), pa.string()),
        "SinkCreatedOn": pa.array([written.get(name, now) for name, _ in rows], TIMESTAMP),
        "SinkModifiedOn": pa.array([now] * len(rows), TIMESTAMP),
    }
    arrays = [
        system[name] if name in system else _column(taken, name, kind) for name, kind in columns.items()
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(list(columns.items())))


def _newest(said: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, order in said:
        message = message_of(order)
        if message > found.get(name, ""):
            found[name] = message
    return found


def _written(held: pa.Table) -> dict[str, int]:
    written = held.column("SinkCreatedOn").cast(pa.int64()).to_pylist()
    found: dict[str, int] = {}
    for name, instant in zip(held.column(SET).to_pylist(), written, strict=True):
        found[name] = min(instant, found.get(name, instant))
    return found


def _places(changes: pa.Table) -> list[int]:
    if "ordinal" not in changes.column_names:
        return [0] * changes.num_rows
    return [int(place) if place is not None else 0 for place in changes.column("ordinal").to_pylist()]


def _column(rows: pa.Table, name: str, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if name not in rows.column_names:
        return pa.nulls(rows.num_rows, kind)
    return rows.column(name).cast(kind)
