"""Small histories for the fold, and what they must come to by the plainest reading of the rules."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.order import order_key
from cdsbridge.tables.state import StateChanges, state_schema

DATA: dict[str, pa.DataType] = {
    "name": pa.string(),
    "size": pa.int64(),
    "ownerid": pa.string(),
    "ownerid_entitytype": pa.string(),
    "owneridname": pa.string(),
    "kind": pa.int64(),
    "kindname": pa.string(),
    "domain": pa.string(),
    "domainname": pa.string(),
}
BESIDE = {"ownerid_entitytype": "ownerid", "owneridname": "ownerid", "kindname": "kind"}
NOW = 1_790_000_000_000_000


@dataclass(frozen=True)
class Event:
    """One change: what it says of columns, what an image adds, what no column holds."""

    at: int
    op: str
    said: Mapping[str, Any] = field(default_factory=dict)
    image: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    id: str = "k1"
    number: int = 1

    @property
    def event_id(self) -> str:
        return f"e{self.at}-0"

    @property
    def order(self) -> str:
        return order_key(self.at, self.op, self.number, self.event_id)

    @property
    def changed(self) -> list[str]:
        return sorted({name for name in self.said if name not in BESIDE} | set(self.extra))


def rows(events: Sequence[Event]) -> pa.Table:
    """Return events as rows of a history."""
    known: dict[str, list[Any]] = {
        "Id": [event.id for event in events],
        "IsDelete": [event.op == "delete" for event in events],
        "_event_id": [event.event_id for event in events],
        "_op": [event.op for event in events],
        "_message": [event.op.title() for event in events],
        "_order": [event.order for event in events],
        "_changed": [json.dumps(event.changed) for event in events],
        "_extra": [json.dumps(dict(event.extra)) if event.extra else None for event in events],
        "_truncated": [False for _ in events],
    }
    for name in DATA:
        known[name] = [{**event.image, **event.said}.get(name) for event in events]
    columns = {**SYSTEM, **DATA}
    arrays = [pa.array(known.get(name, [None] * len(events)), kind) for name, kind in columns.items()]
    return pa.Table.from_arrays(arrays, names=list(columns))


def state_of(deliveries: Iterable[Sequence[Event]]) -> list[dict[str, Any]]:
    """Fold batch by batch, as a sink does; return the rows by key."""
    schema = state_schema("account", {**SYSTEM, **DATA})
    held = schema.arrow().empty_table()
    for events in deliveries:
        if not events:
            continue
        change = StateChanges(schema, "Id", rows(events))
        touched = held.filter(pa.compute.is_in(held["Id"], change.groups))
        written = change.folded(touched, NOW)
        assert written.schema == schema.arrow()
        replaced = pa.compute.is_in(held["Id"], written["Id"].combine_chunks())
        held = pa.concat_tables([held.filter(pa.compute.invert(replaced)), written])
    return sorted(held.to_pylist(), key=lambda row: str(row["Id"]))


def expected(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return what events come to, whatever their order, one key at a time."""
    distinct = {(event.id, event.order): event for event in events}
    by_key: dict[str, list[Event]] = {}
    for key, order in sorted(distinct):
        by_key.setdefault(key, []).append(distinct[key, order])
    return [_row(key, found) for key, found in sorted(by_key.items())]


def _row(key: str, events: list[Event]) -> dict[str, Any]:
    """``events`` of one key, in the order of events."""
    last_create = max((i for i, event in enumerate(events) if event.op == "create"), default=-1)
    ended = max((i for i, event in enumerate(events[: last_create + 1]) if event.op == "delete"), default=-1)
    row: dict[str, Any] = dict.fromkeys(DATA)
    extra: dict[str, Any] = {}
    for event in events[ended + 1 :]:
        for name in [*event.changed, *(n for n in event.image if n not in BESIDE)]:
            told = {**event.image, **event.said}
            extra.pop(name, None)
            if name in DATA:
                row[name] = told.get(name)
            if name in event.extra:
                extra[name] = event.extra[name]
            for beside, stem in BESIDE.items():
                if stem == name:
                    row[beside] = told.get(beside)
    deleted = any(event.op == "delete" for event in events[last_create + 1 :])
    return {
        **row,
        "Id": key,
        "IsDelete": deleted,
        "_order": events[-1].order,
        "_event_id": events[-1].event_id,
        "_extra": extra or None,
    }


def shown(state: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of a state as :func:`expected` tells them."""
    hidden = {"_versions", "_truncated", "SinkCreatedOn", "SinkModifiedOn"}
    return [
        {
            name: json.loads(value) if name == "_extra" and value else value
            for name, value in row.items()
            if name not in hidden
        }
        for row in state
    ]
