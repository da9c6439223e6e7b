"""What is configured of an entity."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Settings of one queue; the defaults are those of Service Bus, Standard tier.

    Attributes:
        lock_duration: How long a peek-lock holds unless renewed, seconds, above 0.
        max_delivery_count: Failed deliveries after which a message goes to the
            dead-letter queue, at least 1.
        default_ttl: Time to live of messages, seconds; also the upper limit of
            what a sender may ask for.  ``None``: for ever.
        dead_letter_on_expiry: Whether a message past its time to live goes to
            the dead-letter queue; else it is dropped.
        max_message_size: Largest message accepted, bytes.
        dead_letter_on_filter_error: Of a subscription, whether a message on which
            a rule fails goes to the dead-letter queue; else it is passed over.
        requires_session: Whether every message belongs to a session, and
            receivers take one session at a time; settled at the creation.
        duplicate_window: For how long, seconds, messages with the id of one that
            was accepted are dropped; ``None``: duplicates are not looked for.

    Raises:
        ValueError: A setting is outside its range.
    """

    lock_duration: float = 60.0
    max_delivery_count: int = 10
    default_ttl: float | None = None
    dead_letter_on_expiry: bool = False
    max_message_size: int = 262144
    dead_letter_on_filter_error: bool = True
    requires_session: bool = False
    duplicate_window: float | None = None

    def __post_init__(self) -> None:
        if self.lock_duration <= 0:
            raise ValueError(f"lock_duration is {self.lock_duration} s; it must be above 0")
        if self.max_delivery_count < 1:
            raise ValueError(f"max_delivery_count is {self.max_delivery_count}; it must be at least 1")
        if self.default_ttl is not None and self.default_ttl <= 0:
            raise ValueError(f"default_ttl is {self.default_ttl} s; it must be above 0, or None")
        if self.duplicate_window is not None and self.duplicate_window <= 0:
            raise ValueError(f"duplicate_window is {self.duplicate_window} s; it must be above 0, or None")
        if self.max_message_size < 1:
            raise ValueError(f"max_message_size is {self.max_message_size} bytes; it must be at least 1")
