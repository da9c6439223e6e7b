"""A small seeded organisation: rows, operations on them, and what became of both."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Final

from .cells import Cells, new_guid
from .changes import Changes, nameless
from .event import Event, TrueRow, pairs, replay
from .images import Registrations, default_images
from .operations import Operations
from .people import People
from .rare import Rare, Rarities
from .rows import Rows
from .scalars import Guid
from .service_tables import TABLES
from .values import Reference, References, Relationship, Value

PACIFIC: Final = timezone(timedelta(hours=-7))
"""A server seven hours behind UTC all year, so that a careless reader of dates is found out."""

_TABLES: Final = dict(zip(TABLES, (20, 22, 16, 5, 16, 14, 7), strict=True))
_OPERATIONS: Final = {"update": 72, "create": 16, "delete": 7, "assign": 2.5, "state": 2.5}


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
        others: Events that changed no row (see :meth:`aside` and :meth:`rarity`).
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
        self._rng = random.Random(f"{seed}/organization")  # noqa: S311 - a simulation, not a secret
        self.id: Final = new_guid(self._rng)
        self.people: Final = People(self._rng)
        self.rows: Final = Rows(self.people.everybody)
        cells = Cells(self._rng, zone)
        self._changes = Changes(self._rng, cells, self.rows, self.people, 5_000_000_000)
        registered = default_images() if images is None else images
        self._operations = Operations(self._rng, self.rows, self._changes, registered, zone)
        self._rarities = Rarities(self._rng, self.rows, self._changes, self.people, self._operations)
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
        row = self._operations.find(table, act, leaf=operation == "delete") if operation != "create" else None
        event = (
            self._operations.create(table, act) if row is None else self._operations.do(operation, row, act)
        )
        self._happened(event)
        return event

    def rarity(self, kind: Rare, instant: datetime) -> Event:
        """Make a rare thing happen, and return the event its message tells of.

        Where it tells of several rows, the others are in ``also``, and all
        are in the history.

        Args:
            kind: What happens; an ordinary Create where it cannot.
            instant: Aware; cut to whole seconds.
        """
        act = self.people.act(self._rng, _whole_second(instant))
        event = self._rarities.happen(kind, act)
        if event.operation == "event":
            self.others.append(event)
        else:
            self._happened(event)
        return event

    def _happened(self, event: Event) -> None:
        self.now = event.instant + timedelta(seconds=1)
        if self._remember:
            self.history.extend((event, *event.also))

    def truth(self) -> Mapping[str, Mapping[str, TrueRow]]:
        """Return table, key and row as they should end, from what messages told."""
        return replay(self.history)

    def pairs(self) -> set[tuple[str, Guid, Guid]]:
        """Return relationship, row and related row of what is associated in the end."""
        return pairs(self.others)

    def aside(self, instant: datetime) -> Event:
        """Return an event that changes no row: an association, or a call of a custom API."""
        act = self.people.act(self._rng, _whole_second(instant))
        if self._rng.random() < 0.5:
            event = self._operations.event(None, "event", "Associate", act, self._association())
        else:
            parameters: dict[str, Value] = {
                "Factor": Decimal("1.250"),
                "Reason": "año nuevo / 年度",
                "DryRun": True,
            }
            event = self._operations.event(None, "event", "cr1_Recalculate", act, parameters)
        self.others.append(event)
        return event

    def _association(self) -> dict[str, Value]:
        products = [self.rows.any_reference("product", self._rng) for _ in range(2)]
        return {
            "Target": nameless(self.rows.any_reference("opportunity", self._rng)),
            "Relationship": Relationship("opportunityproduct_association"),
            "RelatedEntities": References(tuple(Reference(p.id, p.logical_name) for p in products if p)),
        }


def _whole_second(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
