"""The one place through which everything the server says passes."""

import asyncio
from collections import deque
from collections.abc import Callable


class Outbox:
    """What one connection is about to say.

    Frames collect here until the end of the event loop's turn, when the store
    is committed; then they leave in one write, or ``latency`` later, as if the
    client were that far away.

    Args:
        transport: Where the bytes go.
        latency: Delay of everything said, in seconds.
        pending: Called when there is something to flush.
    """

    def __init__(
        self, transport: asyncio.Transport, latency: float, pending: Callable[["Outbox"], None]
    ) -> None:
        self._transport = transport
        self._latency = latency
        self._pending = pending
        self._frames: list[bytes] = []
        self._delayed: deque[tuple[float, bytes]] = deque()
        self._closing = False
        self._extra = 0.0
        self._loop = asyncio.get_running_loop()

    def send(self, data: bytes) -> None:
        """Say something at the end of this turn."""
        if not self._frames:
            self._pending(self)
        self._frames.append(data)

    def delay(self, seconds: float) -> None:
        """Let what is said in this turn leave so much later; what follows stays behind it."""
        self._extra = max(self._extra, seconds)

    def close(self) -> None:
        """Close the connection once everything is said."""
        self._closing = True
        self._pending(self)

    def flush(self) -> None:
        """Write what has been said; the server calls it once the store is committed."""
        data, self._frames = b"".join(self._frames), []
        late, self._extra = self._latency + self._extra, 0.0
        if not late and not self._delayed:
            self._write(data)
            return
        self._delayed.append((self._loop.time() + late, data))
        if len(self._delayed) == 1:
            self._loop.call_at(self._delayed[0][0], self._release)

    def _release(self) -> None:
        now = self._loop.time()
        while self._delayed and self._delayed[0][0] <= now:
            self._write(self._delayed.popleft()[1])
        if self._delayed:
            self._loop.call_at(self._delayed[0][0], self._release)

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        if data:
            self._transport.write(data)
        if self._closing and not self._delayed and not self._frames:
            self._transport.close()
