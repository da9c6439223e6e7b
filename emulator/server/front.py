"""The door: what a client speaks is told by its first byte, so that all of it is on one port."""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from .broker import Broker
from .connection import Connection
from .http import HttpConnection

_METHODS = b"GHPDOCT"
"""First letters of the methods of HTTP; whatever begins otherwise is answered in AMQP."""
_TLS = b"\x16"
_GREETING_SECONDS = 30


class Front(asyncio.Protocol):
    """Listens for a first byte and hands the client on: to AMQP, to HTTP, or to TLS and then to either.

    Args:
        broker: What all connections share.
        context: Gives what TLS needs, when a client asks for it first.
    """

    def __init__(self, broker: Broker, context: Callable[[], ssl.SSLContext]) -> None:
        self._broker = broker
        self._context = context
        self._pending = b""
        self._secure = False
        self._upgrade: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client that has connected, or whose TLS has begun."""
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", transport)
        self._broker.connections.add(self)
        self._timer = self._loop.call_later(_GREETING_SECONDS, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a client that went before it had said what it speaks."""
        del exc
        self._leave()

    def data_received(self, data: bytes) -> None:
        """Look at the first byte."""
        self._pending += data
        if self._upgrade is not None and not self._secure:
            return
        if self._pending[:1] == _TLS and not self._secure:
            self._upgrade = self._loop.create_task(self._begin_tls())
            return
        self._hand_on()

    def close(self, condition: str, description: str) -> None:
        """End the connection; nothing can be said before the client has spoken."""
        del condition, description
        self.abort()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._transport.abort()

    def _hand_on(self) -> None:
        http = self._pending[0] in _METHODS
        protocol = HttpConnection(self._broker) if http else Connection(self._broker)
        self._leave()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._pending)

    def _leave(self) -> None:
        self._broker.connections.discard(self)
        self._timer.cancel()

    async def _begin_tls(self) -> None:
        """Speak TLS from here on; what has come of it already is given to it once it listens."""
        hello, self._pending = self._pending, b""
        self._loop.call_soon(self._loop.call_soon, _replay, self._transport, hello)
        try:
            secured = await self._loop.start_tls(self._transport, self, self._context(), server_side=True)
        except (OSError, ssl.SSLError):
            self._transport.abort()
            self._leave()
            return
        if secured is None:
            self._leave()
            return
        self._transport, self._secure = secured, True
        if self._pending:
            self._hand_on()


def _replay(transport: asyncio.Transport, hello: bytes) -> None:
    """Give bytes that were read too early to the protocol that a transport now has."""
    protocol = transport.get_protocol()
    if not isinstance(protocol, asyncio.BufferedProtocol):
        transport.abort()
        return
    while hello:
        buffer = memoryview(protocol.get_buffer(len(hello)))
        count = min(len(buffer), len(hello))
        buffer[:count] = hello[:count]
        protocol.buffer_updated(count)
        hello = hello[count:]
