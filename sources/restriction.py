"""A restriction without a position: the broker holds the position.

The stop request travels as the claimed "position", since a DoFn sees nothing
of its tracker but ``try_claim`` and ``defer_remainder``.
"""

from typing import Any

from apache_beam import coders
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.transforms.core import RestrictionProvider


class Polling:
    """Whether there is more to poll for."""

    __slots__ = ("open",)

    def __init__(self, is_open: bool = True) -> None:
        self.open = is_open

    def __getstate__(self) -> bool:
        return self.open

    def __setstate__(self, state: bool) -> None:
        self.open = state


class PollingTracker(RestrictionTracker):
    """Claims until a stop is claimed; splits only at the checkpoint, into nothing and all."""

    def __init__(self, restriction: Polling) -> None:
        self._restriction = restriction

    def current_restriction(self) -> Polling:
        """Return what is left to this tracker."""
        return self._restriction

    def try_claim(self, position: bool) -> bool:
        """Claim one more poll; claiming ``True`` closes the restriction for good."""
        if position:
            self._restriction = Polling(is_open=False)
        return self._restriction.open

    def try_split(self, fraction_of_remainder: float) -> tuple[Polling, Polling] | None:
        """Checkpoint: keep nothing, hand on everything."""
        if fraction_of_remainder != 0 or not self._restriction.open:
            return None
        self._restriction = Polling(is_open=False)
        return self._restriction, Polling()

    def check_done(self) -> None:
        """Raise if polling was left without a stop or a checkpoint."""
        if self._restriction.open:
            raise ValueError("polling ended without a stop or a checkpoint")

    def current_progress(self) -> RestrictionProgress:
        """Return nothing done, or everything."""
        return RestrictionProgress(fraction=0.0 if self._restriction.open else 1.0)

    def is_bounded(self) -> bool:
        """Return that this may go on for ever."""
        return False


class PollingProvider(RestrictionProvider):
    """Provides :class:`Polling` to Beam."""

    def initial_restriction(self, element: Any) -> Polling:
        """Return an open restriction."""
        del element
        return Polling()

    def create_tracker(self, restriction: Polling) -> PollingTracker:
        """Return a tracker of a restriction."""
        return PollingTracker(restriction)

    def restriction_size(self, element: Any, restriction: Polling) -> int:
        """Return 1: the broker alone knows how much is left."""
        del element, restriction
        return 1

    def restriction_coder(self) -> coders.Coder:
        """Return the coder that carries a restriction between bundles."""
        return coders.PickleCoder()

    def truncate(self, element: Any, restriction: Polling) -> None:
        """Drain: receive no more."""
        del element, restriction
