"""A connection that speaks HTTP/1.1: the management API, and whatever else has a route."""

import asyncio
from typing import cast

from ..admin.http import HttpError, HttpResponse, RequestReader
from .broker import Broker

_IDLE_SECONDS = 120


class HttpConnection(asyncio.Protocol):
    """The server's end of one connection.

    Args:
        broker: What all connections share; its routes answer the requests.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._reader = RequestReader()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client that has connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._broker.connections.add(self)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a client that went."""
        del exc
        self._broker.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take bytes and answer the requests that are whole, one after the other."""
        self._wait()
        self._reader.feed(data)
        try:
            for request in self._reader.requests():
                response, stays = self._broker.answer_http(request), request.stays
                if response.protocol is not None:
                    self._go_on(response, response.protocol())
                    return
                self._say(response, stays=stays, with_body=request.method != "HEAD")
                if not stays:
                    return
        except HttpError as error:
            self._say(HttpResponse(error.status, error.sentence.encode()), stays=False)

    def close(self, condition: str, description: str) -> None:
        """End the connection once everything is said."""
        del condition, description
        self._transport.close()

    def abort(self) -> None:
        """Drop the connection without a word, as a broken network does."""
        self._transport.abort()

    def _say(self, response: HttpResponse, *, stays: bool, with_body: bool = True) -> None:
        self._transport.write(response.encode(stays=stays, with_body=with_body))
        if not stays:
            self._transport.close()

    def _go_on(self, response: HttpResponse, protocol: asyncio.Protocol) -> None:
        """Hand the connection, and what has come of it already, to what it goes on as."""
        self._transport.write(response.encode(stays=True))
        self.connection_lost(None)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._reader.rest:
            protocol.data_received(self._reader.rest)

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._transport.close)
