"""A small seeded organisation: rows, operations on them, and what became of both."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Final

from .cells import Cells, new_guid
from .changes import Changes, nameless
from .event import Event, TrueRow, replay
from .images import ASSIGN, AUTOMATIC, SET_STATE, Images, Registrations, default_images
from .labels import labels
from .metadata import Table
from .people import Act, People
from .rows import Row, Rows
from .scalars import EMPTY_GUID
from .service_tables import TABLES
from .values import Entity, Reference, References, Relationship, Value

PACIFIC: Final = timezone(timedelta(hours=-7))
"""A server seven hours behind UTC all year, so that a careless reader of dates is found out."""

_TABLES: Final = dict(zip(TABLES, (20, 22, 16, 5, 16, 14, 7), strict=True))
_OPERATIONS: Final = {"update": 72, "create": 16, "delete": 7, "assign": 2.5, "state": 2.5}
_NO_IMAGES: Final = Images()


class Organization:
    """Rows of seven related tables, changed one operation at a time.

    The same seed and the same calls give the same events, byte for byte.  No
    row changes twice in one second, so the order of its changes can be told.

    Args:
        seed: The source of all chance.
        start: When its day begins; aware.
        existing: Rows of each table that are there from the start and whose
            creation nobody posted.
        images: Images of the registered steps; ``None`` for
            :func:`cdsbridge.emulator.dataverse.images.default_images`.
        zone: Time zone of the server.  In a zone with daylight saving, keep
            ``start`` away from the change: its JSON dates are ambiguous.
        name: Unique name of the organisation.
        remember: Whether to keep the history, about 4 KB an event; without
            it there is no truth.

    Attributes:
        history: Every event on a row, in the order they happened.
        others: Events that changed no row (see :meth:`aside`).
        rows: The rows as they are.
        now: The second after its last event, or the start of its day.

    Raises:
        ValueError: ``start`` is naive.
    """

    def __init__(
        self,
        seed: int,
        start: datetime,
        *,
        existing: int = 25,
        images: Registrations | None = None,
        zone: tzinfo = PACIFIC,
        name: str = "orgcr1demo",
        remember: bool = True,
    ) -> None:
        if start.tzinfo is None:
            raise ValueError("start must carry a time zone, or its instants are anybody's guess")
        self.seed: Final = seed
        self.start: Final = _whole_second(start)
        self.zone: Final = zone
        self.name: Final = name
        self.now = self.start
        self.history: Final[list[Event]] = []
        self.others: Final[list[Event]] = []
        self._remember = remember
        self._images = default_images() if images is None else images
        self._rng = random.Random(f"{seed}/organization")  # noqa: S311 - a simulation, not a secret
        self.id: Final = new_guid(self._rng)
        self.people: Final = People(self._rng)
        self.rows: Final = Rows(self.people.everybody)
        cells = Cells(self._rng, zone)
        self._changes = Changes(self._rng, cells, self.rows, self.people, 5_000_000_000)
        for table in list(TABLES.values()) * existing:
            age = timedelta(seconds=int(self._rng.uniform(86_400, 30_000_000)))
            self.rows.add(self._changes.new_row(table, self.people.act(self._rng, self.start - age)))

    def operate(self, instant: datetime) -> Event:
        """Do one thing to one row, and return what happened.

        72 % updates, 16 % creates, 7 % deletes, 5 % assignments and changes of
        state.  A row that others refer to is not deleted.

        Args:
            instant: Aware; cut to whole seconds.
        """
        act = self.people.act(self._rng, _whole_second(instant))
        table = TABLES[self._rng.choices(list(_TABLES), list(_TABLES.values()))[0]]
        operation = self._rng.choices(list(_OPERATIONS), list(_OPERATIONS.values()))[0]
        row = self._find(table, act, leaf=operation == "delete") if operation != "create" else None
        event = self._create(table, act) if row is None else self._do(operation, row, act)
        self.now = act.instant + timedelta(seconds=1)
        if self._remember:
            self.history.append(event)
        return event

    def truth(self) -> Mapping[str, Mapping[str, TrueRow]]:
        """Return table, key and row as they should end, from what messages told."""
        return replay(self.history)

    def aside(self, instant: datetime) -> Event:
        """Return an event that changes no row: an association, or a call of a custom API."""
        act = self.people.act(self._rng, _whole_second(instant))
        if self._rng.random() < 0.5:
            event = self._event(None, "event", "Associate", act, self._association())
        else:
            parameters: dict[str, Value] = {
                "Factor": Decimal("1.250"),
                "Reason": "año nuevo / 年度",
                "DryRun": True,
            }
            event = self._event(None, "event", "cr1_Recalculate", act, parameters)
        self.others.append(event)
        return event

    def _find(self, table: Table, act: Act, *, leaf: bool) -> Row | None:
        for _ in range(12):
            row = self.rows.any_row(table.name, self._rng)
            if row and row.changed_at < act.instant and not (leaf and row.referrers):
                return row
        return None

    def _do(self, operation: str, row: Row, act: Act) -> Event:
        match operation:
            case "update":
                return self._update(row, act)
            case "delete":
                return self._delete(row, act)
            case "assign":
                return self._assign(row, act)
            case _:
                return self._set_state(row, act)

    def _create(self, table: Table, act: Act) -> Event:
        row = self._changes.new_row(table, act)
        self.rows.add(row)
        attributes = _sent({"modifiedonbehalfby": None, **row.values})
        target = Entity(table.name, row.id, attributes, labels(table, attributes, self.zone))
        post = self._images_of(row, "Create", before=False)
        outputs = {"id": row.id}
        return self._event(row, "create", "Create", act, {"Target": target}, outputs=outputs, post=post)

    def _update(self, row: Row, act: Act) -> Event:
        changes = self._changes.update(row, act)
        pre = self._images_of(row, "Update", before=True)
        self.rows.change(row, changes, act.instant)
        target = Entity(row.table.name, row.id, _sent({**changes, row.table.primary_id: row.id}))
        post = self._images_of(row, "Update", before=False)
        return self._event(row, "update", "Update", act, {"Target": target}, pre=pre, post=post)

    def _delete(self, row: Row, act: Act) -> Event:
        pre = self._images_of(row, "Delete", before=True)
        self.rows.remove(row, act.instant)
        return self._event(row, "delete", "Delete", act, {"Target": nameless(row.reference())}, pre=pre)

    def _assign(self, row: Row, act: Act) -> Event:
        changes = self._changes.owner(row)
        parameters = {"Target": nameless(row.reference()), "Assignee": nameless(changes["ownerid"])}
        return self._special(row, ASSIGN, act, changes, parameters)

    def _set_state(self, row: Row, act: Act) -> Event:
        changes = self._changes.state(row)
        moniker = nameless(row.reference())
        parameters = {
            "EntityMoniker": moniker,
            "State": changes["statecode"],
            "Status": changes["statuscode"],
        }
        return self._special(row, SET_STATE, act, changes, parameters)

    def _special(
        self, row: Row, message: str, act: Act, changes: dict[str, Value], parameters: Mapping[str, Value]
    ) -> Event:
        pre = self._images_of(row, message, before=True)
        self.rows.change(row, changes | self._changes.stamps(act, behalf=False), act.instant)
        post = self._images_of(row, message, before=False)
        return self._event(row, "update", message, act, parameters, pre=pre, post=post)

    def _association(self) -> dict[str, Value]:
        products = [self.rows.any_reference("product", self._rng) for _ in range(2)]
        return {
            "Target": nameless(self.rows.any_reference("opportunity", self._rng)),
            "Relationship": Relationship("opportunityproduct_association"),
            "RelatedEntities": References(tuple(Reference(p.id, p.logical_name) for p in products if p)),
        }

    def _images_of(self, row: Row, message: str, *, before: bool) -> dict[str, Entity]:
        wanted = self._images.get((row.table.name, message), _NO_IMAGES)
        alias, columns = (wanted.pre_alias, wanted.pre) if before else (wanted.post_alias, wanted.post)
        images: dict[str, Entity] = {}
        if columns:
            attributes = self.rows.image(row, columns)
            images[alias] = Entity(
                row.table.name, row.id, attributes, labels(row.table, attributes, self.zone)
            )
        if before == (message == "Delete"):
            named = self.rows.image(row, (row.table.primary_name,))
            images[AUTOMATIC] = Entity(row.table.name, row.id, named)
        return images

    def _event(
        self,
        row: Row | None,
        operation: str,
        message: str,
        act: Act,
        parameters: Mapping[str, Value],
        *,
        outputs: Mapping[str, Value] | None = None,
        pre: Mapping[str, Entity] | None = None,
        post: Mapping[str, Entity] | None = None,
    ) -> Event:
        delay = timedelta(seconds=self._rng.random() < 0.3)
        return Event(
            table=row.table.name if row else "none",
            id=row.id if row else EMPTY_GUID,
            operation=operation,
            message=message,
            instant=act.instant,
            operation_created_on=act.instant + delay,
            operation_id=new_guid(self._rng),
            correlation_id=new_guid(self._rng),
            user_id=act.user.id,
            initiating_user_id=act.initiating.id,
            parameters=parameters,
            outputs=outputs or {},
            pre_images=pre or {},
            post_images=post or {},
        )


def _sent(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: nameless(value) for name, value in values.items() if name != "versionnumber"}


def _whole_second(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
