"""Faults strike where, when and as often as they were asked to, and the real client lives through them."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageLockLostError,
    ServiceBusAuthenticationError,
    ServiceBusError,
    ServiceBusServerBusyError,
)

from cdsbridge.emulator.amqp.endpoints import Accepted, Rejected
from cdsbridge.emulator.amqp.frames import encode_frame
from cdsbridge.emulator.amqp.performatives import (
    Close,
    Detach,
    Disposition,
    Transfer,
    encode_performative,
)
from cdsbridge.emulator.amqp.sections import DATA, section
from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.sessions import HeldSession
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import Fault, Kind, Point, RunningBroker, run_in_thread
from cdsbridge.emulator.server.faults import Armed, Faults, fault_from

Connect = Callable[[int], Any]
BODY = section(DATA, b"x")


@pytest.fixture(autouse=True)
def _disarmed(broker: RunningBroker) -> Iterator[None]:
    yield
    broker.disarm()


@pytest.fixture
def patient(broker: RunningBroker) -> Iterator[ServiceBusClient]:
    """The real client, which tries again at once."""
    with ServiceBusClient.from_connection_string(
        broker.connection_string, retry_total=5, retry_backoff_factor=0.01
    ) as opened:
        yield opened


def bodies(broker: RunningBroker, queue: str) -> list[bytes]:
    return [
        message.content.body for message in broker.call(lambda namespace: namespace.queue(queue).peek(1, 999))
    ]


def send(wire: Any, number: int = 0) -> None:
    wire.say(Transfer(1, number, bytes([number]), 0, False, False), BODY)


def test_a_throttled_sender_is_told_so_and_gets_through(
    broker: RunningBroker, patient: ServiceBusClient, queue: str
) -> None:
    fault = broker.arm(Fault(Kind.REFUSE, Point.SEND, queue, count=2))
    with patient.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("x"))
    assert (broker.hits(fault), len(bodies(broker, queue))) == (2, 1)


def test_a_sender_whose_connection_drops_after_the_message_was_taken_sends_it_twice(
    broker: RunningBroker, patient: ServiceBusClient, queue: str
) -> None:
    broker.arm(Fault(Kind.DROP, Point.SENT, queue))
    with patient.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("x"))
    assert len(bodies(broker, queue)) == 2


def test_a_lock_lost_at_delivery_brings_the_message_again(
    broker: RunningBroker, patient: ServiceBusClient, fill: Callable[..., None], queue: str, confirmed: None
) -> None:
    fill(1)
    broker.arm(Fault(Kind.LOSE_LOCK, Point.DELIVER, queue))
    with patient.get_queue_receiver(queue) as receiver:
        (first,) = receiver.receive_messages(1, 5)
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(first)
        (second,) = receiver.receive_messages(1, 5)
        assert (second.delivery_count, second.sequence_number) == (1, first.sequence_number)
        receiver.complete_message(second)


def test_a_receiver_that_is_detached_comes_back(
    broker: RunningBroker, patient: ServiceBusClient, fill: Callable[..., None], queue: str
) -> None:
    fill(1)
    fault = broker.arm(Fault(Kind.DETACH, Point.SETTLED, queue))
    with patient.get_queue_receiver(queue) as receiver:
        (message,) = receiver.receive_messages(1, 5)
        with suppress(ServiceBusError):
            receiver.complete_message(message)
        fill(1)
        (again,) = receiver.receive_messages(1, 5)
        assert again.sequence_number == 2
    assert broker.hits(fault) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(Kind.REFUSE, Point.AUTH, count=None), ServiceBusAuthenticationError),
        (Fault(Kind.REFUSE, Point.REQUEST, count=None), ServiceBusServerBusyError),
    ],
    ids=["auth", "request"],
)
def test_tokens_and_requests_are_refused(
    broker: RunningBroker, queue: str, fault: Fault, error: type[Exception]
) -> None:
    broker.arm(fault)
    client = ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
    with client, pytest.raises(error), client.get_queue_receiver(queue) as receiver:
        receiver.peek_messages(1)


def test_a_link_is_refused_only_at_the_entity_that_was_named(
    broker: RunningBroker, wire: Any, queue: str
) -> None:
    broker.call(lambda namespace: namespace.create_queue("other"))
    broker.arm(Fault(Kind.REFUSE, Point.ATTACH, "OTH*", condition="amqp:resource-limit-exceeded"))
    wire.begin()
    assert wire.receive_from(queue).source is not None
    assert wire.receive_from("other", handle=2).source is None
    error = wire.hear(Detach).error
    assert error is not None
    assert error.condition == "amqp:resource-limit-exceeded"
    assert wire.receive_from("other", handle=3).source is not None


def test_a_fault_of_a_settlement_leaves_the_message_locked(
    broker: RunningBroker,
    wire: Any,
    fill: Callable[..., None],
    queue: str,
    depth_of: Callable[[], dict[str, int]],
) -> None:
    fill(1)
    broker.arm(Fault(Kind.REFUSE, Point.SETTLE, queue))
    wire.begin()
    wire.receive_from(queue)
    wire.credit(1)
    wire.transfers(1)
    for condition in ("com.microsoft:server-busy", None):
        wire.say(Disposition(True, 0, 0, False, Accepted()))
        state = wire.hear(Disposition).state
        error = state.error if isinstance(state, Rejected) else None
        assert (error and error.condition) == condition
    assert depth_of() == {}


def test_messages_of_one_go_are_mixed_the_same_way_for_the_same_seed(
    broker: RunningBroker, connect: Connect
) -> None:
    orders: list[list[bytes]] = []
    contents = [Content(body=section(DATA, b"%d" % number)) for number in range(9)]
    for seed in (1, 1, 2):
        broker.call(lambda namespace: namespace.create_queue("mixed"))
        broker.call(lambda namespace: namespace.queue("mixed").send(contents))
        broker.arm(Fault(Kind.REORDER, Point.DELIVER, "mixed", seed=seed))
        wire = connect(broker.port)
        wire.begin()
        wire.receive_from("mixed")
        wire.credit(9)
        order: list[bytes] = []
        for _ in range(9):
            wire.hear(Transfer)
            order.append(wire.payload[-1:])
        orders.append(order)
        broker.call(lambda namespace: namespace.delete_queue("mixed"))
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == [b"%d" % number for number in range(9)] != orders[0]


def payloads(wire: Any, count: int) -> list[bytes]:
    found: list[bytes] = []
    for _ in range(count):
        wire.hear(Transfer)
        found.append(wire.payload[-1:])
    return found


def test_messages_that_are_held_back_come_behind_later_ones_and_their_counts_are_as_before(
    broker: RunningBroker, wire: Any, queue: str
) -> None:
    contents = [Content(body=section(DATA, b"%d" % number)) for number in range(9)]
    broker.call(lambda namespace: namespace.queue(queue).send(contents[:4]))
    broker.arm(Fault(Kind.REORDER, Point.DELIVER, queue, seconds=0.3, messages=2, seed=1))
    wire.begin()
    wire.receive_from(queue)
    wire.credit(9)
    first = payloads(wire, 2)
    broker.call(lambda namespace: namespace.queue(queue).send(contents[4:]))
    assert payloads(wire, 5) == [b"%d" % number for number in range(4, 9)]
    later = payloads(wire, 2)
    assert first == sorted(first)
    assert later == sorted(later)
    assert sorted(first + later) == [b"0", b"1", b"2", b"3"]
    held = broker.call(lambda namespace: namespace.queue(queue).peek(1, 9))
    assert [message.delivery_count for message in held] == [0] * 9


def test_all_of_one_go_can_be_held_back_and_comes_again(
    broker: RunningBroker, patient: ServiceBusClient, fill: Callable[..., None], queue: str
) -> None:
    fill(3)
    broker.arm(Fault(Kind.REORDER, Point.DELIVER, queue, seconds=0.2))
    with patient.get_queue_receiver(queue) as receiver:
        found = receiver.receive_messages(3, 5)
        assert [message.sequence_number for message in found] == [1, 2, 3]
        assert [message.delivery_count for message in found] == [0, 0, 0]
        for message in found:
            receiver.complete_message(message)


def test_locks_that_are_held_are_lost_at_a_chosen_moment_those_first_that_would_lapse_first(
    broker: RunningBroker, wire: Any, fill: Callable[..., None], queue: str
) -> None:
    fill(3)
    wire.begin()
    wire.receive_from(queue)
    wire.credit(3)
    wire.transfers(3)

    def counts() -> list[int]:
        found = broker.call(lambda namespace: namespace.queue(queue).peek(1, 9))
        return [message.delivery_count for message in found]

    assert (broker.lose_locks(queue, 2), counts()) == (2, [1, 1, 0])
    assert (broker.lose_locks(queue), counts()) == (1, [1, 1, 1])
    assert broker.lose_locks(queue) == 0
    wire.credit(6)
    wire.transfers(3)
    with pytest.raises(EntityError):
        broker.lose_locks("nowhere")


def test_the_locks_of_sessions_are_lost_with_all_their_messages(broker: RunningBroker) -> None:
    name = "held-sessions"

    def hold(namespace: Namespace) -> list[HeldSession | None]:
        queue = namespace.create_queue(name, QueueSettings(requires_session=True))
        queue.send([Content(body=BODY, session_id=each) for each in ("a", "a", "b")])
        held = [queue.accept_session(each) for each in ("a", "b")]
        for session in held:
            assert session is not None
            session.receive(9, lock=True)
        return held

    first, second = broker.call(hold)
    assert first is not None
    assert second is not None
    assert broker.lose_locks(name, 1) == 1
    assert (first.lost, second.lost) == (True, False)
    found = broker.call(lambda namespace: namespace.queue(name).peek(1, 9))
    assert [message.delivery_count for message in found] == [1, 1, 0]
    broker.call(lambda namespace: namespace.delete_queue(name))


def test_what_is_sent_is_accepted_twice(broker: RunningBroker, wire: Any, queue: str) -> None:
    broker.arm(Fault(Kind.DUPLICATE, Point.SEND, queue, skip=1))
    wire.begin()
    wire.send_to(queue)
    for number in range(3):
        send(wire, number)
        wire.hear(Disposition)
    assert len(bodies(broker, queue)) == 4


def test_a_silent_connection_takes_bytes_and_answers_nothing(
    broker: RunningBroker, connect: Connect, queue: str
) -> None:
    broker.arm(Fault(Kind.SILENCE, Point.SENT, queue))
    mute, other = connect(broker.port), connect(broker.port)
    mute.begin(idle_timeout=100)
    mute.send_to(queue)
    send(mute)
    send(mute, 1)
    other.begin()
    other.send_to(queue)
    send(other)
    other.hear(Disposition)
    assert len(bodies(broker, queue)) == 2
    mute.socket.settimeout(0.3)

    def listen() -> None:
        while not mute.frame().body:
            pass

    with pytest.raises(TimeoutError):
        listen()


@pytest.mark.parametrize(
    "at", [Point.CONNECT, Point.ATTACH, Point.SEND, Point.SENT, Point.DELIVER, Point.SETTLE]
)
def test_a_connection_drops_at_any_moment(
    broker: RunningBroker, connect: Connect, fill: Callable[..., None], queue: str, at: Point
) -> None:
    fill(1)
    broker.arm(Fault(Kind.DROP, at))
    wire = connect(broker.port)

    def work() -> None:
        wire.begin()
        wire.send_to(queue)
        send(wire)
        wire.hear(Disposition)
        wire.receive_from(queue, handle=2)
        wire.credit(1, handle=2)
        wire.hear(Transfer)
        wire.say(Disposition(True, 0, 0, False, Accepted()))
        wire.hear(Disposition)

    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        work()
    wire = connect(broker.port)
    work()
    sent = {Point.CONNECT: 2, Point.ATTACH: 2, Point.SEND: 2}.get(at, 3)
    assert len(bodies(broker, queue)) == sent - 1


def test_nothing_is_done_of_what_comes_behind_a_drop(broker: RunningBroker, wire: Any, queue: str) -> None:
    broker.arm(Fault(Kind.DROP, Point.SEND, queue))
    wire.begin()
    wire.send_to(queue)
    transfers = [encode_performative(Transfer(1, number, b"t", 0, False, False)) for number in range(3)]
    wire.socket.sendall(b"".join(encode_frame(0, transfer + BODY) for transfer in transfers))
    with pytest.raises(ConnectionResetError):
        wire.hear(Disposition)
    assert bodies(broker, queue) == []


def test_what_is_delayed_comes_later_and_in_order(broker: RunningBroker, wire: Any, queue: str) -> None:
    fault = broker.arm(Fault(Kind.DELAY, Point.SENT, queue, seconds=0.2))
    wire.begin()
    wire.send_to(queue)
    send(wire)
    send(wire, 1)
    assert [wire.hear(Disposition).first for _ in range(2)] == [0, 1]
    assert broker.hits(fault) == 1


def test_no_fault_kills_a_process_that_is_not_the_brokers(broker: RunningBroker) -> None:
    with pytest.raises(ValueError, match="not its own"):
        broker.arm(Fault(Kind.KILL, Point.SEND))


def test_an_idle_link_and_a_connection_without_links_are_parted_with(connect: Connect) -> None:
    clock = ManualClock(1000.0)
    namespace = Namespace(clock)
    namespace.create_queue("q", QueueSettings())
    with run_in_thread(namespace, clock=clock, idle_limits=True) as broker:

        def advance(seconds: float) -> None:
            broker.call(lambda _: clock.advance(seconds))

        wire, idle = connect(broker.port), connect(broker.port)
        idle.begin()
        wire.begin()
        wire.send_to("q")
        wire.receive_from("q")
        advance(59)
        advance(1)
        assert idle.hear(Close).error.condition == "amqp:connection:forced"
        advance(500)
        send(wire)
        wire.hear(Disposition)
        advance(40)
        detach = wire.hear(Detach)
        assert (detach.handle, detach.error.condition) == (0, "amqp:link:detach-forced")
        assert "AmqpMessageConsumer.IdleTimerExpired: Idle timeout: 00:10:00" in detach.error.description
        advance(560)
        assert wire.hear(Detach).handle == 1
        advance(1)
        advance(300)
        assert "300000 milliseconds" in wire.hear(Close).error.description


def hits(fault: Fault, chances: int) -> list[int]:
    faults = Faults()
    faults.arm(fault)
    return [number for number in range(chances) if faults.strike(fault.at, "q")]


def test_a_fault_counts_its_chances() -> None:
    assert hits(Fault(Kind.DROP, Point.SEND, count=2, skip=3), 10) == [3, 4]
    assert hits(Fault(Kind.DROP, Point.SEND, count=None), 3) == [0, 1, 2]
    assert hits(Fault(Kind.DROP, Point.SEND, "other"), 3) == []
    assert hits(Fault(Kind.DROP, Point.CONNECT, "other"), 3) == [0]
    some = Fault(Kind.DROP, Point.SEND, count=None, chance=0.3, seed=5)
    assert hits(some, 200) == hits(some, 200)
    assert 30 < len(hits(some, 200)) < 90


def test_of_two_faults_the_first_strikes_until_it_is_spent_or_disarmed() -> None:
    faults = Faults()
    first = faults.arm(Fault(Kind.DROP, Point.SEND))
    second = faults.arm(Fault(Kind.SILENCE, Point.SEND, count=None))

    def struck() -> int | None:
        armed: Armed | None = faults.strike(Point.SEND, "q")
        return None if armed is None else armed.number

    assert [struck(), struck(), struck()] == [first, second, second]
    faults.disarm(second)
    assert struck() is None
    assert [each.to_plain()["hits"] for each in faults.armed()] == [1]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": "explode", "at": "send"}, "kind is 'explode'; it must be one of drop"),
        ({"kind": "drop"}, "at is None; it must be one of connect"),
        ({"kind": "reorder", "at": "send"}, "'reorder' cannot happen at 'send', only at deliver"),
        ({"kind": "drop", "at": "send", "chance": 0}, "chance is 0"),
        ({"kind": "delay", "at": "send"}, "a delay needs seconds"),
        ({"kind": "reorder", "at": "deliver", "messages": 2}, "messages, at least 1, are those a reorder"),
        ({"kind": "drop", "at": "send", "often": 3}, "a fault has no often"),
        ({"kind": "drop", "at": "send", "count": "two"}, "wrong type"),
        ({"kind": "drop", "at": "send", "count": 0}, "count must be at least 1"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_a_reason(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        fault_from(values)


def test_a_fault_is_read_as_it_is_shown() -> None:
    faults, fault = Faults(), Fault(Kind.DETACH, Point.DELIVER, "q*", None, 2, 0.5, 7, 0.0, "amqp:x", "Why.")
    faults.arm(fault)
    assert fault_from(faults.armed()[0].to_plain()["fault"]) == fault
