"""Transfer frames, fast: one or more is sent for every message."""

import struct

from .frames import encode_frame
from .performatives import Transfer, encode_performative

TAG_LENGTH = 16
_LAYOUT = struct.Struct(">IBBH6sBIBI2s16s8s")
_OVERHEAD = _LAYOUT.size
_DESCRIBED_LIST = b"\x00\x53\x14\xc0\x25\x0b"
_BINARY_TAG = b"\xa0\x10"
_UNSETTLED = b"\x43\x42\x42\x40\x40\x42\x42\x42"
_SETTLED = b"\x43\x41\x42\x40\x40\x42\x42\x42"


def transfer_frame(
    channel: int, handle: int, delivery_id: int, tag: bytes, settled: bool, payload: bytes
) -> bytes:
    """Return the one frame of a message that fits a frame.

    Args:
        channel: Channel of the session.
        handle: Handle of the link.
        delivery_id: Number of the delivery in the session.
        tag: Delivery tag, 16 bytes.
        settled: Whether the delivery needs no settlement.
        payload: The message.
    """
    tail = _SETTLED if settled else _UNSETTLED
    size = _OVERHEAD + len(payload)
    return (
        _LAYOUT.pack(
            size, 2, 0, channel, _DESCRIBED_LIST, 0x70, handle, 0x70, delivery_id, _BINARY_TAG, tag, tail
        )
        + payload
    )


def transfer_frames(
    channel: int,
    handle: int,
    delivery_id: int,
    tag: bytes,
    settled: bool,
    payload: bytes,
    max_frame_size: int,
) -> list[bytes]:
    """Return the frames of a message, as many as the peer's frame size needs.

    Args:
        channel: Channel of the session.
        handle: Handle of the link.
        delivery_id: Number of the delivery in the session.
        tag: Delivery tag, 16 bytes.
        settled: Whether the delivery needs no settlement.
        payload: The message.
        max_frame_size: The longest frame the peer takes, in bytes.
    """
    if len(payload) + _OVERHEAD <= max_frame_size:
        return [transfer_frame(channel, handle, delivery_id, tag, settled, payload)]
    room = max_frame_size - _OVERHEAD
    starts = range(0, len(payload), room)
    frames = []
    for start in starts:
        more = start != starts[-1]
        transfer = (
            Transfer(handle, delivery_id, tag, 0, settled, more)
            if start == 0
            else Transfer(handle, settled=settled, more=more)
        )
        frames.append(encode_frame(channel, encode_performative(transfer) + payload[start : start + room]))
    return frames
