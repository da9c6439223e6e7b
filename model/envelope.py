"""The message envelope: what the broker handed over, still sealed."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct, field


class Envelope(Struct, frozen=True, gc=False):
    """One delivery of one message, before anyone has read its body.

    The broker client's own message object is reduced to this at once and goes
    no further, so an envelope may be pickled and may outlive its link.

    Attributes:
        body: The bytes of the body, all data sections joined.
        entity: Path of the queue or subscription the message came from, as
            configured, with its sub-queue (``orders/$deadletterqueue``).
        sequence_number: The broker's number of the message in the entity.
        enqueued_at: When the broker accepted the message, microseconds since
            1970 UTC; 0 when unknown.
        received_at: When this delivery reached us, microseconds since 1970 UTC.
        message_id: The sender's id.  Redeliveries share it.
        correlation_id: The sender's correlation id, or the empty string.
        content_type: The sender's content type, or the empty string.
        properties: Application properties, keys as text.
        delivery_count: Deliveries before this one, as on the wire (0 first).
        lock_token: Proof of the peek-lock, 16 bytes in RFC 4122 order;
            ``None`` where there is nothing to settle.
        locked_until: When the lock lapses unless renewed, microseconds since
            1970 UTC; 0 when unknown.
    """

    body: bytes
    entity: str
    sequence_number: int
    enqueued_at: int = 0
    received_at: int = 0
    message_id: str = ""
    correlation_id: str = ""
    content_type: str = ""
    properties: Mapping[str, "str | bytes | int | float | bool | None"] = field(default_factory=dict)
    delivery_count: int = 0
    lock_token: bytes | None = None
    locked_until: int = 0


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Envelopes of one entity that travel the graph as one element.

    Attributes:
        entity: The entity all of them came from.
        envelopes: At least one, in the order received.
    """

    entity: str
    envelopes: tuple[Envelope, ...]

    @property
    def size(self) -> int:
        """Bytes of all bodies."""
        return sum(len(envelope.body) for envelope in self.envelopes)
