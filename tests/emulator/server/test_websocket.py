"""AMQP over WebSockets: the real client, both of its kinds, and frames that a client should not send."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.emulator.amqp.frames import AMQP_HEADER
from cdsbridge.emulator.amqp.sections import DATA, section
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.emulator.server.websocket_frames import (
    MAX_MESSAGE,
    Broken,
    FrameCutter,
    Opcode,
    WebSocketFrame,
    encode_websocket_frame,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
BODIES = ["small", "x" * 200, "y" * 70_000]


@pytest.fixture(scope="module")
def served() -> Iterator[RunningBroker]:
    namespace = Namespace()
    namespace.create_queue("q")
    with run_in_thread(namespace) as running:
        yield running


def options(broker: RunningBroker) -> dict[str, Any]:
    return {
        "conn_str": broker.connection_string,
        "transport_type": TransportType.AmqpOverWebsocket,
        "custom_endpoint_address": f"sb://localhost:{broker.port}",
        "retry_total": 0,
    }


def test_the_client_sends_receives_and_settles(served: RunningBroker) -> None:
    with ServiceBusClient.from_connection_string(**options(served)) as client:
        with client.get_queue_sender("q") as sender:
            sender.send_messages([ServiceBusMessage(body) for body in BODIES])
        with client.get_queue_receiver("q") as receiver:
            messages = receiver.receive_messages(3, 5)
            for message in messages:
                receiver.complete_message(message)
            assert receiver.peek_messages(1, sequence_number=1) == []
    assert [str(message) for message in messages] == BODIES


def test_the_asynchronous_client_sends_receives_and_settles(served: RunningBroker) -> None:
    async def exchange() -> list[str]:
        async with AsyncClient.from_connection_string(**options(served)) as client:
            async with client.get_queue_sender("q") as sender:
                await sender.send_messages([ServiceBusMessage(body) for body in BODIES])
            async with client.get_queue_receiver("q") as receiver:
                messages = await receiver.receive_messages(3, 5)
                for message in messages:
                    await receiver.complete_message(message)
        return [str(message) for message in messages]

    assert asyncio.run(exchange()) == BODIES


def test_more_than_a_client_takes_in_one_message_comes_in_several(served: RunningBroker) -> None:
    """Six megabytes that are ready at once, to a client that takes four in a message."""
    contents = [Content(body=section(DATA, bytes(200_000))) for _ in range(30)]
    served.call(lambda namespace: namespace.queue("q").send(contents))

    async def receive() -> int:
        async with (
            AsyncClient.from_connection_string(**options(served)) as client,
            client.get_queue_receiver("q", receive_mode="receiveanddelete", prefetch_count=29) as receiver,
        ):
            received = 0
            while received < len(contents):
                messages = await receiver.receive_messages(30, 5)
                assert messages
                received += len(messages)
            return received

    assert asyncio.run(receive()) == len(contents)


def test_it_is_spoken_over_tls(served: RunningBroker) -> None:
    plain = options(served)
    plain["conn_str"] = plain["conn_str"].replace(";UseDevelopmentEmulator=true", "")
    with (
        ServiceBusClient.from_connection_string(**plain, connection_verify=str(served.certificate)) as client,
        client.get_queue_receiver("q") as receiver,
    ):
        assert receiver.peek_messages(1) == []


def masked(opcode: int, payload: bytes, *, final: bool = True, mask: bytes = b"\1\2\3\4") -> bytes:
    """A frame as a client sends it (RFC 6455, section 5.2)."""
    size = len(payload)
    head = bytes((opcode | (0x80 if final else 0),))
    if size < 126:
        head += bytes((0x80 | size,))
    else:
        head += struct.pack(">BH", 0x80 | 126, size) if size < 65536 else struct.pack(">BQ", 0x80 | 127, size)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def upgrade(**changes: str | None) -> bytes:
    headers: dict[str, str | None] = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "AMQPWSB10",
    }
    headers.update({name.replace("_", "-"): value for name, value in changes.items()})
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join(["GET /$servicebus/websocket HTTP/1.1", *lines, "", ""]).encode()


@pytest.fixture
def raw(served: RunningBroker) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", served.port), timeout=5)) as opened:
        yield opened


def read_until(raw: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        more = raw.recv(65536)
        assert more, data
        data += more
    return data


@pytest.fixture
def opened(raw: socket.socket) -> socket.socket:
    """A socket on which the handshake is done."""
    raw.sendall(upgrade())
    head = read_until(raw, b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    assert b"Sec-WebSocket-Protocol: AMQPWSB10\r\n" in head
    return raw


def answers(raw: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = raw.recv(65536)
        if not more:
            break
        data += more
    return data


def test_bytes_of_amqp_may_be_cut_anywhere_with_a_ping_between(opened: socket.socket) -> None:
    parts = [
        masked(Opcode.BINARY, AMQP_HEADER[:3], final=False),
        masked(Opcode.PING, b"are you there"),
        masked(Opcode.CONTINUATION, AMQP_HEADER[3:5], final=False),
        masked(Opcode.CONTINUATION, b"", final=False),
        masked(Opcode.CONTINUATION, AMQP_HEADER[5:6]),
        masked(Opcode.PONG, b"unasked"),
        masked(Opcode.BINARY, AMQP_HEADER[6:]),
    ]
    for byte in b"".join(parts):
        opened.sendall(bytes((byte,)))
    pong = encode_websocket_frame(Opcode.PONG, b"are you there")
    header = encode_websocket_frame(Opcode.BINARY, AMQP_HEADER)
    assert answers(opened, len(pong + header)) == pong + header


def test_a_client_that_says_goodbye_is_answered_and_parted_with(opened: socket.socket) -> None:
    opened.sendall(masked(Opcode.CLOSE, struct.pack(">H", 1000)))
    assert answers(opened, 9) == encode_websocket_frame(Opcode.CLOSE, struct.pack(">H", 1000))


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (b"\x82\x01x", 1002),
        (masked(0x42, b"x"), 1002),
        (masked(3, b"x"), 1002),
        (masked(Opcode.PING, b"x" * 126), 1002),
        (masked(Opcode.PING, b"x", final=False), 1002),
        (masked(Opcode.CONTINUATION, b"x"), 1002),
        (masked(Opcode.BINARY, b"x", final=False) + masked(Opcode.BINARY, b"x"), 1002),
        (masked(Opcode.TEXT, b"x"), 1003),
        (struct.pack(">BBQ", 0x82, 0xFF, MAX_MESSAGE + 1), 1009),
        (struct.pack(">BBQ", 0x82, 0xFF, 2**63), 1009),
        (
            struct.pack(">BBQ4x", Opcode.BINARY, 0xFF, MAX_MESSAGE)
            + bytes(MAX_MESSAGE)
            + masked(Opcode.CONTINUATION, b"x"),
            1009,
        ),
    ],
    ids=[
        "not masked",
        "reserved bits",
        "unknown opcode",
        "long ping",
        "fragmented ping",
        "no beginning",
        "two beginnings",
        "text",
        "long frame",
        "endless frame",
        "long message",
    ],
)
def test_what_breaks_the_protocol_ends_it_with_the_code_for_it(
    opened: socket.socket, frames: bytes, code: int
) -> None:
    opened.sendall(frames)
    data = answers(opened, 1 << 20)
    assert data[0] == 0x88
    assert struct.unpack(">H", data[2:4])[0] == code
    assert data[4:].decode()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (upgrade(Upgrade=None), 426),
        (upgrade(Sec_WebSocket_Key="short"), 426),
        (upgrade(Sec_WebSocket_Version="8"), 426),
        (upgrade(Sec_WebSocket_Protocol="chat"), 400),
        (upgrade(Sec_WebSocket_Protocol=None), 400),
    ],
    ids=["no upgrade", "bad key", "old version", "other protocol", "no protocol"],
)
def test_a_handshake_that_is_not_right_is_refused(raw: socket.socket, request_: bytes, status: int) -> None:
    raw.sendall(request_)
    assert read_until(raw, b"\r\n\r\n").startswith(b"HTTP/1.1 %d " % status)


def test_amqp_that_comes_with_the_handshake_is_not_lost(raw: socket.socket) -> None:
    raw.sendall(upgrade() + masked(Opcode.BINARY, AMQP_HEADER))
    header = encode_websocket_frame(Opcode.BINARY, AMQP_HEADER)
    data = read_until(raw, b"\r\n\r\n")
    while not data.endswith(header):
        data += raw.recv(100)


@given(
    st.lists(
        st.tuples(st.binary(max_size=300), st.booleans(), st.binary(min_size=4, max_size=4)), max_size=6
    ),
    st.integers(1, 50),
)
def test_frames_come_out_of_a_stream_as_they_went_in(
    frames: list[tuple[bytes, bool, bytes]], step: int
) -> None:
    stream = b"".join(
        masked(Opcode.BINARY, payload, final=final, mask=mask) for payload, final, mask in frames
    )
    cutter, got = FrameCutter(), list[WebSocketFrame]()
    for start in range(0, len(stream), step):
        cutter.feed(stream[start : start + step])
        while (frame := cutter.next()) is not None:
            got.append(frame)
    assert got == [WebSocketFrame(Opcode.BINARY, payload, final) for payload, final, _ in frames]


@given(st.binary(max_size=400))
def test_any_bytes_are_frames_or_refused(data: bytes) -> None:
    cutter = FrameCutter()
    cutter.feed(data)
    code = 1000
    try:
        while cutter.next() is not None:
            pass
    except Broken as error:
        code = error.code
    assert code in {1000, 1002, 1009}
