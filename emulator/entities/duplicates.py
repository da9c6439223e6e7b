"""Duplicate detection: which message ids an entity has accepted lately.

The rules are those of "Duplicate detection" in the Azure documentation: the
first message with an id is kept, later ones are accepted and dropped while the
window lasts, scheduled messages count when they are sent.
"""

from collections.abc import Iterable, Sequence

from .message import Content
from .stock import Shelf


class Duplicates:
    """The message ids that an entity has seen within its window.

    Args:
        shelf: Where they are stored; ``None``: in memory only.
    """

    def __init__(self, shelf: Shelf | None) -> None:
        self._seen: dict[str, float] = {}
        self._shelf = shelf

    def restore(self, seen: Iterable[tuple[str, float]]) -> None:
        """Take in what the store has, in the order of time."""
        self._seen.update(seen)

    def sift(self, contents: Sequence[Content], now: float, window: float) -> list[bool]:
        """Note the ids of messages that are sent now.

        Args:
            contents: The messages; one without an id is like no other.
            now: The time, epoch seconds.
            window: How long an id is remembered, seconds.

        Returns:
            Of each message, whether it is new.
        """
        self._forget(now - window)
        return [self._is_new(content.message_id, now) for content in contents]

    def _is_new(self, message_id: str, now: float) -> bool:
        if message_id in self._seen:
            return False
        if message_id:
            self._seen[message_id] = now
            if self._shelf is not None:
                self._shelf.see(message_id, now)
        return True

    def _forget(self, until: float) -> None:
        old: list[str] = []
        for message_id, at in self._seen.items():
            if at > until:
                break
            old.append(message_id)
        for message_id in old:
            del self._seen[message_id]
            if self._shelf is not None:
                self._shelf.see(message_id, None)
