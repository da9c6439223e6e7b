"""Sessions, as the official client sees them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
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

from cdsbridge.emulator.amqp.sections import DATA, section
from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker

from .session_messages import put

Open = Callable[..., AbstractContextManager[ServiceBusReceiver]]


@pytest.fixture(scope="module")
def rider(trains: RunningBroker) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(trains.connection_string, retry_total=0) as opened:
        yield opened


@pytest.fixture(scope="module")
def sender(rider: ServiceBusClient) -> Iterator[ServiceBusSender]:
    with rider.get_queue_sender("trains") as opened:
        yield opened


@pytest.fixture
def accept(rider: ServiceBusClient, session_id: str) -> Open:
    def accept(session: Any = session_id, **options: Any) -> ServiceBusReceiver:
        return rider.get_queue_receiver("trains", session_id=session, **options)

    return accept


def bodies(messages: list[Any]) -> list[str]:
    return [str(message) for message in messages]


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
    sender: ServiceBusSender, accept: Open, session_id: str, trains_wait: Callable[[float], None]
) -> None:
    sender.send_messages(ServiceBusMessage("x", session_id=session_id))
    with accept() as receiver:
        (message,) = receiver.receive_messages(1, 5)
        trains_wait(60)
        with pytest.raises(SessionLockLostError):
            receiver.receive_messages(1, 5)
        with pytest.raises(ServiceBusError):
            receiver.complete_message(message)
    with accept() as receiver:
        (message,) = receiver.receive_messages(1, 5)
        assert message.delivery_count == 1
        trains_wait(60)
    with accept() as receiver:
        assert receiver.peek_messages(1) == []


def test_a_renewed_session_keeps_its_messages_locked(
    sender: ServiceBusSender,
    accept: Open,
    session_id: str,
    trains_wait: Callable[[float], None],
    clock: ManualClock,
) -> None:
    sender.send_messages(ServiceBusMessage("x", session_id=session_id))
    with accept() as receiver:
        (message,) = receiver.receive_messages(1, 5)
        trains_wait(40)
        assert receiver.session.renew_lock() == datetime.fromtimestamp(int((clock() + 60) * 1000) / 1000, UTC)
        trains_wait(40)
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
