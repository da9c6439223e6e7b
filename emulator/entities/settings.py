"""What is configured of an entity."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """What an entity lets be done, in the words of the management API."""

    ACTIVE = "Active"
    DISABLED = "Disabled"
    SEND_DISABLED = "SendDisabled"
    RECEIVE_DISABLED = "ReceiveDisabled"


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Settings of one queue, topic or subscription; the defaults are those of Service Bus, Standard tier.

    A topic has no use for what is said of locks, deliveries and dead letters.

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
        status: What it lets be done, one of :class:`Status`.
        forward_to: The queue or topic that its messages are passed on to.
        forward_dead_letters_to: The queue or topic that its dead letters are passed on to.
        auto_delete_on_idle: After how long without use it is deleted, seconds, at
            least 300; ``None``: never.
        user_metadata: What a user noted of it, up to 1,024 characters.
        noted: What else management clients were told to keep, by the names of the
            management API; it has no effect here.

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
    status: str = Status.ACTIVE
    forward_to: str | None = None
    forward_dead_letters_to: str | None = None
    auto_delete_on_idle: float | None = None
    user_metadata: str = ""
    noted: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.lock_duration <= 0:
            raise ValueError(f"lock_duration is {self.lock_duration} s; it must be above 0")
        if self.max_delivery_count < 1:
            raise ValueError(f"max_delivery_count is {self.max_delivery_count}; it must be at least 1")
        for name in ("default_ttl", "duplicate_window"):
            seconds = getattr(self, name)
            if seconds is not None and seconds <= 0:
                raise ValueError(f"{name} is {seconds} s; it must be above 0, or None")
        if self.max_message_size < 1:
            raise ValueError(f"max_message_size is {self.max_message_size} bytes; it must be at least 1")
        if self.status not in set(Status):
            raise ValueError(f"status is {self.status!r}; it must be one of {', '.join(Status)}")
        if self.auto_delete_on_idle is not None and self.auto_delete_on_idle < 300:
            raise ValueError(f"auto_delete_on_idle is {self.auto_delete_on_idle} s; it must be at least 300")
        if len(self.user_metadata) > 1024:
            raise ValueError(f"user_metadata has {len(self.user_metadata)} characters; it may have 1024")

    @property
    def sends(self) -> bool:
        """Whether messages can be sent to it."""
        return self.status in {Status.ACTIVE, Status.RECEIVE_DISABLED}

    @property
    def receives(self) -> bool:
        """Whether messages can be received from it."""
        return self.status in {Status.ACTIVE, Status.SEND_DISABLED}
