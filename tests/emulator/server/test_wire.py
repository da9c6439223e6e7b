"""What stands on the wire, seen by a client that shows every frame."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from cdsbridge.emulator.amqp.composites import encode_composite
from cdsbridge.emulator.amqp.endpoints import Accepted, Error, Modified, Rejected, Released, Source, Target
from cdsbridge.emulator.amqp.frames import (
    AMQP_HEADER,
    EMPTY_FRAME,
    SASL_FRAME,
    SASL_HEADER,
    Frame,
    FrameReader,
    encode_frame,
)
from cdsbridge.emulator.amqp.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    Performative,
    Transfer,
    decode_performative,
    encode_performative,
)
from cdsbridge.emulator.amqp.sasl import SaslInit
from cdsbridge.emulator.amqp.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    PROPERTIES,
    VALUE,
    list_fields,
    section,
    section_value,
    split_sections,
)
from cdsbridge.emulator.amqp.types import Symbol, ULong, Value
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread

_P = TypeVar("_P", bound=Performative)
BIG = 2**31 - 1


class Wire:
    """A client made of a socket and the codec."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._reader = FrameReader(1 << 20)
        self.payload = b""

    def header(self, header: bytes = AMQP_HEADER) -> bytes:
        self.socket.sendall(header)
        while (answer := self._reader.next_header()) is None:
            self._receive()
        return answer

    def frame(self) -> Frame:
        while (frame := self._reader.next_frame()) is None:
            self._receive()
        return frame

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError("the broker closed the connection")
        self._reader.feed(data)

    def say(self, performative: Performative, payload: bytes = b"", channel: int = 0) -> None:
        self.socket.sendall(encode_frame(channel, encode_performative(performative) + payload))

    def hear(self, kind: type[_P]) -> _P:
        """Read frames, heartbeats aside, and insist that the next is of a kind."""
        while not (frame := self.frame()).body:
            pass
        performative, position = decode_performative(frame.body)
        assert isinstance(performative, kind), performative
        self.payload = frame.body[position:]
        return performative

    def begin(
        self, *, window: int = 5000, max_frame_size: int = 65536, idle_timeout: int | None = None
    ) -> None:
        assert self.header() == AMQP_HEADER
        self.say(Open("wire", max_frame_size=max_frame_size, idle_timeout=idle_timeout))
        self.say(Begin(None, 0, window, window))
        self.hear(Open)
        self.hear(Begin)

    def receive_from(self, address: str, handle: int = 0, mode: int = 0, **fields: Any) -> Attach:
        self.say(Attach(f"in-{handle}", handle, True, mode, 1, Source(address, **fields), Target("me")))
        return self.hear(Attach)

    def send_to(self, address: str, handle: int = 1) -> Attach:
        self.say(
            Attach(
                f"out-{handle}", handle, False, 0, 0, Source("me"), Target(address), initial_delivery_count=0
            )
        )
        attach = self.hear(Attach)
        if attach.target is not None:
            self.hear(Flow)
        return attach

    def credit(self, credit: int, *, seen: int = 0, handle: int = 0, drain: bool = False) -> None:
        self.say(Flow(seen, 5000, 0, 5000, handle, seen, credit, drain=drain))

    def transfers(self, count: int) -> list[Transfer]:
        return [self.hear(Transfer) for _ in range(count)]


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningBroker]:
    with run_in_thread(Namespace()) as running:
        yield running


@pytest.fixture
def queue(broker: RunningBroker) -> Iterator[str]:
    broker.call(lambda namespace: namespace.create_queue("q", QueueSettings(lock_duration=300)))
    yield "q"
    broker.call(lambda namespace: namespace.delete_queue("q"))


@pytest.fixture
def wire(broker: RunningBroker) -> Iterator[Wire]:
    opened = Wire(broker.port)
    with opened.socket:
        yield opened


@pytest.fixture
def fill(broker: RunningBroker, queue: str) -> Callable[..., None]:
    def fill(count: int, size: int = 4) -> None:
        contents = [Content(body=section(DATA, b"x" * size), message_id=str(n)) for n in range(count)]
        broker.call(lambda namespace: namespace.queue(queue).send(contents))

    return fill


