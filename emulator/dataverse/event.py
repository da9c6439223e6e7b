"""What happened in the organisation, and what a message about it tells."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .images import ASSIGN, AUTOMATIC, STATES
from .plain import Plain, plain
from .scalars import EMPTY_GUID, Guid
from .values import Entity, Reference, References, Relationship, Value


@dataclass(frozen=True, slots=True)
class Event:
    """One operation on one row, with everything its message will carry.

    Attributes:
        table: Logical name; ``none`` for what is no change of a row.
        id: The row's key; all zeros where there is none.
        operation: ``create``, ``update``, ``delete``, or ``event``.
        message: Message name (``Update``, ``Assign``).
        instant: When the row changed: UTC, whole seconds.
        operation_created_on: When the job to post it was made: the same or a
            second later.  UTC.
        operation_id: Id of that job; the sender's retries share it.
        correlation_id: Id of the request that caused it.
        user_id: Who it ran as.
        initiating_user_id: Who asked for it.
        parameters: Input parameters.
        outputs: Output parameters.
        pre_images: Alias to the row before, the automatic image included.
        post_images: Alias to the row after, the automatic image included.
        share: Of a message about several rows, what it tells of this one.
        also: What the same message tells of the other rows.
        truncated: Whether it was too large to be sent whole, and so tells nothing.
    """

    table: str
    id: Guid
    operation: str
    message: str
    instant: datetime
    operation_created_on: datetime
    operation_id: Guid
    correlation_id: Guid
    user_id: Guid
    initiating_user_id: Guid
    parameters: Mapping[str, Value]
    outputs: Mapping[str, Value] = field(default_factory=dict)
    pre_images: Mapping[str, Entity] = field(default_factory=dict)
    post_images: Mapping[str, Entity] = field(default_factory=dict)
    share: Entity | None = None
    also: "tuple[Event, ...]" = ()
    truncated: bool = False

    @property
    def primary_id(self) -> Guid:
        """The row the message names as its subject: none where it has several targets."""
        return EMPTY_GUID if "Targets" in self.parameters else self.id

    @property
    def target(self) -> Entity | Reference | None:
        """The ``Target``: a row, or a reference to one; ``None`` where the message has none."""
        target = self.parameters.get("Target")
        return target if isinstance(target, Entity | Reference) else None

    @property
    def columns(self) -> dict[str, Plain]:
        """Columns the message tells, with values; null is told, absent is not.

        Per column the later source counts: configured pre image (deletes
        only), Target or its like, configured post image.  The automatic image
        does not count.
        """
        told: dict[str, Value] = {}
        for entity in self._sources():
            told.update(entity.attributes)
        return {name: plain(value) for name, value in told.items()}

    @property
    def labels(self) -> dict[str, str]:
        """Formatted value of each column, from the source that gave its value."""
        told: dict[str, str] = {}
        for entity in self._sources():
            told = {name: text for name, text in told.items() if name not in entity.attributes}
            told.update(entity.formatted_values)
        return told

    @property
    def occurred_at(self) -> datetime:
        """The instant a reader can know: ``modifiedon`` of Target or post image, else the job's."""
        if self.operation != "delete":
            modified = self.columns.get("modifiedon")
            if isinstance(modified, datetime):
                return modified
        return self.operation_created_on

    def _sources(self) -> Iterator[Entity]:
        if self.share is not None:
            yield self.share
            return
        if self.operation == "delete":
            yield from _configured(self.pre_images)
        target = self.target
        if isinstance(target, Entity):
            yield target
        elif self.message == ASSIGN:
            yield Entity(self.table, self.id, {"ownerid": self.parameters["Assignee"]})
        elif self.message in STATES:
            state, status = self.parameters["State"], self.parameters["Status"]
            yield Entity(self.table, self.id, {"statecode": state, "statuscode": status})
        yield from _configured(self.post_images)


def _configured(images: Mapping[str, Entity]) -> Iterator[Entity]:
    return (image for alias, image in images.items() if alias != AUTOMATIC)


@dataclass(frozen=True, slots=True)
class TrueRow:
    """A row as it ends, as far as messages have told of it.

    Attributes:
        values: Column to value; a column that no message carried is absent.
        deleted: Whether it is gone; the values are then the last ones told.
    """

    values: Mapping[str, Plain]
    deleted: bool


def pairs(events: Iterable[Event]) -> set[tuple[str, Guid, Guid]]:
    """Return relationship, row and related row of what is associated after these events.

    Args:
        events: In the order they happened; what is no association counts for nothing.
    """
    found: set[tuple[str, Guid, Guid]] = set()
    for event in events:
        target, related = event.target, event.parameters.get("RelatedEntities")
        relationship = event.parameters.get("Relationship")
        if isinstance(target, Reference) and isinstance(related, References):
            name = relationship.schema_name if isinstance(relationship, Relationship) else ""
            told = {(name, target.id, each.id) for each in related.items}
            found = found | told if event.message == "Associate" else found - told
    return found


def replay(history: Iterable[Event]) -> dict[str, dict[str, TrueRow]]:
    """Return table, key and row after these events, given in the order they happened.

    Column by column, so that a partial update leaves the others alone.
    """
    values: dict[tuple[str, str], dict[str, Plain]] = {}
    deleted: set[tuple[str, str]] = set()
    for event in history:
        key = (event.table, str(event.id))
        values.setdefault(key, {}).update(event.columns)
        if event.operation == "delete":
            deleted.add(key)
    tables: dict[str, dict[str, TrueRow]] = {}
    for (table, row), columns in values.items():
        tables.setdefault(table, {})[row] = TrueRow(columns, (table, row) in deleted)
    return tables
