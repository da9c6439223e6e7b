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
        loser: A parameter that is the key of a row merged into the target.
    """

    op: str
    target: str = "Target"
    columns: Mapping[str, str] = field(default_factory=dict)
    content: str = ""
    loser: str = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that rows are made of."""
        others = tuple(name for name in (self.content, self.loser) if name)
        return (self.target, *self.columns, *others)


_STATE: Final = Meaning("update", "EntityMoniker", {"State": "statecode", "Status": "statuscode"})

MEANINGS: Final[Mapping[str, Meaning]] = {
    "Create": Meaning("create"),
    "Update": Meaning("update"),
    "Upsert": Meaning("update"),
    "Delete": Meaning("delete"),
    "Assign": Meaning("update", columns={"Assignee": "ownerid"}),
    "SetState": _STATE,
    "SetStateDynamicEntity": _STATE,
    "Merge": Meaning("update", content="UpdateContent", loser="SubordinateId"),
    "CreateMultiple": Meaning("create", "Targets"),
    "UpdateMultiple": Meaning("update", "Targets"),
    "UpsertMultiple": Meaning("update", "Targets"),
    "DeleteMultiple": Meaning("delete", "Targets"),
    "OnExternalCreated": Meaning("create"),
    "OnExternalUpdated": Meaning("update"),
    "OnExternalDeleted": Meaning("delete"),
}
"""Messages that change rows; every other message is an event."""

PAIRING: Final[Mapping[str, str]] = {"Associate": "create", "Disassociate": "delete"}
"""Messages that make or end pairs of rows, and what they do in the intersect table.

Where their parameters do not name pairs they are events, as all other messages are.
Source: https://learn.microsoft.com/dotnet/api/microsoft.xrm.sdk.messages.associaterequest
"""

PAIR_PARAMETERS: Final = ("Target", "Relationship", "RelatedEntities")
"""The parameters of those that pairs are made of."""

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