def _on(broker: RunningBroker, function: Callable[[Queue], Any]) -> Any:
    return broker.call(lambda namespace: function(namespace.queue("q")))


def _depth(broker: RunningBroker) -> dict[str, int]:
    return {kind: count for kind, count in _on(broker, lambda queue: queue.depth()).items() if count}


@pytest.mark.parametrize(
    ("outcome", "echo", "left"),
    [
        (Accepted(), Accepted(), {}),
        (Released(), Released(), {"active": 5}),
        (Modified(True, False), Modified(True, False), {"active": 5}),
        (Modified(True, True), Modified(True, True), {"deferred": 5}),
        (Rejected(Error("com.microsoft:dead-letter", "", {})), Rejected(None), {"dead_lettered": 5}),
    ],
)
def test_a_range_is_settled_as_asked_and_confirmed_in_one_frame(
    outcome: Any,
    echo: Any,
    left: dict[str, int],
    broker: RunningBroker,
    wire: Wire,
    fill: Callable[..., None],
) -> None:
    fill(5)
    wire.begin()
    wire.receive_from("q")
    wire.credit(5)
    assert [transfer.delivery_id for transfer in wire.transfers(5)] == [0, 1, 2, 3, 4]
    wire.say(Disposition(True, 0, 4, False, outcome))
    assert wire.hear(Disposition) == Disposition(False, 0, 4, True, echo)
    assert _depth(broker) == left


def test_in_a_range_only_the_delivery_that_lost_its_lock_is_rejected(
    broker: RunningBroker, wire: Wire, fill: Callable[..., None]
) -> None:
    fill(5)
    wire.begin()
    wire.receive_from("q")
    wire.credit(5)
    tags = [transfer.delivery_tag or b"" for transfer in wire.transfers(5)]
    from uuid import UUID

    _on(broker, lambda queue: queue.complete([UUID(bytes_le=tags[2])]))
    wire.say(Disposition(True, 0, 4, False, Accepted()))
    assert wire.hear(Disposition) == Disposition(False, 0, 1, True, Accepted())
    lost = wire.hear(Disposition)
    assert (lost.first, lost.last, lost.settled) == (2, 2, True)
    assert lost.state.error.condition == "com.microsoft:message-lock-lost"
    assert wire.hear(Disposition) == Disposition(False, 3, 4, True, Accepted())
    assert _depth(broker) == {}


def test_a_settled_disposition_is_applied_without_an_answer(
    broker: RunningBroker, wire: Wire, fill: Callable[..., None]
) -> None:
    fill(3)
    wire.begin()
    wire.receive_from("q")
    wire.credit(3)
    wire.transfers(3)
    wire.say(Disposition(True, 0, 2, True, Accepted()))
    wire.say(Disposition(True, 0, 2, True, Accepted()))
    wire.say(Detach(0, closed=True))
    assert wire.hear(Detach) == Detach(0, closed=True)
    assert _depth(broker) == {}


def test_a_delivery_that_is_not_held_is_answered_as_lost(wire: Wire, queue: str) -> None:
    wire.begin()
    wire.receive_from(queue)
    wire.say(Disposition(True, 7, None, False, Accepted()))
    answer = wire.hear(Disposition)
    assert (answer.first, answer.state.error.condition) == (7, "com.microsoft:message-lock-lost")


def test_dead_letter_terms_become_properties(
    broker: RunningBroker, wire: Wire, fill: Callable[..., None]
) -> None:
    fill(1)
    wire.begin()
    wire.receive_from("q")
    wire.credit(1)
    wire.transfers(1)
    info: dict[Value, Value] = {
        Symbol("DeadLetterReason"): "why",
        Symbol("DeadLetterErrorDescription"): "because",
        "more": 5,
    }
    wire.say(Disposition(True, 0, 0, False, Rejected(Error("com.microsoft:dead-letter", None, info))))
    wire.hear(Disposition)
    wire.receive_from("q/$DeadLetterQueue", 2)
    wire.credit(1, seen=0, handle=2)
    wire.transfers(1)
    properties = section_value(split_sections(wire.payload).application_properties)
    assert properties == {"DeadLetterReason": "why", "DeadLetterErrorDescription": "because", "more": "5"}


