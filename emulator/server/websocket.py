"""AMQP over WebSockets (RFC 6455), the way in where only HTTP gets through.

The client asks for it at ``/$servicebus/websocket`` with the subprotocol
``AMQPWSB10``; then every binary message carries bytes of the AMQP connection,
wherever they begin and end.
"""

import asyncio
import base64
import binascii
import hashlib
import struct
from collections.abc import Callable
from typing import Any, Final, cast

from ..admin.http import HttpRequest, HttpResponse
from .broker import Route
from .websocket_frames import (
    MAX_CONTROL,
    MAX_MESSAGE,
    NORMAL,
    PROTOCOL_ERROR,
    TOO_BIG,
    UNSUPPORTED,
    Broken,
    FrameCutter,
    Opcode,
    WebSocketFrame,
    encode_websocket_frame,
)

PATH: Final = "/$servicebus/websocket"
"""Where a client asks for it, in lower case."""

SUBPROTOCOL: Final = "AMQPWSB10"
"""What the messages carry."""

_PIECE: Final = 64 * 1024
"""Longest message that is sent: clients have limits too, aiohttp one of 4 MiB."""


_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16


class WebSocketProtocol(asyncio.Protocol):
    """The server's end of one WebSocket, with a protocol inside that takes it for its transport.

    Args:
        inner: What is spoken inside.
    """

    def __init__(self, inner: asyncio.Protocol) -> None:
        self._inner = inner
        self._cutter = FrameCutter()
        self._parts: list[bytes] | None = None
        self._size = 0
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over from HTTP."""
        self._transport = cast("asyncio.Transport", transport)
        self._inner.connection_made(WebSocketTransport(self._transport))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell what is inside that the client went."""
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take bytes and do what the frames in them say."""
        if self._over:
            return
        self._cutter.feed(data)
        try:
            while not self._over and (frame := self._cutter.next()) is not None:
                self._take(frame)
        except Broken as error:
            self._end(error.code, str(error))

    def _take(self, frame: WebSocketFrame) -> None:
        if frame.opcode is Opcode.PING:
            self._transport.write(encode_websocket_frame(Opcode.PONG, frame.payload))
        elif frame.opcode is Opcode.CLOSE:
            self._end(NORMAL, "")
        elif frame.opcode is Opcode.TEXT:
            raise Broken(UNSUPPORTED, "AMQP comes in binary messages.")
        elif frame.opcode is not Opcode.PONG:
            self._gather(frame)

    def _gather(self, frame: WebSocketFrame) -> None:
        """Put a message together and hand it on."""
        if (frame.opcode is Opcode.CONTINUATION) == (self._parts is None):
            raise Broken(PROTOCOL_ERROR, "A message begins inside another, or goes on without a beginning.")
        parts = self._parts or []
        parts.append(frame.payload)
        self._size += len(frame.payload)
        if self._size > MAX_MESSAGE:
            raise Broken(TOO_BIG, f"A message may have {MAX_MESSAGE} bytes.")
        self._parts = parts
        if frame.final:
            self._parts, self._size = None, 0
            self._inner.data_received(b"".join(parts))

    def _end(self, code: int, reason: str) -> None:
        """Say goodbye, if it was not said, and close; what still comes is not read."""
        self._over = True
        if not self._transport.is_closing():
            self._transport.write(_farewell(code, reason))
            self._transport.close()


class WebSocketTransport(asyncio.Transport):
    """A transport whose bytes travel in binary messages.

    Args:
        transport: What carries the frames.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._carrier = transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes as messages of no great length."""
        pieces = (bytes(data[start : start + _PIECE]) for start in range(0, len(data), _PIECE))
        self._carrier.write(b"".join(encode_websocket_frame(Opcode.BINARY, piece) for piece in pieces))

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._carrier.is_closing()

    def close(self) -> None:
        """Say goodbye and close."""
        if not self._carrier.is_closing():
            self._carrier.write(_farewell(NORMAL, ""))
            self._carrier.close()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._carrier.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the carrier knows."""
        return self._carrier.get_extra_info(name, default)


def _farewell(code: int, reason: str) -> bytes:
    return encode_websocket_frame(Opcode.CLOSE, struct.pack(">H", code) + reason.encode()[: MAX_CONTROL - 2])


def websocket_route(make: Callable[[], asyncio.Protocol]) -> Route:
    """What answers those who ask for a WebSocket.

    Args:
        make: Makes what is spoken inside.
    """

    def answer(request: HttpRequest) -> HttpResponse | None:
        if request.target.partition("?")[0].lower().rstrip("/") != PATH:
            return None
        headers = request.headers
        key, offered = headers.get("sec-websocket-key", ""), headers.get("sec-websocket-protocol", "")
        if request.method != "GET" or headers.get("upgrade", "").lower() != "websocket" or not _is_key(key):
            return HttpResponse(
                426, b"Ask for a WebSocket here.", headers={"Upgrade": "websocket", "Connection": "Upgrade"}
            )
        if headers.get("sec-websocket-version") != "13":
            return HttpResponse(426, b"Version 13 is spoken here.", headers={"Sec-WebSocket-Version": "13"})
        if SUBPROTOCOL.lower() not in {each.strip().lower() for each in offered.split(",")}:
            return HttpResponse(400, f"Offer the subprotocol {SUBPROTOCOL}.".encode())
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()  # noqa: S324 - RFC 6455
        return HttpResponse(
            101,
            headers={
                "Upgrade": "websocket",
                "Sec-WebSocket-Accept": accept,
                "Sec-WebSocket-Protocol": SUBPROTOCOL,
            },
            protocol=lambda: WebSocketProtocol(make()),
        )

    return answer


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False
