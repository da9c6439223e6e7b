"""How many messages may be asked for now."""

import time
from collections.abc import Callable
from typing import Final

from .plan import ReadPlan

_CAUTION: Final = 4
"""Failed deliveries of a message up to which it is read as any other."""


class Pace:
    """Keeps a pass to its limit and rate.  Not safe for threads by itself.

    Args:
        plan: With limit and rate.
        clock: Monotonic seconds.
    """

    def __init__(self, plan: ReadPlan, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = plan.limit
        self._rate = plan.rate
        self._clock = clock
        self._booked = 0
        self._taken = 0
        self._saved = 1.0
        self._then = clock()

    @property
    def spent(self) -> bool:
        """Whether as many were taken as may be."""
        return self._limit is not None and self._taken >= self._limit

    def book(self, asked: int) -> int:
        """Return how many of the messages asked for may be received now; they count at once."""
        if self._limit is not None:
            asked = min(asked, self._limit - self._booked)
        if self._rate is not None:
            now = self._clock()
            self._saved = min(self._saved + (now - self._then) * self._rate, max(self._rate, 1.0))
            self._then = now
            asked = min(asked, int(self._saved))
            self._saved -= asked
        self._booked += asked
        return asked

    def took(self, booked: int, taken: int) -> None:
        """Turn a booking into what was taken of it; the rest may be booked again."""
        self._booked -= booked - taken
        self._saved += booked - taken
        self._taken += taken


def safe_number(delivery_count: int, max_deliveries: int, batch: int) -> int:
    """Return how many messages may be under way together, by the worst delivery count among them.

    A message that ends the process takes all that is under way with it, and after
    ``max_deliveries`` such ends the broker dead-letters them all, good ones too.  So what has
    failed often travels in ever smaller company, and alone on its last delivery.

    >>> [safe_number(count, 10, 1000) for count in (0, 4, 5, 6, 7, 8, 9)]
    [1000, 1000, 251, 63, 16, 4, 1]
    """
    calm = min(_CAUTION, max_deliveries - 2)
    if delivery_count <= calm:
        return batch
    left, first = max_deliveries - 1 - delivery_count, max_deliveries - 1 - calm
    return max(1, round(batch ** (max(left, 0) / first)))
