"""What each message of Dataverse does to rows.

Source: the messages a step can be registered on, and their parameters
(https://learn.microsoft.com/power-apps/developer/data-platform/reference/sdk-message-entity,
https://learn.microsoft.com/power-apps/developer/data-platform/bulk-operations).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a message that changes rows does.

    Attributes:
        op: create, update or delete.
        target: The parameter that names the row, or lists the rows.
        columns: Parameters that are columns: parameter to column.
        content: A parameter that is a record of columns, beside the target.
    """

    op: str
    target: str = "Target"
    columns: Mapping[str, str] = field(default_factory=dict)
    content: str = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that rows are made of."""
        return (self.target, *self.columns, *((self.content,) if self.content else ()))


_STATE: Final = Meaning("update", "EntityMoniker", {"State": "statecode", "Status": "statuscode"})

MEANINGS: Final[Mapping[str, Meaning]] = {
    "Create": Meaning("create"),
    "Update": Meaning("update"),
    "Upsert": Meaning("update"),
    "Delete": Meaning("delete"),
    "Assign": Meaning("update", columns={"Assignee": "ownerid"}),
    "SetState": _STATE,
    "SetStateDynamicEntity": _STATE,
    "Merge": Meaning("update", content="UpdateContent"),
    "CreateMultiple": Meaning("create", "Targets"),
    "UpdateMultiple": Meaning("update", "Targets"),
    "UpsertMultiple": Meaning("update", "Targets"),
    "DeleteMultiple": Meaning("delete", "Targets"),
    "OnExternalCreated": Meaning("create"),
    "OnExternalUpdated": Meaning("update"),
    "OnExternalDeleted": Meaning("delete"),
}
"""Messages that change rows; every other message is an event."""

NO_TABLE: Final = frozenset({"", "none"})
"""What PrimaryEntityName is where a message concerns no table."""

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


def changes_rows(message: str) -> bool:
    """Tell whether a message changes rows."""
    return message in MEANINGS
