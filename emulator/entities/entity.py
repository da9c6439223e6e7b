"""What a link needs of an entity, whatever its kind."""

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from .message import Amend, Content, Delivery, StoredMessage


class Target(Protocol):
    """An entity that a sender can be attached to."""

    @property
    def name(self) -> str:
        """The address, as created."""

    def send(self, contents: Sequence[Content]) -> list[int]:
        """Accept messages; their sequence numbers."""

    def schedule(self, contents: Sequence[Content]) -> list[int]:
        """Accept messages for the times they carry; their sequence numbers while scheduled."""

    def cancel(self, sequence_numbers: Sequence[int]) -> None:
        """Remove scheduled messages, all or none."""


class Source(Protocol):
    """An entity that a receiver can be attached to.

    Requests that name several tokens or numbers are applied whole or not at all.
    """

    @property
    def name(self) -> str:
        """The address, as created."""

    def receive(self, count: int, *, lock: bool) -> list[Delivery]:
        """Take up to ``count`` available messages, locked or else deleted."""

    def receive_deferred(self, sequence_numbers: Sequence[int], *, lock: bool) -> list[Delivery]:
        """Take deferred messages."""

    def complete(self, tokens: Sequence[UUID]) -> None:
        """Delete locked messages."""

    def abandon(self, tokens: Sequence[UUID], amend: Amend | None = None) -> None:
        """Give locked messages back, as failed deliveries."""

    def defer(self, tokens: Sequence[UUID], amend: Amend | None = None) -> None:
        """Set locked messages aside until asked for by number."""

    def dead_letter(
        self,
        tokens: Sequence[UUID],
        reason: str,
        description: str,
        amend: Amend | None = None,
    ) -> None:
        """Move locked messages to the dead-letter queue."""

    def release(self, tokens: Sequence[UUID]) -> None:
        """Give locked messages back as if never delivered; other tokens are ignored."""

    def lapse(self, tokens: Sequence[UUID]) -> None:
        """Let locks lapse at once, as if their time had come; other tokens are ignored."""

    def renew(self, tokens: Sequence[UUID]) -> list[float]:
        """Prolong locks; when each lapses, epoch seconds."""

    def peek(self, from_sequence: int, count: int) -> list[StoredMessage]:
        """Browse messages of every kind by sequence number."""

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called whenever messages may have become available."""

    def unsubscribe(self, callback: Callable[[], None]) -> None:
        """End a subscription."""
