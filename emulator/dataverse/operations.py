"""What can be done to a row, and the event that tells of it."""

import random
from collections.abc import Mapping
from datetime import timedelta, tzinfo
from typing import Final

from .cells import new_guid
from .changes import Changes, nameless
from .event import Event
from .images import ASSIGN, AUTOMATIC, SET_STATE, Images, Registrations
from .labels import labels
from .metadata import Table
from .people import Act
from .rows import Row, Rows
from .scalars import EMPTY_GUID
from .values import Entity, Value

_NO_IMAGES: Final = Images()


class Operations:
    """Does things to rows.

    Args:
        rng: The source of chance.
        rows: The rows as they are.
        changes: Thinks up new values.
        images: Images of the registered steps.
        zone: Time zone of the users, which shows in labels.

    Attributes:
        zone: The same.
    """

    def __init__(
        self, rng: random.Random, rows: Rows, changes: Changes, images: Registrations, zone: tzinfo
    ) -> None:
        self._rng = rng
        self._rows = rows
        self._changes = changes
        self._images = images
        self.zone: Final = zone

    def find(self, table: Table, act: Act, *, leaf: bool) -> Row | None:
        """Return a row of a table that did not change in this second, or ``None``.

        Args:
            table: The table.
            act: When.
            leaf: Whether no other row may refer to it.
        """
        for _ in range(12):
            row = self._rows.any_row(table.name, self._rng)
            if row and row.changed_at < act.instant and not (leaf and row.referrers):
                return row
        return None

    def do(self, operation: str, row: Row, act: Act) -> Event:
        """Do ``update``, ``delete``, ``assign`` or ``state`` to a row."""
        match operation:
            case "update":
                return self._update(row, act)
            case "delete":
                return self._delete(row, act)
            case "assign":
                return self._assign(row, act)
            case _:
                return self.set_state(row, act)

    def create(self, table: Table, act: Act) -> Event:
        """Create a row."""
        row = self._changes.new_row(table, act)
        self._rows.add(row)
        target = self.created(row)
        post = self._images_of(row, "Create", before=False)
        outputs = {"id": row.id}
        return self.event(row, "create", "Create", act, {"Target": target}, outputs=outputs, post=post)

    def created(self, row: Row) -> Entity:
        """Return a new row as the Target of its creation."""
        attributes = sent({"modifiedonbehalfby": None, **row.values})
        return Entity(row.table.name, row.id, attributes, labels(row.table, attributes, self.zone))

    def updated(self, row: Row, changes: dict[str, Value], act: Act) -> Entity:
        """Apply changes to a row, and return the Target that tells of them."""
        self._rows.change(row, changes, act.instant)
        return Entity(row.table.name, row.id, sent({**changes, row.table.primary_id: row.id}))

    def _update(self, row: Row, act: Act) -> Event:
        changes = self._changes.update(row, act)
        pre = self._images_of(row, "Update", before=True)
        target = self.updated(row, changes, act)
        post = self._images_of(row, "Update", before=False)
        return self.event(row, "update", "Update", act, {"Target": target}, pre=pre, post=post)

    def _delete(self, row: Row, act: Act) -> Event:
        pre = self._images_of(row, "Delete", before=True)
        self._rows.remove(row, act.instant)
        return self.event(row, "delete", "Delete", act, {"Target": nameless(row.reference())}, pre=pre)

    def _assign(self, row: Row, act: Act) -> Event:
        changes = self._changes.owner(row)
        parameters = {"Target": nameless(row.reference()), "Assignee": nameless(changes["ownerid"])}
        return self._special(row, ASSIGN, act, changes, parameters)

    def set_state(self, row: Row, act: Act, message: str = SET_STATE) -> Event:
        """Give a row another state.

        Args:
            row: The row.
            act: Who and when.
            message: Which of the two messages tells of it.
        """
        changes = self._changes.state(row)
        moniker = nameless(row.reference())
        parameters = {
            "EntityMoniker": moniker,
            "State": changes["statecode"],
            "Status": changes["statuscode"],
        }
        return self._special(row, message, act, changes, parameters)

    def _special(
        self, row: Row, message: str, act: Act, changes: dict[str, Value], parameters: Mapping[str, Value]
    ) -> Event:
        pre = self._images_of(row, message, before=True)
        self._rows.change(row, changes | self._changes.stamps(act, behalf=False), act.instant)
        post = self._images_of(row, message, before=False)
        return self.event(row, "update", message, act, parameters, pre=pre, post=post)

    def _images_of(self, row: Row, message: str, *, before: bool) -> dict[str, Entity]:
        wanted = self._images.get((row.table.name, message), _NO_IMAGES)
        alias, columns = (wanted.pre_alias, wanted.pre) if before else (wanted.post_alias, wanted.post)
        images: dict[str, Entity] = {}
        if columns:
            attributes = self._rows.image(row, columns)
            images[alias] = Entity(
                row.table.name, row.id, attributes, labels(row.table, attributes, self.zone)
            )
        if before == (message == "Delete"):
            named = self._rows.image(row, (row.table.primary_name,))
            images[AUTOMATIC] = Entity(row.table.name, row.id, named)
        return images

    def event(
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
        """Return what tells of an operation.

        Args:
            row: The row; ``None`` where it changes none.
            operation: ``create``, ``update``, ``delete`` or ``event``.
            message: Name of the message.
            act: Who and when.
            parameters: Input parameters.
            outputs: Output parameters.
            pre: Images before.
            post: Images after.
        """
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


def sent(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return values as a Target carries them: lookups without names, and no row version."""
    return {name: nameless(value) for name, value in values.items() if name != "versionnumber"}
