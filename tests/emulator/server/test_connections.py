"""Connections, sessions and links on the wire, seen by a client that shows every frame."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cdsbridge.emulator.amqp.composites import encode_composite
from cdsbridge.emulator.amqp.endpoints import Source
from cdsbridge.emulator.amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    SASL_FRAME,
    SASL_HEADER,
    Frame,
    encode_frame,
)
from cdsbridge.emulator.amqp.performatives import Attach, Begin, Close, Detach, End, Transfer
from cdsbridge.emulator.amqp.sasl import SaslInit
from cdsbridge.emulator.amqp.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    PROPERTIES,
    VALUE,
    section,
    section_value,
    split_sections,
)
from cdsbridge.emulator.amqp.types import Symbol, Value
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import RunningBroker, run_in_thread


@pytest.mark.parametrize(
    ("address", "condition"),
    [
        ("nowhere", "amqp:not-found"),
        ("nowhere/$management", "amqp:not-found"),
        ("q/$Transfer", "amqp:not-found"),
        ("", "amqp:not-found"),
        (None, "amqp:not-found"),
    ],
)
def test_a_link_to_nothing_is_refused_without_addresses(
    address: Any, condition: str, wire: Any, queue: str
) -> None:
    wire.begin()
    for ask, handle in ((wire.receive_from, 0), (wire.send_to, 1)):
        attach = ask(address, handle)
        assert (attach.source, attach.target) == (None, None)
        assert attach.initial_delivery_count == 0
        detach = wire.hear(Detach)
        assert detach.closed
        assert detach.error is not None
        assert detach.error.condition == condition
        assert len(detach.error) == 3


@pytest.mark.parametrize("session", [None, "s"])
def test_a_session_filter_is_refused_where_there_are_no_sessions(
    session: Value, wire: Any, queue: str
) -> None:
    wire.begin()
    wire.receive_from(queue, filter={Symbol("com.microsoft:session-filter"): session})
    error = wire.hear(Detach).error
    assert error is not None
    assert error.condition == "amqp:not-allowed"


@pytest.mark.parametrize(
    "address", ["q", "Q", "/q", "amqps://localhost/q", "amqps://localhost:5671/Q", "sb://any.host/q/"]
)
def test_an_address_may_be_a_path_or_a_uri_in_any_case(address: str, wire: Any, queue: str) -> None:
    wire.begin()
    attach = wire.receive_from(address)
    assert attach.source.address == address
    assert attach.initial_delivery_count == 0
    assert attach.role is False


def test_a_handle_cannot_be_attached_twice(wire: Any, queue: str) -> None:
    wire.begin()
    wire.receive_from(queue)
    wire.say(Attach("again", 0, True, source=Source(queue)))
    error = wire.hear(End).error
    assert error is not None
    assert error.condition == "amqp:session:handle-in-use"


def test_a_transfer_on_no_link_ends_the_session(wire: Any) -> None:
    wire.begin()
    wire.say(Transfer(9, 0, b"t", 0, False), section(DATA, b""))
    error = wire.hear(End).error
    assert error is not None
    assert error.condition == "amqp:session:unattached-handle"


def test_what_comes_after_the_end_of_a_session_is_ignored(wire: Any, queue: str) -> None:
    wire.begin()
    wire.receive_from(queue)
    wire.say(End())
    wire.say(Detach(0, closed=True))
    wire.say(Transfer(1, 0, b"t", 0, False), section(DATA, b""))
    wire.say(Begin(None, 0, 10, 10), channel=1)
    assert wire.hear(End) == End()
    assert wire.hear(Begin).remote_channel == 1
    wire.say(Close())
    assert wire.hear(Close) == Close()
    with pytest.raises(ConnectionResetError):
        wire.frame()


def test_a_link_whose_entity_is_deleted_is_told_so(broker: RunningBroker, wire: Any) -> None:
    broker.call(lambda namespace: namespace.create_queue("brief"))
    wire.begin()
    wire.receive_from("brief")
    broker.call(lambda namespace: namespace.delete_queue("brief"))
    wire.credit(1)
    error = wire.hear(Detach).error
    assert error is not None
    assert error.condition == "amqp:not-found"


@pytest.mark.parametrize("junk", [b"\0\0\0\x09\2\0\0\0\x40", b"\0\0\0\7\2\0\0\0", b"\0\1\0\1\2\0\0\0"])
def test_bytes_that_are_not_amqp_end_the_connection_with_a_reason(junk: bytes, wire: Any) -> None:
    wire.begin()
    wire.socket.sendall(junk)
    error = wire.hear(Close).error
    assert error is not None
    assert error.condition == "amqp:decode-error"
    with pytest.raises(ConnectionResetError):
        wire.frame()


def test_another_protocol_is_answered_with_ours_and_parted_with(wire: Any) -> None:
    assert wire.header(b"AMQP\x07\x00\x09\x01") == AMQP_HEADER
    with pytest.raises(ConnectionResetError):
        wire.frame()


@pytest.mark.parametrize("mechanism", ["ANONYMOUS", "MSSBCBS", "PLAIN", "EXTERNAL", "SCRAM"])
def test_the_sasl_mechanisms_of_all_clients_are_taken(mechanism: str, wire: Any) -> None:
    assert wire.header(SASL_HEADER) == SASL_HEADER
    assert wire.frame().kind == SASL_FRAME
    wire.socket.sendall(encode_frame(0, encode_composite(SaslInit(mechanism, b"")), SASL_FRAME))
    outcome = wire.frame()
    refused = mechanism == "SCRAM"
    assert outcome.body[:8] == bytes.fromhex("005344c0") + outcome.body[4:6] + bytes((0x50, refused))
    if not refused:
        wire.begin()


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningBroker]:
    namespace = Namespace()
    namespace.create_queue("q")
    with run_in_thread(namespace, key="the key") as running:
        yield running


@pytest.mark.parametrize(("password", "code"), [(b"the key", 0), (b"another", 1), (b"", 1)])
def test_plain_sasl_takes_only_the_key_where_there_is_one(
    password: bytes, code: int, guarded: RunningBroker, connect: Callable[[int], Any]
) -> None:
    wire = connect(guarded.port)
    wire.header(SASL_HEADER)
    wire.frame()
    init = SaslInit("PLAIN", b"\0RootManageSharedAccessKey\0" + password)
    wire.socket.sendall(encode_frame(0, encode_composite(init), SASL_FRAME))
    assert wire.frame().body[6:8] == bytes((0x50, code))
    if code == 0:
        wire.begin()
        assert wire.receive_from("q").source is not None


def test_a_link_without_a_token_is_refused_where_there_is_a_key(
    guarded: RunningBroker, connect: Callable[[int], Any]
) -> None:
    wire = connect(guarded.port)
    wire.begin()
    for address in ("q", "q/$management"):
        assert wire.receive_from(address).source is None
        error = wire.hear(Detach).error
        assert error is not None
        assert error.condition == "amqp:unauthorized-access"


@pytest.mark.parametrize(
    "token",
    [
        "text",
        "SharedAccessSignature sr=sb%3A%2F%2Flocalhost%2Fq&se=9999999999&skn=a",
        "SharedAccessSignature sr=sb%3A%2F%2Flocalhost%2Fq&sig=AAAA&se=9999999999&skn=a",
        "SharedAccessSignature sr=sb%3A%2F%2Flocalhost%2Fq&sig=AAAA&se=soon&skn=a",
    ],
)
def test_a_token_not_signed_with_the_key_is_refused(
    token: str, guarded: RunningBroker, connect: Callable[[int], Any]
) -> None:
    wire = connect(guarded.port)
    wire.begin()
    wire.receive_from("$cbs", 0)
    wire.send_to("$cbs", 1)
    wire.credit(1)
    request = section(PROPERTIES, ["id"]) + section(APPLICATION_PROPERTIES, {"operation": "put-token"})
    wire.say(Transfer(1, 0, b"t", 0, True), request + section(VALUE, token))
    wire.hear(Transfer)
    properties = section_value(split_sections(wire.payload).application_properties)
    assert isinstance(properties, dict)
    assert properties["status-code"] == 401


def test_a_client_with_an_idle_timeout_is_kept_alive(wire: Any) -> None:
    wire.begin(idle_timeout=60)
    assert wire.frame() == Frame(0, 0, b"")
    assert wire.frame() == Frame(0, 0, b"")
    wire.socket.sendall(EMPTY_FRAME)
    wire.say(Close())
    assert wire.hear(Close) == Close()


def test_everything_said_is_late_by_the_latency() -> None:
    with (
        run_in_thread(Namespace(), latency=0.05) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=5) as opened,
    ):
        opened.sendall(AMQP_HEADER)
        start = time.monotonic()
        assert opened.recv(8) == AMQP_HEADER
        assert time.monotonic() - start >= 0.05
