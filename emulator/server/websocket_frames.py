"""The frames of WebSockets (RFC 6455, section 5): out of the stream a client sends, and into one."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MAX_MESSAGE: Final = 4 * 1024 * 1024
"""Longest frame, and longest message of several frames, that is taken, bytes."""

MAX_CONTROL: Final = 125
"""Longest payload of a control frame, bytes."""

NORMAL: Final = 1000
"""The status code of a close that is nobody's fault (section 7.4.1)."""

PROTOCOL_ERROR: Final = 1002
"""That of bytes that break the protocol."""

UNSUPPORTED: Final = 1003
"""That of data of a kind that is not taken."""

TOO_BIG: Final = 1009
"""That of a message that is too long."""

_SHORT, _LONG = 126, 127


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
            raise Broken(TOO_BIG, f"A frame may have {MAX_MESSAGE} bytes.")
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
        raise Broken(PROTOCOL_ERROR, f"There is no opcode {first & 0x0F}.") from None
    length = second & 0x7F
    if first & 0x70:
        raise Broken(PROTOCOL_ERROR, "Reserved bits are set, and no extension was agreed on.")
    if not second & 0x80:
        raise Broken(PROTOCOL_ERROR, "A client must mask its frames.")
    if opcode >= Opcode.CLOSE and (length > MAX_CONTROL or not first & 0x80):
        raise Broken(PROTOCOL_ERROR, "A control frame is too long or fragmented.")
    return opcode, length


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """Apply the mask: both as one great number, which costs a tenth of going byte by byte."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
