"""What the bridge has done so far, counted in one place in the process.

Beam's local runner shows its own metrics only after a run, and background
threads have no step context, so every room counts here.
"""

import threading
from collections import Counter
from collections.abc import Mapping


class Counters:
    """Thread-safe counters by name.

    >>> counters = Counters()
    >>> counters.add("received", 3)
    >>> counters.add("received")
    >>> counters.read()["received"]
    4
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Add to one counter."""
        with self._lock:
            self._counts[name] += count

    def read(self) -> Mapping[str, int]:
        """Return a copy of all counters; a name never counted is 0."""
        with self._lock:
            return Counter(self._counts)

    def reset(self) -> None:
        """Forget everything counted."""
        with self._lock:
            self._counts.clear()


counters = Counters()
"""The counters of this process.  Names: received, received_bytes, redelivered, committed,
skipped, rejected, hydrated, hydration_deferred, rows, flushes, settled, given_up, renewed,
locks_lost, sink_retries, reconnects, stalled, throttled, passed_by, deferred, not_found."""
