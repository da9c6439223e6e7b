"""How many messages may be asked for now."""

import time
from collections.abc import Callable

from .plan import ReadPlan


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
