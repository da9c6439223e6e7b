"""A clock that stands until it is moved."""


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
