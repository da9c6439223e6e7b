"""Frames: however the bytes arrive, the same frames come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.emulator.amqp.errors import DecodeError
from cdsbridge.emulator.amqp.frames import AMQP_HEADER, EMPTY_FRAME, Frame, FrameReader, encode_frame
from cdsbridge.emulator.amqp.performatives import Transfer, decode_performative
from cdsbridge.emulator.amqp.transfers import transfer_frames

_BODIES = st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=300)), max_size=8)


def _read(reader: FrameReader) -> list[Frame]:
    frames = []
    while (frame := reader.next_frame()) is not None:
        frames.append(frame)
    return frames


@given(_BODIES, st.lists(st.integers(1, 400), min_size=1, max_size=50))
def test_frames_are_the_same_however_their_bytes_arrive(
    bodies: list[tuple[int, bytes]], sizes: list[int]
) -> None:
    stream = AMQP_HEADER + b"".join(encode_frame(channel, body) for channel, body in bodies)
    reader, frames, header, position, turn = FrameReader(1024), [], None, 0, 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        reader.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
        header = header or reader.next_header()
        if header:
            frames += _read(reader)
    assert header == AMQP_HEADER
    assert frames == [Frame(0, channel, body) for channel, body in bodies]


def test_a_heartbeat_is_a_frame_without_a_body() -> None:
    reader = FrameReader(512)
    reader.feed(EMPTY_FRAME)
    assert reader.next_frame() == Frame(0, 0, b"")


def test_an_extended_header_is_passed_over() -> None:
    reader = FrameReader(512)
    reader.feed(bytes.fromhex("0000000e03000001") + b"extdab")
    assert reader.next_frame() == Frame(0, 1, b"ab")


@pytest.mark.parametrize(
    "prefix", ["0000100102000000", "0000000701000000", "0000000801000000", "0000000805000000"]
)
def test_a_frame_with_an_impossible_header_is_refused(prefix: str) -> None:
    reader = FrameReader(4096)
    reader.feed(bytes.fromhex(prefix))
    with pytest.raises(DecodeError):
        reader.next_frame()


@given(st.binary(max_size=3000), st.booleans(), st.integers(0, 2**32 - 1), st.integers(512, 4096))
def test_a_message_is_cut_into_frames_that_fit_and_put_together_again(
    message: bytes, settled: bool, number: int, max_frame_size: int
) -> None:
    frames = transfer_frames(7, 3, number, b"0123456789abcdef", settled, message, max_frame_size)
    assert all(len(frame) <= max_frame_size for frame in frames)
    reader = FrameReader(max_frame_size)
    reader.feed(b"".join(frames))
    transfers, payload = [], b""
    for frame in _read(reader):
        assert frame.channel == 7
        transfer, position = decode_performative(frame.body)
        assert isinstance(transfer, Transfer)
        transfers.append(transfer)
        payload += frame.body[position:]
    assert payload == message
    assert transfers[0][:5] == (3, number, b"0123456789abcdef", 0, settled)
    assert [transfer.more for transfer in transfers] == [True] * (len(frames) - 1) + [False]
    assert all(transfer.handle == 3 and transfer.settled is settled for transfer in transfers)
