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
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, cast

from ..admin.http import HttpRequest, HttpResponse
from .broker import Route

PATH: Final = "/$servicebus/websocket"
"""Where a client asks for it, in lower case."""

SUBPROTOCOL: Final = "AMQPWSB10"
"""What the messages carry."""

MAX_MESSAGE: Final = 4 * 1024 * 1024
"""Longest frame, and longest message of several frames, that is taken, bytes."""

_PIECE: Final = 64 * 1024
"""Longest message that is sent: clients have limits too, aiohttp one of 4 MiB."""


_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES: Final = 16
_MAX_CONTROL: Final = 125
_SHORT, _LONG = 126, 127
_PROTOCOL_ERROR, _UNSUPPORTED, _TOO_BIG, _NORMAL = 1002, 1003, 1009, 1000


class Opcode(IntEnum):
    """What a frame is (section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Broken(Exception):
    """Bytes that break the protocol.

    Attributes:
        code: The status code to close with (section 7.4.1).
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class WebSocketFrame:
    """A frame, unmasked.

    Attributes:
        opcode: What it is.
        payload: What it carries.
        final: Whether it ends its message.
    """

    opcode: Opcode
    payload: bytes
    final: bool = True


def encode_websocket_frame(opcode: Opcode, payload: bytes) -> bytes:
    """The bytes of a whole message as a server sends it, unmasked."""
    size = len(payload)
    if size < _SHORT:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return struct.pack(">BBH", 0x80 | opcode, _SHORT, size) + payload
    return struct.pack(">BBQ", 0x80 | opcode, _LONG, size) + payload


class FrameCutter:
    """Cuts the frames a client sends out of a stream of bytes."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes from the stream."""
        self._data += data

    def next(self) -> WebSocketFrame | None:
        """The next frame, once it is whole.

        Raises:
            Broken: A frame is malformed, not masked, or too long.
        """
        data = self._data
        if len(data) < 2:
            return None
        opcode, length = _read_head(data[0], data[1])
        start = 2 + {_SHORT: 2, _LONG: 8}.get(length, 0)
        if len(data) < start:
            return None
        if length >= _SHORT:
            length = int.from_bytes(data[2:start], "big")
        if length > MAX_MESSAGE:
            raise Broken(_TOO_BIG, f"A frame may have {MAX_MESSAGE} bytes.")
        end = start + 4 + length
        if len(data) < end:
            return None
        payload = _unmasked(bytes(data[start + 4 : end]), bytes(data[start : start + 4]))
        final = bool(data[0] & 0x80)
        del data[:end]
        return WebSocketFrame(opcode, payload, final)


def _read_head(first: int, second: int) -> tuple[Opcode, int]:
    try:
        opcode = Opcode(first & 0x0F)
    except ValueError:
        raise Broken(_PROTOCOL_ERROR, f"There is no opcode {first & 0x0F}.") from None
    length = second & 0x7F
    if first & 0x70:
        raise Broken(_PROTOCOL_ERROR, "Reserved bits are set, and no extension was agreed on.")
    if not second & 0x80:
        raise Broken(_PROTOCOL_ERROR, "A client must mask its frames.")
    if opcode >= Opcode.CLOSE and (length > _MAX_CONTROL or not first & 0x80):
        raise Broken(_PROTOCOL_ERROR, "A control frame is too long or fragmented.")
    return opcode, length


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """Apply the mask: both as one great number, which costs a tenth of going byte by byte."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


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
            self._end(_NORMAL, "")
        elif frame.opcode is Opcode.TEXT:
            raise Broken(_UNSUPPORTED, "AMQP comes in binary messages.")
        elif frame.opcode is not Opcode.PONG:
            self._gather(frame)

    def _gather(self, frame: WebSocketFrame) -> None:
        """Put a message together and hand it on."""
        if (frame.opcode is Opcode.CONTINUATION) == (self._parts is None):
            raise Broken(_PROTOCOL_ERROR, "A message begins inside another, or goes on without a beginning.")
        parts = self._parts or []
        parts.append(frame.payload)
        self._size += len(frame.payload)
        if self._size > MAX_MESSAGE:
            raise Broken(_TOO_BIG, f"A message may have {MAX_MESSAGE} bytes.")
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
            self._carrier.write(_farewell(_NORMAL, ""))
            self._carrier.close()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._carrier.abort()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the carrier knows."""
        return self._carrier.get_extra_info(name, default)


def _farewell(code: int, reason: str) -> bytes:
    return encode_websocket_frame(Opcode.CLOSE, struct.pack(">H", code) + reason.encode()[: _MAX_CONTROL - 2])


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
