"""Messages that an ordinary day has few of, or none.

Their parameters follow the requests of the SDK; what they tell of rows is in
the history like everything else.

Source: https://learn.microsoft.com/dotnet/api/microsoft.xrm.sdk.messages
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from .cells import new_guid
from .changes import Changes, nameless
from .email_table import EMAIL
from .event import Event
from .images import STATE_BY_NAME
from .labels import labels
from .metadata import Table
from .operations import Operations, sent
from .people import Act, People
from .rows import Row, Rows
from .scalars import Guid
from .service_tables import TABLES
from .values import Array, Element, Entities, Entity, Option, Reference, References, Relationship, Value

PROJECT_CONTACTS: Final = "cr1_project_contact"
"""Schema name of the many-to-many relationship that rows are associated by."""

_APART: Final = timedelta(seconds=3)
"""Longer than an event's job can lag behind it, so that an association's end is later than its begin."""
_COPIED: Final = ("Boolean", "Integer", "Picklist")
"""Kinds of columns that nothing is computed from."""


class Rare(StrEnum):
    """What happens."""

    ASSOCIATE = "associate"
    CREATE_MULTIPLE = "create-multiple"
    MERGE = "merge"
    SET_STATE = "set-state"
    PARTIES = "parties"
    DISASSOCIATE = "disassociate"
    UPDATE_MULTIPLE = "update-multiple"
    TRUNCATED = "truncated"


class Rarities:
    """Makes rare things happen.

    Args:
        rng: The source of chance.
        rows: The rows as they are.
        changes: Thinks up new values.
        people: Senders of emails.
        operations: Ordinary operations, some of which are told in a rare way.
    """

    def __init__(
        self, rng: random.Random, rows: Rows, changes: Changes, people: People, operations: Operations
    ) -> None:
        self._rng = rng
        self._rows = rows
        self._changes = changes
        self._people = people
        self._operations = operations
        self._paired: set[tuple[Guid, Guid]] = set()
        self._together: deque[tuple[datetime, Mapping[str, Value]]] = deque()
        self._makers: Final[Mapping[Rare, Callable[[Act], Event | None]]] = {
            Rare.ASSOCIATE: self._associate,
            Rare.CREATE_MULTIPLE: self._create_multiple,
            Rare.MERGE: self._merge,
            Rare.SET_STATE: self._set_state,
            Rare.PARTIES: self._parties,
            Rare.DISASSOCIATE: self._disassociate,
            Rare.UPDATE_MULTIPLE: self._update_multiple,
            Rare.TRUNCATED: self._truncated,
        }

    def happen(self, kind: Rare, act: Act) -> Event:
        """Make one thing happen; where it cannot (no rows to merge), create a contact instead."""
        return self._makers[kind](act) or self._operations.create(TABLES["contact"], act)

    def _table(self) -> Table:
        return self._changes.pick(list(TABLES.values()))

    def _some(self, tables: Iterable[Table], act: Act, most: int) -> list[Row]:
        """Return distinct rows of one of the tables, which did not change in this second."""
        table = self._changes.pick(list(tables))
        found = (self._operations.find(table, act, leaf=False) for _ in range(most))
        return list({row.id: row for row in found if row}.values())

    def _associate(self, act: Act) -> Event | None:
        target = self._rows.any_row("cr1_project", self._rng)
        found = [self._rows.any_row("contact", self._rng) for _ in range(1 + int(self._rng.random() * 3))]
        if target is None:
            return None
        related = {row.id: row for row in found if row and (target.id, row.id) not in self._paired}
        if not related:
            return None
        self._paired.update((target.id, key) for key in related)
        parameters: dict[str, Value] = {
            "Target": nameless(target.reference()),
            "Relationship": Relationship(PROJECT_CONTACTS),
            "RelatedEntities": References(tuple(Reference(key, "contact") for key in related)),
        }
        if self._rng.random() < 0.7:
            self._together.append((act.instant, parameters))
        return self._operations.event(None, "event", "Associate", act, parameters)

    def _disassociate(self, act: Act) -> Event | None:
        if not self._together or self._together[0][0] + _APART > act.instant:
            return None
        _, parameters = self._together.popleft()
        return self._operations.event(None, "event", "Disassociate", act, parameters)

    def _create_multiple(self, act: Act) -> Event:
        table = self._table()
        rows = [self._changes.new_row(table, act) for _ in range(2 + int(self._rng.random() * 3))]
        targets = []
        for row in rows:
            self._rows.add(row)
            targets.append(self._operations.created(row))
        ids = Array(Element.GUID, tuple(row.id for row in rows))
        return self._multiple("create", "CreateMultiple", rows, targets, act, {"Ids": ids})

    def _update_multiple(self, act: Act) -> Event | None:
        rows = self._some(TABLES.values(), act, 4)
        if not rows:
            return None
        targets = [self._operations.updated(row, self._changes.update(row, act), act) for row in rows]
        return self._multiple("update", "UpdateMultiple", rows, targets, act, {})

    def _multiple(
        self,
        operation: str,
        message: str,
        rows: Sequence[Row],
        targets: Sequence[Entity],
        act: Act,
        outputs: Mapping[str, Value],
    ) -> Event:
        parameters: dict[str, Value] = {"Targets": Entities(tuple(targets), rows[0].table.name)}
        event = self._operations.event(rows[0], operation, message, act, parameters, outputs=outputs)
        events = [replace(event, id=target.id, share=target) for target in targets]
        return replace(events[0], also=tuple(events[1:]))

    def _merge(self, act: Act) -> Event | None:
        """Merge one row into another: that keeps some values of it, and it points there."""
        rows = self._some((TABLES["account"], TABLES["contact"]), act, 4)
        if len(rows) < 2:
            return None
        winner, loser = rows[:2]
        table = winner.table
        wanted = [column.name for column in table.entered if column.kind in _COPIED]
        kept = {name: loser.values[name] for name in wanted if name in loser.values}
        content = Entity(table.name, Guid(winner.id), dict(list(kept.items())[:3]))
        merged: dict[str, Value] = {"masterid": Reference(winner.id, table.name), "merged": True}
        stamps = self._changes.stamps(act, behalf=False)
        self._rows.change(winner, {**content.attributes, **stamps}, act.instant)
        self._rows.change(loser, {**merged, **self._changes.stamps(act, behalf=False)}, act.instant)
        parameters: dict[str, Value] = {
            "Target": nameless(winner.reference()),
            "SubordinateId": loser.id,
            "UpdateContent": content,
            "PerformParentingChecks": False,
        }
        event = self._operations.event(winner, "update", "Merge", act, parameters)
        lost = replace(event, id=loser.id, share=Entity(table.name, loser.id, merged))
        return replace(event, share=content, also=(lost,))

    def _set_state(self, act: Act) -> Event | None:
        rows = self._some(TABLES.values(), act, 1)
        return self._operations.set_state(rows[0], act, STATE_BY_NAME) if rows else None

    def _truncated(self, act: Act) -> Event | None:
        rows = self._some(TABLES.values(), act, 1)
        if not rows:
            return None
        event = self._operations.do("update", rows[0], act)
        return replace(event, parameters={}, pre_images={}, post_images={}, truncated=True)

    def _parties(self, act: Act) -> Event:
        """Create an email; nobody changes it, so it is not among the rows."""
        row = self._changes.new_row(EMAIL, act)
        contacts = [self._rows.any_reference("contact", self._rng) for _ in range(4)]
        several: list[Reference] = [contact for contact in contacts if contact]
        count = int(self._rng.random() * 4)
        values: dict[str, Value] = {
            **row.values,
            "from": self._party_list(row, 1, [act.user]),
            "to": self._party_list(row, 2, several[:count] or [act.initiating]),
            "cc": self._party_list(row, 3, several[count:]),
        }
        target = Entity("email", row.id, sent(values), labels(EMAIL, values, self._operations.zone))
        outputs = {"id": row.id}
        return self._operations.event(row, "create", "Create", act, {"Target": target}, outputs=outputs)

    def _party_list(self, row: Row, part: int, people: Sequence[Reference]) -> Entities | Array:
        parties = tuple(self._party(row, part, person) for person in people)
        if parties and self._rng.random() < 0.25:
            return Array(Element.ENTITY, parties)
        return Entities(parties, "activityparty")

    def _party(self, row: Row, part: int, person: Reference) -> Entity:
        key = new_guid(self._rng)
        attributes: dict[str, Value] = {
            "activitypartyid": key,
            "activityid": Reference(row.id, "email"),
            "partyid": person,
            "participationtypemask": Option(part),
            "addressused": f"{key[:8]}@example.com",
        }
        return Entity("activityparty", key, attributes)
