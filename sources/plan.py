"""Which of the messages that lie there a pass takes, and how."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ..model.envelope import Envelope

REASON: Final = "DeadLetterReason"
"""The application property that says why a message is a dead letter."""
DESCRIPTION: Final = "DeadLetterErrorDescription"
"""The application property with the sentence to it."""
TABLE: Final = "http://schemas.microsoft.com/xrm/2011/Claims/EntityLogicalName"
"""The application property in which Dataverse names the table
(https://learn.microsoft.com/power-apps/developer/data-platform/azure-integration)."""


class Again(StrEnum):
    """What becomes of a dead letter that is rejected once more."""

    LEAVE = "leave"
    """It is held until the pass ends and then stays in its place."""
    DEFER = "defer"
    """It is set aside under its number, so that a pass of any length gets by."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a message must have to be taken; an empty part asks nothing.

    Attributes:
        reasons: Reasons of dead-lettering, one of them.
        tables: Dataverse tables, one of them, as the sender names them beside the body.
        message_ids: Ids, one of them.
        since: First instant of enqueueing, microseconds since 1970 UTC.
        until: First instant that is not taken any more.
    """

    reasons: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    message_ids: frozenset[str] = frozenset()
    since: int | None = None
    until: int | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is asked."""
        return self == Selection()

    def takes(self, envelope: Envelope) -> bool:
        """Tell whether a message is one of those meant."""
        at = envelope.enqueued_at
        return (
            (not self.reasons or reason_of(envelope) in self.reasons)
            and (not self.tables or table_of(envelope) in self.tables)
            and (not self.message_ids or envelope.message_id in self.message_ids)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """How messages are taken.

    Attributes:
        selection: Which.
        limit: How many at most; ``None``: all.
        rate: Messages a second at most; ``None``: as fast as they come.
        again: What becomes of dead letters that are rejected again.
        numbers: Sequence numbers of deferred messages: those are read, and no others.
    """

    selection: Selection = field(default_factory=Selection)
    limit: int | None = None
    rate: float | None = None
    again: Again = Again.LEAVE
    numbers: tuple[int, ...] = ()


def reason_of(envelope: Envelope) -> str:
    """Return why a message is a dead letter, or the empty string."""
    return str(envelope.properties.get(REASON) or "")


def table_of(envelope: Envelope) -> str:
    """Return the Dataverse table a message is about, in lower case, or the empty string."""
    return str(envelope.properties.get(TABLE) or "").lower()
