"""Sessions, as the official client and a client made of frames see them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
)
from azure.servicebus.aio import ServiceBusClient as AsyncClient
from azure.servicebus.exceptions import (
    MessageNotFoundError,
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from cdsbridge.emulator.amqp.endpoints import Source, Target
from cdsbridge.emulator.amqp.performatives import Attach, Detach, Transfer
from cdsbridge.emulator.amqp.sections import DATA, section
from cdsbridge.emulator.amqp.types import Described, Symbol, UInt
from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread

FILTER = "com.microsoft:session-filter"
Connect = Callable[[int], Any]
Open = Callable[..., AbstractContextManager[ServiceBusReceiver]]


@pytest.fixture(scope="module")
def trains(clock: ManualClock) -> Iterator[RunningBroker]:
    namespace = Namespace(clock)
    namespace.create_queue("trains", QueueSettings(requires_session=True, max_delivery_count=2))
    namespace.create_queue("plain")
    with run_in_thread(namespace, clock=clock) as running:
        yield running


@pytest.fixture(scope="module")
def rider(trains: RunningBroker) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(trains.connection_string, retry_total=0) as opened:
        yield opened


@pytest.fixture(scope="module")
def sender(rider: ServiceBusClient) -> Iterator[ServiceBusSender]:
    with rider.get_queue_sender("trains") as opened:
        yield opened


_ids = count()


@pytest.fixture
def session_id() -> str:
    """A session no other test uses."""
    return f"session-{next(_ids)}"


@pytest.fixture
def accept(rider: ServiceBusClient, session_id: str) -> Open:
    def accept(session: Any = session_id, **options: Any) -> ServiceBusReceiver:
        return rider.get_queue_receiver("trains", session_id=session, **options)

    return accept


@pytest.fixture
def own_queue(trains: RunningBroker) -> Iterator[str]:
    """A queue with sessions that no other test uses."""
    trains.call(lambda namespace: namespace.create_queue("own", QueueSettings(requires_session=True)))
    yield "own"
    trains.call(lambda namespace: namespace.delete_queue("own"))


@pytest.fixture
def pass_time(trains: RunningBroker, clock: ManualClock) -> Callable[[float], None]:
    return lambda seconds: trains.call(lambda _: clock.advance(seconds))


def put(trains: RunningBroker, queue: str, *labels: str) -> None:
    """Send messages past the client; the first letter names the session."""
    contents = [Content(body=section(DATA, label.encode()), session_id=label[0]) for label in labels]
    trains.call(lambda namespace: namespace.queue(queue).send(contents))


def bodies(messages: list[Any]) -> list[str]:
    return [str(message) for message in messages]


def attach(wire: Any, queue: str, filters: dict[Any, Any], properties: dict[Any, Any] | None = None) -> None:
    wire.say(Attach("in", 0, True, 0, 1, Source(queue, filter=filters), Target("me"), properties=properties))


def test_a_receiver_gets_the_messages_of_its_session_in_order(
    sender: ServiceBusSender, accept: Open, session_id: str, clock: ManualClock
) -> None:
    for name in ("1", "2", "3"):
        sender.send_messages(
            [
                ServiceBusMessage(name, session_id=session_id),
                ServiceBusMessage("other", session_id=f"{session_id}-other"),
            ]
        )
    with accept() as receiver:
        assert receiver.session.locked_until_utc == datetime.fromtimestamp(round(clock() + 60, 3), UTC)
        first, second = receiver.receive_messages(2, 5)
        assert first.session_id == session_id
        receiver.abandon_message(second)
        receiver.abandon_message(first)
        again = receiver.receive_messages(3, 5)
        assert [(str(each), each.delivery_count) for each in again] == [("1", 1), ("2", 1), ("3", 0)]
        for message in again:
            receiver.complete_message(message)


def test_many_sessions_are_received_at_once_by_whoever_takes_the_next(
    trains: RunningBroker, rider: ServiceBusClient, own_queue: str
) -> None:
    put(trains, own_queue, "a1", "b1", "a2", "b2")
    options: dict[str, Any] = {"session_id": NEXT_AVAILABLE_SESSION, "max_wait_time": 5}
    with (
        rider.get_queue_receiver(own_queue, **options) as one,
        rider.get_queue_receiver(own_queue, **options) as two,
    ):
        assert [one.session.session_id, two.session.session_id] == ["a", "b"]
        for receiver, expected in ((two, ["b1", "b2"]), (one, ["a1", "a2"])):
            assert bodies(receiver.receive_messages(2, 5)) == expected


def test_a_session_has_one_receiver_until_that_lets_go(
    sender: ServiceBusSender, accept: Open, session_id: str
) -> None:
    sender.send_messages(ServiceBusMessage("x", session_id=session_id))
    with accept() as receiver:
        receiver.receive_messages(1, 5)
        with pytest.raises(SessionCannotBeLockedError), accept():
            pass
    with accept(receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        (message,) = receiver.receive_messages(1, 5)
        assert (str(message), message.delivery_count) == ("x", 0)


def test_a_lapsed_lock_detaches_the_receiver_and_counts_as_a_failed_delivery(
    sender: ServiceBusSender, accept: Open, session_id: str, pass_time: Callable[[float], None]
) -> None:
    sender.send_messages(ServiceBusMessage("x", session_id=session_id))
    with accept() as receiver:
        (message,) = receiver.receive_messages(1, 5)
        pass_time(60)
        with pytest.raises(SessionLockLostError):
            receiver.receive_messages(1, 5)
        with pytest.raises(ServiceBusError):
            receiver.complete_message(message)
    with accept() as receiver:
        (message,) = receiver.receive_messages(1, 5)
        assert message.delivery_count == 1
        pass_time(60)
    with accept() as receiver:
        assert receiver.peek_messages(1) == []


def test_a_renewed_session_keeps_its_messages_locked(
    sender: ServiceBusSender,
    accept: Open,
    session_id: str,
    pass_time: Callable[[float], None],
    clock: ManualClock,
) -> None:
    sender.send_messages(ServiceBusMessage("x", session_id=session_id))
    with accept() as receiver:
        (message,) = receiver.receive_messages(1, 5)
        pass_time(40)
        assert receiver.session.renew_lock() == datetime.fromtimestamp(int((clock() + 60) * 1000) / 1000, UTC)
        pass_time(40)
        receiver.complete_message(message)
        assert receiver.peek_messages(1) == []


def test_only_the_connection_that_holds_a_session_may_speak_for_it(accept: Open, session_id: str) -> None:
    with accept() as receiver, accept(f"{session_id}-other") as stranger:
        receiver.session.set_state("mine")
        stranger._session_id = stranger.session._session_id = session_id
        with pytest.raises(SessionLockLostError):
            stranger.session.set_state("his")
        assert receiver.session.get_state() == b"mine"


def test_a_state_is_kept_between_receivers_until_it_is_erased(accept: Open) -> None:
    with accept() as receiver:
        assert receiver.session.get_state() is None
        receiver.session.set_state(b"\x00half")
    with accept() as receiver:
        assert receiver.session.get_state() == b"\x00half"
        receiver.session.set_state(None)
        assert receiver.session.get_state() is None


def test_deferred_and_browsed_messages_are_those_of_the_session(
    sender: ServiceBusSender, accept: Open, session_id: str
) -> None:
    other = f"{session_id}-other"
    sender.send_messages(
        [ServiceBusMessage(body, session_id=body.replace("-message", "")) for body in (session_id, other)]
    )
    sender.send_messages(ServiceBusMessage("second", session_id=session_id))
    with accept() as receiver, accept(other) as stranger:
        assert bodies(receiver.peek_messages(5)) == [session_id, "second"]
        (message,) = receiver.receive_messages(1, 5)
        receiver.defer_message(message)
        number = message.sequence_number or 0
        with pytest.raises(MessageNotFoundError):
            stranger.receive_deferred_messages([number])
        (deferred,) = receiver.receive_deferred_messages([number])
        receiver.dead_letter_message(deferred, reason="late")
        assert bodies(receiver.peek_messages(5, sequence_number=1)) == ["second"]
        assert bodies(stranger.peek_messages(5, sequence_number=1)) == [other]


def test_sessions_are_listed_by_messages_and_by_state(
    trains: RunningBroker, rider: ServiceBusClient, own_queue: str, clock: ManualClock
) -> None:
    if not hasattr(rider, "list_queue_sessions"):
        pytest.skip("this client cannot list sessions")
    put(trains, own_queue, *(f"{chr(0x100 + number)}" for number in range(150)))
    assert list(rider.list_queue_sessions(own_queue)) == [chr(0x100 + number) for number in range(150)]
    before = datetime.fromtimestamp(clock(), UTC)
    trains.call(lambda _: clock.advance(1))
    assert list(rider.list_queue_sessions(own_queue, state_updated_after=before)) == []
    trains.call(lambda namespace: namespace.queue(own_queue).accept_session("z").set_state(b"z"))  # type: ignore[union-attr]
    assert list(rider.list_queue_sessions(own_queue, state_updated_after=before)) == ["z"]


def test_a_receiver_must_ask_for_a_session_exactly_where_there_are_sessions(
    rider: ServiceBusClient, sender: ServiceBusSender, accept: Open
) -> None:
    for queue, options in (
        ("trains", {}),
        ("plain", {"session_id": "a"}),
        ("plain", {"session_id": NEXT_AVAILABLE_SESSION}),
    ):
        with (
            pytest.raises(ServiceBusError, match="amqp:not-allowed"),
            rider.get_queue_receiver(queue, **options),
        ):
            pass
    with pytest.raises(ServiceBusError, match="without a session id"):
        sender.send_messages(ServiceBusMessage("x"))


def test_a_subscription_is_received_by_sessions(trains: RunningBroker, rider: ServiceBusClient) -> None:
    trains.call(lambda namespace: namespace.create_topic("timetable"))
    settings = QueueSettings(requires_session=True)
    trains.call(lambda namespace: namespace.create_subscription("timetable", "south", settings))
    content = Content(body=section(DATA, b"x"), session_id="a")
    trains.call(lambda namespace: namespace.topic("timetable").send([content]))
    with rider.get_subscription_receiver("timetable", "south", session_id=NEXT_AVAILABLE_SESSION) as receiver:
        (message,) = receiver.receive_messages(1, 5)
        assert (receiver.session.session_id, str(message)) == ("a", "x")
        receiver.complete_message(message)


def test_the_asynchronous_client_receives_a_session(
    trains: RunningBroker, sender: ServiceBusSender, session_id: str
) -> None:
    sender.send_messages([ServiceBusMessage(body, session_id=session_id) for body in ("1", "2")])

    async def receive() -> list[str]:
        async with (
            AsyncClient.from_connection_string(trains.connection_string) as client,
            client.get_queue_receiver("trains", session_id=session_id) as receiver,
        ):
            messages = await receiver.receive_messages(2, 5)
            for message in messages:
                await receiver.complete_message(message)
            await receiver.session.set_state("done")
            assert await receiver.session.get_state() == b"done"
            return bodies(messages)

    assert asyncio.run(receive()) == ["1", "2"]


def test_the_client_says_that_no_session_became_free(broker: RunningBroker) -> None:
    broker.call(lambda namespace: namespace.create_queue("empty", QueueSettings(requires_session=True)))
    with ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client:
        receiver = client.get_queue_receiver("empty", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=0.5)
        with pytest.raises(OperationTimeoutError):
            receiver.receive_messages(1)


def test_the_wait_for_the_next_session_ends_though_nothing_else_happens(connect: Connect) -> None:
    namespace = Namespace()
    namespace.create_queue("q", QueueSettings(requires_session=True))
    with run_in_thread(namespace) as broker:
        wire = connect(broker.port)
        wire.begin()
        attach(wire, "q", {Symbol(FILTER): None}, {Symbol("com.microsoft:timeout"): UInt(100)})
        assert wire.hear(Attach).source is None


@pytest.mark.parametrize(
    ("properties", "patience"), [(None, 65), ({Symbol("com.microsoft:timeout"): UInt(2000)}, 2)]
)
def test_the_wait_for_the_next_session_ends_by_the_brokers_clock(
    trains: RunningBroker,
    connect: Connect,
    own_queue: str,
    pass_time: Callable[[float], None],
    properties: dict[Any, Any] | None,
    patience: float,
) -> None:
    wire = connect(trains.port)
    wire.begin()
    attach(wire, own_queue, {Symbol(FILTER): None}, properties)
    wire.send_to("plain")
    pass_time(patience - 0.5)
    assert wire.send_to("plain", handle=2).target is not None
    pass_time(0.5)
    assert wire.hear(Attach).source is None
    detach = wire.hear(Detach)
    assert detach.error is not None
    assert detach.error.condition == "com.microsoft:timeout"


def test_a_waiting_link_gets_the_session_whose_receiver_vanishes(
    trains: RunningBroker, connect: Connect, own_queue: str
) -> None:
    put(trains, own_queue, "a1")
    first, second = connect(trains.port), connect(trains.port)
    for wire in (first, second):
        wire.begin()
    attach(first, own_queue, {Symbol(FILTER): "a"})
    assert first.hear(Attach).source.filter == {FILTER: "a"}
    attach(second, own_queue, {Symbol(FILTER): Described(Symbol(FILTER), None)})
    second.credit(1)
    second.send_to("plain")
    first.socket.close()
    assert second.hear(Attach).source.filter == {FILTER: Described(FILTER, "a")}
    assert second.hear(Transfer).handle == 0


def test_one_who_receives_and_deletes_is_not_parted_with_at_the_very_lapse(
    trains: RunningBroker, connect: Connect, session_id: str, pass_time: Callable[[float], None]
) -> None:
    wire = connect(trains.port)
    wire.begin()
    source = Source("trains", filter={Symbol(FILTER): session_id})
    wire.say(Attach("in", 0, True, 1, 0, source, Target("me")))
    wire.hear(Attach)
    pass_time(60)
    assert wire.send_to("plain").target is not None
    assert trains.call(lambda namespace: namespace.queue("trains").accept_session(session_id)) is not None
    error = wire.hear(Detach).error
    assert error is not None
    assert error.condition == "com.microsoft:session-lock-lost"


def test_links_of_an_entity_that_is_deleted_are_told_so(trains: RunningBroker, connect: Connect) -> None:
    settings = QueueSettings(requires_session=True)
    trains.call(lambda namespace: namespace.create_queue("short", settings))
    holding, waiting = connect(trains.port), connect(trains.port)
    for wire, wanted in ((holding, "a"), (waiting, None)):
        wire.begin()
        attach(wire, "short", {Symbol(FILTER): wanted})
        wire.credit(1)
        wire.send_to("plain") if wanted is None else wire.hear(Attach)
    trains.call(lambda namespace: namespace.delete_queue("short"))
    assert waiting.hear(Attach).source is None
    for wire in (holding, waiting):
        error = wire.hear(Detach).error
        assert error is not None
        assert error.condition == "amqp:not-found"


def test_a_link_that_goes_waits_no_more(trains: RunningBroker, connect: Connect, own_queue: str) -> None:
    wire = connect(trains.port)
    wire.begin()
    attach(wire, own_queue, {Symbol(FILTER): None})
    wire.say(Detach(0, closed=True))
    wire.hear(Detach)
    put(trains, own_queue, "a1")
    assert trains.call(lambda namespace: namespace.queue(own_queue).accept_session("a")) is not None


@pytest.mark.parametrize(
    ("address", "wanted", "condition"),
    [("trains", 7, "amqp:invalid-field"), ("trains/$DeadLetterQueue", "a", "amqp:not-allowed")],
    ids=["a number", "a dead-letter queue"],
)
def test_a_session_that_cannot_be_is_refused(
    trains: RunningBroker, connect: Connect, address: str, wanted: object, condition: str
) -> None:
    wire = connect(trains.port)
    wire.begin()
    attach(wire, address, {Symbol(FILTER): wanted})
    assert wire.hear(Attach).source is None
    detach = wire.hear(Detach)
    assert detach.error is not None
    assert detach.error.condition == condition
