"""How far reading of one entity has come, and whether it has ended."""

import threading
import time
from typing import Final

from azure.servicebus import ServiceBusMessageState, ServiceBusReceiver

from .ending import Ending, When

_FAR: Final = 1 << 62
_CHECK_EVERY: Final = 0.5
"""Seconds between two looks for messages below the mark."""


class Progress:
    """Shared by all links of one entity.

    The mark is found by peeking: Service Bus tells the depth of a queue only
    to those who may manage it.  A peek returns the first message at or after a
    number, locked ones too, so halving the range of numbers finds the last.
    """

    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._lock = threading.Lock()
        self._active = time.monotonic()
        self._held = 0
        self._mark: int | None = None
        self._checked = 0.0
        self._ended = threading.Event()
        self._left: set[int] = set()

    @property
    def ended(self) -> bool:
        """Whether this entity needs no more receiving."""
        return self._ended.is_set()

    def opened(self, receiver: ServiceBusReceiver) -> None:
        """Take the mark, once, on the first link that opens; idleness counts from now."""
        self._active = time.monotonic()
        if self._ending.when is When.MARK and self._mark is None:
            mark = last_number(receiver)
            with self._lock:
                if self._mark is None:
                    self._mark = mark

    def received(self, count: int) -> None:
        """Note messages that came, none included."""
        with self._lock:
            self._held += count
            if count:
                self._active = time.monotonic()

    def dropped(self, count: int) -> None:
        """Note messages that are settled or given up."""
        with self._lock:
            self._held -= count
            self._active = time.monotonic()

    def leave(self, sequence_number: int) -> None:
        """Note a message that is to stay where it is."""
        with self._lock:
            self._left.add(sequence_number)

    def left(self, sequence_number: int) -> bool:
        """Tell whether a message is to stay where it is."""
        return sequence_number in self._left

    def check(self, receiver: ServiceBusReceiver) -> None:
        """Find out whether the ending has come; asks the broker at most twice a second."""
        now = time.monotonic()
        with self._lock:
            idle = now - self._active if self._held == 0 else 0.0
            due = now - self._checked >= _CHECK_EVERY
            if due:
                self._checked = now
        if self._ending.when is When.IDLE and idle >= self._ending.idle:
            self._ended.set()
        if self._ending.when is When.MARK and due and not self._pending(receiver):
            self._ended.set()

    def _pending(self, receiver: ServiceBusReceiver) -> bool:
        """Tell whether an active message at or below the mark is still in the entity."""
        mark, start = self._mark or 0, 1
        while start <= mark:
            peeked = receiver.peek_messages(100, sequence_number=start)
            if not peeked:
                return False
            for message in peeked:
                number = message.sequence_number or 0
                if number > mark:
                    return False
                if message.state is ServiceBusMessageState.ACTIVE and number not in self._left:
                    return True
                start = number + 1
        return False


def last_number(receiver: ServiceBusReceiver) -> int:
    """Return the highest sequence number in an entity now, 0 if it is empty."""
    low, high = 0, _FAR
    while low < high:
        middle = (low + high + 1) // 2
        peeked = receiver.peek_messages(1, sequence_number=middle)
        if peeked:
            low = max(middle, peeked[0].sequence_number or 0)
        else:
            high = middle - 1
    return low