def test_a_draining_client_gets_what_is_ready_and_its_credit_back(
    wire: Wire, fill: Callable[..., None]
) -> None:
    fill(2)
    wire.begin()
    wire.receive_from("q")
    wire.credit(10, drain=True)
    wire.transfers(2)
    flow = wire.hear(Flow)
    assert (flow.handle, flow.delivery_count, flow.link_credit, flow.drain) == (0, 10, 0, True)


def test_no_more_is_delivered_than_the_credit_allows(
    broker: RunningBroker, wire: Wire, fill: Callable[..., None]
) -> None:
    fill(10)
    wire.begin()
    wire.receive_from("q")
    wire.credit(3)
    wire.transfers(3)
    assert _depth(broker) == {"active": 7, "locked": 3}
    wire.credit(4, seen=3)
    wire.transfers(4)
    assert _depth(broker) == {"active": 3, "locked": 7}


def test_no_more_frames_are_sent_than_the_window_allows(
    broker: RunningBroker, wire: Wire, fill: Callable[..., None]
) -> None:
    fill(4, size=900)
    wire.begin(window=3, max_frame_size=512)
    wire.receive_from("q", mode=1)
    wire.say(Flow(0, 3, 0, 5000, 0, 0, 10))
    assert [transfer.more for transfer in wire.transfers(3)] == [True, True, True]
    wire.say(Flow(3, 3, 0, 5000, 0, 0, 10, echo=True))
    kinds = [type(wire.hear(object)) for _ in range(4)]  # type: ignore[type-var]
    assert kinds.count(Transfer) == 3
    assert kinds.count(Flow) == 1
    wire.say(Flow(6, 5000, 0, 5000, 0, 2, 8))
    for _ in range(6):
        wire.hear(Transfer)
    assert _depth(broker) == {}


def test_a_delivery_has_the_lock_token_as_tag_and_annotation(wire: Wire, fill: Callable[..., None]) -> None:
    from uuid import UUID

    fill(1)
    wire.begin()
    wire.receive_from("q")
    wire.credit(1)
    (transfer,) = wire.transfers(1)
    parts = split_sections(wire.payload)
    token = UUID(bytes_le=transfer.delivery_tag or b"")
    assert section_value(parts.delivery_annotations) == {"x-opt-lock-token": token}
    annotations = section_value(parts.message_annotations)
    assert isinstance(annotations, dict)
    assert set(annotations) == {
        "x-opt-enqueued-time",
        "x-opt-sequence-number",
        "x-opt-message-state",
        "x-opt-locked-until",
    }
    assert section_value(parts.header) == [True, 4, None, None, 0]
    assert parts.body == section(DATA, b"xxxx")


def test_a_message_without_an_id_is_given_one(wire: Wire, queue: str) -> None:
    wire.begin()
    wire.send_to(queue)
    wire.say(Transfer(1, 0, b"t", 0, False), section(PROPERTIES, [None, b"user"]) + section(DATA, b""))
    assert wire.hear(Disposition) == Disposition(True, 0, 0, True, Accepted())
    wire.receive_from(queue)
    wire.credit(1)
    wire.transfers(1)
    message_id, user = list_fields(split_sections(wire.payload).properties, (0, 1))
    assert isinstance(message_id, str)
    assert message_id
    assert user == b"user"


def test_a_message_that_is_not_amqp_is_rejected_and_the_next_one_taken(
    broker: RunningBroker, wire: Wire, queue: str
) -> None:
    wire.begin()
    wire.send_to(queue)
    wire.say(Transfer(1, 0, b"t", 0, False), b"junk")
    assert wire.hear(Disposition).state.error.condition == "amqp:decode-error"
    wire.say(Transfer(1, 1, b"t", 0, False), section(DATA, b"fine"))
    assert wire.hear(Disposition).state == Accepted()
    assert _depth(broker) == {"active": 1}


