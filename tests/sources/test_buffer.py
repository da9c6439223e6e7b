"""The buffer never lets more in than its bounds, and never loses a batch."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.sources.buffer import Buffer


def arrive(buffer: Buffer, batch: MicroBatch, granted: int) -> None:
    buffer.arrived(granted, len(batch.envelopes), batch.size)
    buffer.put(batch)


def batch_of(count: int, size: int = 10) -> MicroBatch:
    return MicroBatch("q", tuple(Envelope(b"x" * size, "q", number) for number in range(count)))


@given(asks=st.lists(st.integers(1, 50), max_size=40), bound=st.integers(1, 100))
def test_no_more_is_granted_than_the_bound(asks: list[int], bound: int) -> None:
    buffer = Buffer(bound, 10**9)
    held = 0
    for ask in asks:
        granted = buffer.reserve(ask)
        held += granted
        assert granted <= ask
        assert held <= bound
        if not granted:
            assert held == bound
            buffer.ended(held, 0)
            held = 0


def test_what_was_granted_and_did_not_come_is_given_back() -> None:
    buffer = Buffer(10, 10**9)
    assert buffer.reserve(10) == 10
    arrive(buffer, batch_of(3), 10)
    assert buffer.in_flight == 3
    assert buffer.reserve(10) == 7


def test_bytes_bound_the_buffer_too() -> None:
    buffer = Buffer(1000, 50)
    arrive(buffer, batch_of(5, size=10), buffer.reserve(5))
    assert buffer.reserve(1) == 0
    buffer.ended(1, 10)
    assert buffer.reserve(1) == 1


def test_a_waiting_reader_is_woken_by_a_batch() -> None:
    buffer = Buffer(10, 10**9)
    got: list[MicroBatch | None] = []
    reader = threading.Thread(target=lambda: got.append(buffer.take(30)))
    reader.start()
    sent = batch_of(2)
    arrive(buffer, sent, buffer.reserve(2))
    reader.join(30)
    assert got == [sent]


def test_a_wake_ends_the_waiting() -> None:
    buffer = Buffer(10, 10**9)
    woken = threading.Event()

    def read() -> None:
        while buffer.take(30) is None and not done.is_set():
            pass
        woken.set()

    done = threading.Event()
    threading.Thread(target=read, daemon=True).start()
    done.set()
    while not woken.wait(0.01):
        buffer.wake()
