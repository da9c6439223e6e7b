"""How far reading of one entity has come, and whether it has ended."""

import threading
import time
from collections.abc import Sequence
from typing import Final

from azure.servicebus import ServiceBusMessageState, ServiceBusReceiver

from .ending import Ending, When
from .pace import Pace
from .plan import ReadPlan

_FAR: Final = 1 << 62
_PEEKED: Final = 250
"""Messages peeked at in a request."""
_CHECK_EVERY: Final = 0.5
"""Seconds between two looks for messages below the mark."""
_LEFT_AT_MOST: Final = 100_000
"""Messages that may stay where they are while the others are read.  They are held under lock, some 650
bytes each, and their locks are renewed a thousand in a request."""


class Progress:
    """Shared by all links of one entity.

    The mark is found by peeking: Service Bus tells the depth of a queue only
    to those who may manage it.  A peek returns the first message at or after a
    number, locked ones too, so halving the range of numbers finds the last.
    """

    def __init__(self, ending: Ending, plan: ReadPlan | None = None) -> None:
        self._ending = ending
        self._pace = Pace(plan or ReadPlan())
        self._sessions = 0
        self._lulls = 0
        self._lock = threading.Lock()
        self._active = time.monotonic()
        self._held = 0
        self._mark: int | None = None
        self._waiting_from = 1
        self._checked = 0.0
        self._ended = threading.Event()
        self._left: set[int] = set()
        self._highest = 0

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

    def received(self, numbers: Sequence[int]) -> None:
        """Note messages that came, none included."""
        with self._lock:
            self._held += len(numbers)
            if numbers:
                self._active = time.monotonic()
                self._highest = max(self._highest, *numbers)

    def first_unknown(self, staying: int) -> int:
        """Return the number from which on no message is held by a link of this entity.

        Args:
            staying: Messages a link holds only to pass them by.
        """
        with self._lock:
            return self._highest + 1 if self._held or staying else 1

    @property
    def blocked(self) -> bool:
        """Whether reading ended because too many messages stay where they are, before the others."""
        return len(self._left) >= _LEFT_AT_MOST

    def book(self, asked: int) -> int:
        """Return how many of the messages asked for limit and rate allow now; they count at once."""
        with self._lock:
            return self._pace.book(asked)

    def took(self, booked: int, taken: int) -> None:
        """Turn a booking into what was taken; the rest may be booked again."""
        with self._lock:
            self._pace.took(booked, taken)
            if self._pace.spent:
                self._ended.set()

    def session(self, change: int) -> None:
        """Note that a session was opened (1) or closed (-1)."""
        with self._lock:
            self._sessions += change
            self._lulls = 0
            self._active = time.monotonic()

    def no_session(self, links: int) -> None:
        """Note that no session was free for one of so many links; find out whether the ending has come.

        The broker does not tell which sessions there are, so the mark is reached when every link
        found none free, twice over, while none was read.
        """
        with self._lock:
            calm = self._sessions == 0 and self._held == 0
            self._lulls = self._lulls + 1 if calm else 0
            idle = time.monotonic() - self._active if calm else 0.0
            if self._ending.when is When.MARK and self._lulls >= 2 * links:
                self._ended.set()
            if self._ending.when is When.IDLE and calm and idle >= self._ending.idle:
                self._ended.set()

    def end(self) -> None:
        """Note that everything that was to be read has been."""
        self._ended.set()

    def known_to_wait(self) -> None:
        """Note that messages lie there, though none is received."""
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
            if self.blocked:
                self._ended.set()

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
        """Tell whether an active message at or below the mark is still in the entity.

        It looks first where one was last: before it there may be many that stay.
        """
        for start in dict.fromkeys((self._waiting_from, 1)):
            found = self._first_waiting(receiver, start)
            if found is not None:
                self._waiting_from = found
                return True
        return False

    def _first_waiting(self, receiver: ServiceBusReceiver, start: int) -> int | None:
        """Return the number of the first message, from one on, that is to be read before the end."""
        mark = self._mark or 0
        while start <= mark:
            peeked = receiver.peek_messages(_PEEKED, sequence_number=start)
            if not peeked:
                return None
            for message in peeked:
                number = message.sequence_number or 0
                if number > mark:
                    return None
                if message.state is ServiceBusMessageState.ACTIVE and number not in self._left:
                    return number
                start = number + 1
        return None


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