def test_a_message_of_many_frames_is_put_together_and_an_aborted_one_dropped(
    broker: RunningBroker, wire: Wire, queue: str
) -> None:
    wire.begin()
    wire.send_to(queue)
    message = section(DATA, bytes(1000))
    wire.say(Transfer(1, 0, b"t", 0, False, more=True), message[:300])
    wire.say(Transfer(1, more=True, aborted=True))
    wire.say(Transfer(1, 1, b"t", 0, False, more=True), message[:300])
    wire.say(Transfer(1, more=True), message[300:900])
    wire.say(Transfer(1), message[900:])
    assert wire.hear(Disposition) == Disposition(True, 1, 1, True, Accepted())
    (stored,) = _on(broker, lambda q: q.peek(0, 10))
    assert stored.content.body == message


def test_credit_is_granted_again_before_it_runs_out(wire: Wire, queue: str) -> None:
    wire.begin()
    wire.send_to(queue)
    for number in range(500):
        wire.say(Transfer(1, number, b"t", 0, True), section(DATA, b""))
    flow = wire.hear(Flow)
    assert (flow.handle, flow.delivery_count, flow.link_credit) == (1, 500, 1000)


@pytest.mark.parametrize("message_id", ["text", ULong(7), b"raw"])
def test_a_response_comes_after_the_request_is_settled_with_the_id_in_its_type(
    message_id: Value, wire: Wire, queue: str
) -> None:
    wire.begin()
    wire.receive_from(f"{queue}/$management", 0)
    wire.send_to(f"{queue}/$management", 1)
    wire.credit(1)
    request = section(PROPERTIES, [message_id, None, None, None, "me"]) + section(
        APPLICATION_PROPERTIES, {"operation": "com.microsoft:peek-message"}
    )
    body: Value = {"from-sequence-number": 0, "message-count": 1}
    wire.say(Transfer(1, 0, b"t", 0, False), request + section(VALUE, body))
    assert wire.hear(Disposition).state == Accepted()
    assert wire.hear(Transfer).settled is True
    parts = split_sections(wire.payload)
    (correlation,) = list_fields(parts.properties, (5,))
    assert correlation == message_id
    assert type(correlation) is type(message_id)
    assert section_value(parts.application_properties) == {
        "statusCode": 204,
        "statusDescription": "No content",
    }


def test_responses_wait_for_credit(wire: Wire, queue: str) -> None:
    wire.begin()
    wire.receive_from("$cbs", 0)
    wire.send_to("$cbs", 1)
    request = section(PROPERTIES, ["id"]) + section(APPLICATION_PROPERTIES, {"operation": "put-token"})
    wire.say(Transfer(1, 0, b"t", 0, False), request + section(VALUE, "token"))
    wire.hear(Disposition)
    wire.credit(1)
    wire.hear(Transfer)
    answer = section_value(split_sections(wire.payload).application_properties)
    assert answer == {"status-code": 202, "status-description": "Accepted"}


@pytest.mark.parametrize(
    ("address", "condition"),
    [
        ("nowhere", "amqp:not-found"),
        ("nowhere/$management", "amqp:not-found"),
        ("q/$Transfer/$DeadLetterQueue", "amqp:not-found"),
        ("", "amqp:not-found"),
        (None, "amqp:not-found"),
    ],
)
def test_a_link_to_nothing_is_refused_without_addresses(
    address: Any, condition: str, wire: Wire, queue: str
) -> None:
    wire.begin()
    for attach in (wire.receive_from(address, 0), None):
        attach = attach or wire.send_to(address, 1)
        assert (attach.source, attach.target) == (None, None)
        assert attach.initial_delivery_count == 0
        detach = wire.hear(Detach)
        assert detach.closed
        assert detach.error is not None
        assert detach.error.condition == condition
        assert len(detach.error) == 3


@pytest.mark.parametrize("session", [None, "s"])
def test_a_session_filter_is_refused_where_there_are_no_sessions(
    session: Value, wire: Wire, queue: str
) -> None:
    wire.begin()
    wire.receive_from(queue, filter={Symbol("com.microsoft:session-filter"): session})
    error = wire.hear(Detach).error
    assert error is not None
    assert error.condition == "amqp:not-allowed"


