"""Frames: the pieces a connection is cut into (AMQP 1.0 part 2, section 2.3)."""

import struct
from typing import NamedTuple

from .errors import DecodeError

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
AMQP_FRAME = 0
SASL_FRAME = 1
EMPTY_FRAME = b"\x00\x00\x00\x08\x02\x00\x00\x00"
"""A frame that says nothing but that the connection lives."""

MIN_MAX_FRAME_SIZE = 512
_PREFIX = struct.Struct(">IBBH")


class Frame(NamedTuple):
    """One frame as it came.

    Attributes:
        kind: ``AMQP_FRAME`` or ``SASL_FRAME``.
        channel: The channel; 0 for a SASL frame.
        body: Performative and payload; empty in a heartbeat.
    """

    kind: int
    channel: int
    body: bytes


def encode_frame(channel: int, body: bytes, kind: int = AMQP_FRAME) -> bytes:
    """Put a frame header before a body."""
    return _PREFIX.pack(len(body) + 8, 2, kind, channel) + body


class FrameReader:
    """Cuts a stream of bytes into protocol headers and frames.

    Args:
        max_frame_size: The longest frame allowed, in bytes.
    """

    def __init__(self, max_frame_size: int) -> None:
        self._max_frame_size = max_frame_size
        self._data = b""
        self._position = 0

    def feed(self, data: bytes) -> None:
        """Append bytes that arrived."""
        rest = self._data[self._position :]
        self._data = rest + data if rest else data
        self._position = 0

    def next_header(self) -> bytes | None:
        """Return the next eight bytes as a protocol header, ``None`` until they are there."""
        if len(self._data) - self._position < 8:
            return None
        self._position += 8
        return self._data[self._position - 8 : self._position]

    def next_frame(self) -> Frame | None:
        """Return the next frame, ``None`` until it is complete.

        Raises:
            DecodeError: The frame is longer than allowed or its header wrong.
        """
        data, start = self._data, self._position
        if len(data) - start < 8:
            return None
        size, offset, kind, channel = _PREFIX.unpack_from(data, start)
        if size > self._max_frame_size:
            raise DecodeError(f"a frame of {size} bytes is over the limit of {self._max_frame_size}")
        if offset < 2 or offset * 4 > size:
            raise DecodeError(f"a frame of {size} bytes cannot begin its body at byte {offset * 4}")
        end = start + size
        if len(data) < end:
            return None
        self._position = end
        return Frame(kind, channel, data[start + offset * 4 : end])
