"""Verdicts and dispositions: how a message's journey ends.

The law of the house: every envelope that is received ends in exactly one
disposition, and is settled on the broker only after that end is durable.
"""

from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct


class Outcome(StrEnum):
    """The three ends a message can have."""

    COMMITTED = "committed"
    SKIPPED = "skipped"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why a message was rejected.  Stable codes: people filter by them."""

    UNDECODABLE = "undecodable"
    UNKNOWN_ENCODING = "unknown-encoding"
    NOT_A_CONTEXT = "not-a-context"
    NO_TABLE = "no-table"
    NO_KEY = "no-key"
    BAD_VALUE = "bad-value"
    TYPE_CONFLICT = "type-conflict"
    TOO_LARGE = "too-large"
    CONTRACT = "contract"
    REFUSED = "refused"


class Verdict(Struct, frozen=True, gc=False):
    """What is to become of one message.

    Attributes:
        outcome: ``COMMITTED`` stands for "its rows are to be committed" until
            they are.
        event: The event id that the ids of its rows begin with; empty for a
            message that has none.
        rows: Rows the message became, over all tables; their event ids are
            ``<event>-0`` to ``<event>-<rows - 1>``.
        reason: A :class:`Reason`, or the empty string.
        sentence: One sentence a person can act on, or the empty string.
        where: Byte offset or path of the fault, or the empty string.
    """

    outcome: Outcome
    event: str = ""
    rows: int = 0
    reason: str = ""
    sentence: str = ""
    where: str = ""

    @classmethod
    def rejected(cls, reason: Reason, sentence: str, where: str = "") -> "Verdict":
        """Return the verdict that sends a message to quarantine."""
        return cls(Outcome.REJECTED, reason=reason, sentence=sentence, where=where)


class Disposition(Struct, frozen=True, gc=False):
    """The durable end of one message, and what it takes to settle it.

    Attributes:
        sequence_number: The broker's number of the message.
        enqueued_at: Microseconds since 1970 UTC; with entity and number it
            names the message even when an entity is deleted and made again.
        lock_token: As in the envelope.
        verdict: How it ended.
    """

    sequence_number: int
    enqueued_at: int
    lock_token: bytes | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class DispositionBatch:
    """Dispositions of one entity, all of them durable: fit to be settled.

    Only a step that has committed makes these.
    """

    entity: str
    dispositions: tuple[Disposition, ...]
