"""The end of a turn of the event loop: deliver, commit, and only then speak."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ..entities.errors import EntityError
from ..entities.namespace import Namespace
from .outbox import Outbox

_RETRY = 0.5
_TICK = 0.05


class Pump(Protocol):
    """A link that delivers messages when there are some."""

    def pump(self) -> None:
        """Deliver what can be delivered now."""


class Turns:
    """Runs the end of each turn in which something happened.

    First the links that may have messages to deliver do so.  Then the
    namespace commits, once for all that the turn's requests changed.  Then
    the answers are written, so no client hears of anything that a crash could
    undo.  While the store is unavailable the answers wait.

    Args:
        namespace: What to commit and to expire.
        clock: The time in seconds since 1970.
    """

    def __init__(self, namespace: Namespace, clock: Callable[[], float]) -> None:
        self._namespace = namespace
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._pumps: dict[Pump, None] = {}
        self._outboxes: dict[Outbox, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def wake(self, pump: Pump) -> None:
        """Let a link deliver at the end of this turn."""
        self._pumps[pump] = None
        self._schedule()

    def pending(self, outbox: Outbox) -> None:
        """Let an outbox write at the end of this turn."""
        self._outboxes[outbox] = None
        self._schedule()

    def expire(self) -> None:
        """Apply what time has brought about, and come back when something is next due."""
        if self._stopped:
            return
        due = self._namespace.expire()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if due is not None:
            wait = max(due - self._clock(), _TICK)
            self._timer = self._loop.call_later(wait, self.expire)
        self._schedule()

    def stop(self) -> None:
        """Write what is said, and run no further turn."""
        self._end()
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self) -> None:
        if not self._scheduled and not self._stopped:
            self._scheduled = True
            self._loop.call_soon(self._end)

    def _end(self) -> None:
        self._scheduled = False
        pumps, self._pumps = self._pumps, {}
        for pump in pumps:
            pump.pump()
        try:
            self._namespace.commit()
        except EntityError:
            self._scheduled = True
            self._loop.call_later(_RETRY, self._end)
            return
        outboxes, self._outboxes = self._outboxes, {}
        for outbox in outboxes:
            outbox.flush()
        if pumps or outboxes:
            self.watch()

    def watch(self) -> None:
        """See to it that what came to be due in this turn is noticed in time."""
        if self._timer is None or self._timer.when() > self._loop.time() + _TICK:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(_TICK, self.expire)
