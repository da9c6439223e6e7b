"""The message: what a sender gave, what the broker adds, and one delivery of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Content:
    """What a sender gave; the broker passes the encoded sections on unread.

    Attributes:
        properties: The AMQP properties section, descriptor included, or ``b""``.
        application: The application-properties section, likewise.
        body: All body sections and the footer.
        annotations: The sender's message-annotations section, or ``b""``.
        message_id: The sender's id, or ``""``.
        ttl: Time to live, seconds from enqueueing; ``None``: what the queue says.
        durable: The flag of the AMQP header.
        priority: The priority of the AMQP header; delivery ignores it.
        scheduled_at: When the message is to become available, epoch seconds;
            ``None``, or a time already past: at once.
        session_id: The session the message belongs to, if any.
        delivery_annotations: The sender's delivery-annotations section, or ``b""``.
    """

    properties: bytes = b""
    application: bytes = b""
    body: bytes = b""
    annotations: bytes = b""
    message_id: str = ""
    ttl: float | None = None
    durable: bool = True
    priority: int = 4
    scheduled_at: float | None = None
    session_id: str | None = None
    delivery_annotations: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of all sections."""
        own = len(self.properties) + len(self.application) + len(self.body) + len(self.annotations)
        return own + len(self.delivery_annotations)


Amend: TypeAlias = Callable[[bytes], bytes]
"""From the application-properties section of a message to the one it shall have."""


class State(IntEnum):
    """Where a message stands, with the numbers of the annotation ``x-opt-message-state``."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(slots=True)
class StoredMessage:
    """A message in a queue.  The queue changes it in place; others read it at once.

    Attributes:
        sequence_number: The queue's number of the message, from 1, never given
            twice.  A message keeps it in the dead-letter queue.
        content: What the sender gave.
        enqueued_at: When it was accepted or, of a scheduled message, when it
            became active; epoch seconds.
        delivery_count: Failed deliveries so far, so 0 at the first delivery.
        state: Active, deferred or scheduled.
        expires_at: End of its time to live, epoch seconds; ``None``: never.
        dead_letter: Application properties that dead-lettering added, such as
            ``DeadLetterReason`` and ``DeadLetterErrorDescription``.
        locked_until: When the present lock lapses, epoch seconds; 0 without one.
        enqueued_number: The sequence number where the message was first sent, of
            one that came from elsewhere, such as a topic; else 0.
        hops: How often it was passed on by auto-forward.
        dead_letter_source: The entity it died in, of a dead letter that was passed on; else ``""``.
    """

    sequence_number: int
    content: Content
    enqueued_at: float
    delivery_count: int = 0
    state: State = State.ACTIVE
    expires_at: float | None = None
    dead_letter: Mapping[str, str] = field(default_factory=dict)
    locked_until: float = 0.0
    enqueued_number: int = 0
    hops: int = 0
    dead_letter_source: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed to a receiver.

    Attributes:
        message: The message.
        token: The lock token; ``None`` where the message was deleted on receipt.
        locked_until: When the lock lapses unless renewed, epoch seconds; 0
            without a lock.
    """

    message: StoredMessage
    token: UUID | None
    locked_until: float


@dataclass(frozen=True, slots=True)
class SessionState:
    """What receivers have noted of a session.

    Attributes:
        data: The state, opaque to the broker.
        updated_at: When it was set, epoch seconds.
    """

    data: bytes
    updated_at: float
