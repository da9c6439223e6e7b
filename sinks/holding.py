"""What a commit does while a sink is away: wait, say so, and stop when asked.

Nothing is settled while a sink is away, so waiting loses nothing; failing
would hand the messages back to the broker, which counts each hand-back and at
last dead-letters good messages.
"""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..model.errors import BridgeError, Fenced, SinkUnavailable

stopping: Final = threading.Event()
"""Set it to ask every commit in this process not to wait for a sink any longer.

A commit whose sinks are there is not disturbed by it.
"""

taken_over: Final[list[Fenced]] = []
"""What commits in this process were told when another bridge took their sink over."""

OnHold = Callable[[str, BridgeError, float], None]
"""Called with the sink's name, its error, and the seconds until the next try."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between tries: doubling, capped, with jitter.

    Attributes:
        first: Seconds before the second try, at most.
        cap: Seconds no wait exceeds.
    """

    first: float = 0.5
    cap: float = 30.0

    def seconds(self, attempt: int) -> float:
        """Return the wait after a failed attempt, counted from 0; half of it is random."""
        full = min(self.cap, self.first * 2.0 ** min(attempt, 32))
        return full * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


def log_hold(sink: str, error: BridgeError, seconds: float) -> None:
    """Log that the bridge holds."""
    _log.warning("Holding: %s. Nothing is settled; next try of %s in %.1f s", error, sink, seconds)


class Holding:
    """The waiting of one committer.

    Args:
        backoff: How long to wait.
        stop: Ends the waiting.
        on_hold: Told before each wait.
    """

    def __init__(self, backoff: Backoff, stop: threading.Event, on_hold: OnHold) -> None:
        self._backoff = backoff
        self._stop = stop
        self._on_hold = on_hold

    def wait(self, sink: str, error: BridgeError, attempt: int) -> None:
        """Wait before the next try.

        Raises:
            SinkUnavailable: A stop was requested before or during the wait.
        """
        seconds = self._backoff.seconds(attempt)
        if not self._stop.is_set():
            self._on_hold(sink, error, seconds)
        if self._stop.wait(seconds):
            raise SinkUnavailable(f"Stopped while waiting for a sink. {error}") from error
