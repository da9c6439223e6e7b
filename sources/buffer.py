"""What lies between the receiving threads and the graph: bounded in messages and bytes."""

import threading
from collections import deque

from ..model.envelope import MicroBatch


class Buffer:
    """A queue of micro-batches that knows what is in flight.

    In flight is everything received and not yet settled or given up, queued
    here or already on its way through the graph.  Receiving stops at either
    bound, so a sink that is away stops the receiving and not the process.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._changed = threading.Condition()
        self._batches: deque[MicroBatch] = deque()
        self._messages = 0
        self._bytes = 0

    def reserve(self, messages: int) -> int:
        """Return how many messages may be received now, at most those asked for; they count at once."""
        with self._changed:
            if self._bytes >= self._max_bytes:
                return 0
            granted = max(0, min(messages, self._max_messages - self._messages))
            self._messages += granted
            return granted

    def arrived(self, granted: int, messages: int, size: int) -> None:
        """Turn a reservation into what it brought, perhaps nothing; the rest of it is given back."""
        with self._changed:
            self._messages += messages - granted
            self._bytes += size
            self._changed.notify_all()

    def put(self, batch: MicroBatch) -> None:
        """Queue messages that have arrived."""
        with self._changed:
            self._batches.append(batch)
            self._changed.notify_all()

    def take(self, timeout: float) -> MicroBatch | None:
        """Return the next micro-batch, or ``None`` after so many seconds or a :meth:`wake`."""
        with self._changed:
            if not self._batches:
                self._changed.wait(timeout)
            return self._batches.popleft() if self._batches else None

    def ended(self, messages: int, size: int) -> None:
        """Take settled or given-up messages out of the count."""
        with self._changed:
            self._messages -= messages
            self._bytes -= size
            self._changed.notify_all()

    def wake(self) -> None:
        """Let a waiting :meth:`take` return."""
        with self._changed:
            self._changed.notify_all()

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be taken."""
        with self._changed:
            return not self._batches

    @property
    def in_flight(self) -> int:
        """Messages received, or asked for, and not yet ended."""
        with self._changed:
            return self._messages
