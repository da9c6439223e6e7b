"""Clocks that a test can move."""

import time
from collections.abc import Callable


class ManualClock:
    """Gives the time to a namespace where time must not pass by itself.

    Args:
        now: The time to begin with, epoch seconds.

    Examples:
        >>> clock = ManualClock(1000.0)
        >>> clock.advance(2.5)
        >>> clock()
        1002.5
    """

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """The time, epoch seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._now += seconds


class ShiftedClock:
    """Goes with another clock, and can be moved ahead of it.

    Args:
        clock: Gives the time to go with, epoch seconds.

    Examples:
        >>> clock = ShiftedClock(lambda: 1000.0)
        >>> clock.advance(60)
        >>> clock()
        1060.0
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ahead = 0.0

    def __call__(self) -> float:
        """The time, epoch seconds."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._ahead += seconds