@pytest.mark.parametrize(
    "address", ["q", "Q", "/q", "amqps://localhost/q", "amqps://localhost:5671/Q", "sb://any.host/q/"]
)
def test_an_address_may_be_a_path_or_a_uri_in_any_case(address: str, wire: Wire, queue: str) -> None:
    wire.begin()
    attach = wire.receive_from(address)
    assert attach.source.address == address
    assert attach.initial_delivery_count == 0
    assert attach.role is False


def test_a_handle_cannot_be_attached_twice(wire: Wire, queue: str) -> None:
    wire.begin()
    wire.receive_from(queue)
    wire.say(Attach("again", 0, True, source=Source(queue)))
    error = wire.hear(End).error
    assert error is not None
    assert error.condition == "amqp:session:handle-in-use"


def test_a_transfer_on_no_link_ends_the_session(wire: Wire) -> None:
    wire.begin()
    wire.say(Transfer(9, 0, b"t", 0, False), section(DATA, b""))
    error = wire.hear(End).error
    assert error is not None
    assert error.condition == "amqp:session:unattached-handle"


def test_what_comes_after_the_end_of_a_session_is_ignored(wire: Wire, queue: str) -> None:
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


def test_a_link_whose_entity_is_deleted_is_told_so(broker: RunningBroker, wire: Wire) -> None:
    broker.call(lambda namespace: namespace.create_queue("brief"))
    wire.begin()
    wire.receive_from("brief")
    broker.call(lambda namespace: namespace.delete_queue("brief"))
    wire.credit(1)
    error = wire.hear(Detach).error
    assert error is not None
    assert error.condition == "amqp:not-found"


@pytest.mark.parametrize("junk", [b"\0\0\0\x09\2\0\0\0\x40", b"\0\0\0\7\2\0\0\0", b"\0\1\0\1\2\0\0\0"])
def test_bytes_that_are_not_amqp_end_the_connection_with_a_reason(junk: bytes, wire: Wire) -> None:
    wire.begin()
    wire.socket.sendall(junk)
    error = wire.hear(Close).error
    assert error is not None
    assert error.condition == "amqp:decode-error"
    with pytest.raises(ConnectionResetError):
        wire.frame()


def test_another_protocol_is_answered_with_ours_and_parted_with(wire: Wire) -> None:
    assert wire.header(b"GET / HT") == AMQP_HEADER
    with pytest.raises(ConnectionResetError):
        wire.frame()


@pytest.mark.parametrize("mechanism", ["ANONYMOUS", "MSSBCBS", "PLAIN", "EXTERNAL", "SCRAM"])
def test_the_sasl_mechanisms_of_all_clients_are_taken(mechanism: str, wire: Wire) -> None:
    assert wire.header(SASL_HEADER) == SASL_HEADER
    assert wire.frame().kind == SASL_FRAME
    wire.socket.sendall(encode_frame(0, encode_composite(SaslInit(mechanism, b"")), SASL_FRAME))
    outcome = wire.frame()
    refused = mechanism == "SCRAM"
    assert outcome.body[:8] == bytes.fromhex("005344c0") + outcome.body[4:6] + bytes((0x50, refused))
    if not refused:
        wire.begin()


def test_a_client_with_an_idle_timeout_is_kept_alive(wire: Wire) -> None:
    wire.begin(idle_timeout=60)
    assert wire.frame() == Frame(0, 0, b"")
    assert wire.frame() == Frame(0, 0, b"")
    wire.socket.sendall(EMPTY_FRAME)
    wire.say(Close())
    assert wire.hear(Close) == Close()


def test_everything_said_is_late_by_the_latency() -> None:
    with run_in_thread(Namespace(), latency=0.05) as running, Wire(running.port).socket as opened:
        opened.sendall(AMQP_HEADER)
        start = time.monotonic()
        assert opened.recv(8) == AMQP_HEADER
        assert time.monotonic() - start >= 0.05
