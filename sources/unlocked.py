"""Messages that are worked on without a lock: handed back to the broker before anything is done with them."""

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ..model.envelope import Envelope
from ..model.verdict import Disposition, Verdict
from .journal import Key

_REMEMBERED: Final = 10_000
"""Ends that are remembered; a message that another consumer took does not come back for its own."""


class Gone(NamedTuple):
    """What is under way no more: messages, and bytes of their bodies."""

    messages: int
    size: int


class Unlocked:
    """The messages of one entity under way without a lock, and how those that were ended.

    Nothing settles them while they are under way.  They come again, since they lie in the entity, and
    are settled then by the verdict noted here, which is durable in every sink before it is noted.

    Args:
        patience: Seconds after which an end that was not told is not waited for any longer.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._sizes: dict[Key, int] = {}
        self._ends: dict[Key, Verdict] = {}
        self._since = 0.0

    def pass_on(self, envelopes: Sequence[Envelope]) -> None:
        """Note messages that were handed back and go on."""
        with self._lock:
            self._since = time.monotonic()
            self._sizes.update((key_of(envelope), len(envelope.body)) for envelope in envelopes)

    def holds(self, envelope: Envelope) -> bool:
        """Tell whether a message is under way without a lock."""
        return key_of(envelope) in self._sizes

    def end(self, dispositions: Iterable[Disposition]) -> Gone:
        """Note how messages ended, all of it durable; return what is under way no more."""
        with self._lock:
            sizes = []
            for item in dispositions:
                key = (item.sequence_number, item.enqueued_at)
                if item.lock_token is None and key in self._sizes:
                    sizes.append(self._sizes.pop(key))
                    self._ends[key] = item.verdict
            for key in list(self._ends)[:-_REMEMBERED]:
                del self._ends[key]
            return Gone(len(sizes), sum(sizes))

    def verdict(self, envelope: Envelope) -> Verdict | None:
        """Return how a message ended, or ``None`` if it has not."""
        return self._ends.get(key_of(envelope))

    def forget(self, envelopes: Iterable[Envelope]) -> Gone:
        """Forget messages and their ends; return what is under way no more."""
        with self._lock:
            keys = [key_of(envelope) for envelope in envelopes]
            for key in keys:
                self._ends.pop(key, None)
            sizes = [self._sizes.pop(key) for key in keys if key in self._sizes]
            return Gone(len(sizes), sum(sizes))

    def overdue(self) -> Gone:
        """Give up what has been under way for too long; return it."""
        with self._lock:
            if not self._sizes or time.monotonic() < self._since + self._patience:
                return Gone(0, 0)
            gone = Gone(len(self._sizes), sum(self._sizes.values()))
            self._sizes.clear()
            return gone


def key_of(envelope: Envelope) -> Key:
    """Return what names a message in its entity."""
    return envelope.sequence_number, envelope.enqueued_at
