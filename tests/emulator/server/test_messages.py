"""What a client sends is what a client receives."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageBatch,
    ServiceBusReceiver,
    ServiceBusSender,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType
from azure.servicebus.exceptions import MessageSizeExceededError

from cdsbridge.emulator.amqp.sections import data_values
from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker

Depth = Callable[..., dict[str, int]]
PassTime = Callable[[float], None]


def test_delivery_annotations_of_the_sender_come_beside_the_lock_token(
    orders_sender: ServiceBusSender, orders_receiver: ServiceBusReceiver
) -> None:
    body = AmqpAnnotatedMessage(
        data_body=b"x", delivery_annotations={"mine": "yes", "x-opt-lock-token": "no"}
    )
    orders_sender.send_messages(body)
    (peeked,) = orders_receiver.peek_messages(1)
    assert peeked.raw_amqp_message.delivery_annotations == {b"mine": b"yes"}
    (message,) = orders_receiver.receive_messages(1, 5)
    found = message.raw_amqp_message.delivery_annotations or {}
    assert found == {b"mine": b"yes", b"x-opt-lock-token": message.lock_token}
    orders_receiver.complete_message(message)


def test_a_message_arrives_with_everything_it_was_sent_with(
    orders_sender: ServiceBusSender, orders_receiver: ServiceBusReceiver
) -> None:
    number = uuid.uuid4()
    properties = {"text": "é", "whole": 2**30, "flag": True, "real": 1.5, "raw": b"\0\1", "id": number}
    sent = ServiceBusMessage(
        b"\0body\xff",
        message_id="m-1",
        correlation_id="c-1",
        content_type="application/json",
        subject="s",
        to="t",
        reply_to="r",
        partition_key="p",
        time_to_live=timedelta(minutes=5),
        application_properties=properties,  # type: ignore[arg-type]
    )
    orders_sender.send_messages(sent)
    (message,) = orders_receiver.receive_messages(1, 5)
    assert b"".join(message.body) == b"\0body\xff"
    assert (message.message_id, message.correlation_id, message.content_type) == (
        "m-1",
        "c-1",
        "application/json",
    )
    assert (message.subject, message.to, message.reply_to, message.partition_key) == ("s", "t", "r", "p")
    assert message.time_to_live == timedelta(minutes=5)
    received = message.application_properties or {}
    assert received == {
        b"text": "é".encode(),
        b"whole": 2**30,
        b"flag": True,
        b"real": 1.5,
        b"raw": b"\0\1",
        b"id": number,
    }


def test_the_broker_adds_number_times_lock_and_count(
    orders_sender: ServiceBusSender, orders_receiver: ServiceBusReceiver, clock: Callable[[], float]
) -> None:
    orders_sender.send_messages(ServiceBusMessage("x"))
    (message,) = orders_receiver.receive_messages(1, 5)
    now = datetime.fromtimestamp(clock(), UTC)
    assert message.sequence_number is not None
    assert message.sequence_number > 0
    assert message.enqueued_time_utc is not None
    assert abs(message.enqueued_time_utc - now) < timedelta(milliseconds=2)
    assert message.locked_until_utc is not None
    assert abs(message.locked_until_utc - now - timedelta(seconds=60)) < timedelta(milliseconds=2)
    assert isinstance(message.lock_token, uuid.UUID)
    assert message.delivery_count == 0
    assert message.message_id


def test_a_batch_arrives_whole_and_in_order(
    orders_sender: ServiceBusSender, orders_receiver: ServiceBusReceiver
) -> None:
    batch = orders_sender.create_message_batch()
    for index in range(300):
        batch.add_message(ServiceBusMessage(f"body {index}", message_id=str(index)))
    orders_sender.send_messages(batch)
    messages = orders_receiver.receive_messages(300, 5)
    while len(messages) < 300 and (more := orders_receiver.receive_messages(300 - len(messages), 5)):
        messages += more  # a call ends 0.2 s after the last message it saw, which a busy machine can take
    assert [message.message_id for message in messages] == [str(index) for index in range(300)]
    numbers = [message.sequence_number or 0 for message in messages]
    assert numbers == list(range(numbers[0], numbers[0] + 300))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_400, 65_536, 250_000])
def test_a_body_of_any_size_within_the_limit_arrives(
    size: int, notes_sender: ServiceBusSender, notes_receiver: ServiceBusReceiver
) -> None:
    body = bytes(index % 251 for index in range(size))
    notes_sender.send_messages(ServiceBusMessage(body))
    (message,) = notes_receiver.receive_messages(1, 5)
    assert b"".join(message.body) == body


@pytest.mark.parametrize(
    "kind", [AmqpMessageBodyType.DATA, AmqpMessageBodyType.SEQUENCE, AmqpMessageBodyType.VALUE]
)
def test_a_body_of_any_kind_arrives(
    kind: AmqpMessageBodyType, notes_sender: ServiceBusSender, notes_receiver: ServiceBusReceiver
) -> None:
    bodies = {
        AmqpMessageBodyType.DATA: {"data_body": [b"one", b"two"]},
        AmqpMessageBodyType.SEQUENCE: {"sequence_body": [[1, 2], ["a"]]},
        AmqpMessageBodyType.VALUE: {"value_body": {"key": [1, None]}},
    }
    notes_sender.send_messages(AmqpAnnotatedMessage(**bodies[kind]))  # type: ignore[arg-type]
    (message,) = notes_receiver.receive_messages(1, 5)
    assert message.body_type is kind
    body = message.body if kind is AmqpMessageBodyType.VALUE else list(message.body)
    expected: dict[AmqpMessageBodyType, object] = {
        AmqpMessageBodyType.DATA: [b"one", b"two"],
        AmqpMessageBodyType.SEQUENCE: [[1, 2], [b"a"]],
        AmqpMessageBodyType.VALUE: {b"key": [1, None]},
    }
    assert body == expected[kind]


def test_a_message_above_the_limit_is_refused_and_the_sender_lives_on(
    orders_sender: ServiceBusSender, orders_receiver: ServiceBusReceiver, depth: Depth
) -> None:
    with pytest.raises(MessageSizeExceededError):
        orders_sender.send_messages(ServiceBusMessage(b"x" * 300_000))
    assert depth() == {}
    orders_sender.send_messages(ServiceBusMessage("small"))
    assert len(orders_receiver.receive_messages(1, 5)) == 1


def test_a_batch_is_bounded_by_the_size_the_link_tells(orders_sender: ServiceBusSender) -> None:
    assert orders_sender.create_message_batch().max_size_in_bytes == 262_144


def _full(sender: ServiceBusSender, message: ServiceBusMessage) -> ServiceBusMessageBatch:
    """Fill a batch until the client says that it is full."""
    batch = sender.create_message_batch()
    try:
        while True:
            batch.add_message(message)
    except MessageSizeExceededError:
        return batch


@pytest.mark.parametrize("size", [1, 10, 100, 1000])
def test_a_batch_the_client_takes_for_full_is_accepted(
    size: int, notes_sender: ServiceBusSender, depth: Depth
) -> None:
    batch = _full(notes_sender, ServiceBusMessage(b"", message_id="m" * 40, correlation_id="c" * size))
    notes_sender.send_messages(batch)
    assert depth("notes") == {"active": len(batch)}


def test_what_is_received_and_deleted_is_gone_at_once(
    notes_sender: ServiceBusSender, notes_receiver: ServiceBusReceiver, depth: Depth
) -> None:
    notes_sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
    messages = notes_receiver.receive_messages(2, 5)
    assert [str(message) for message in messages] == ["a", "b"]
    assert depth("notes") == {}


def test_a_received_message_sent_again_gets_annotations_of_its_own(
    orders_sender: ServiceBusSender, orders_receiver: ServiceBusReceiver, pass_time: PassTime
) -> None:
    orders_sender.send_messages(ServiceBusMessage("x"))
    (first,) = orders_receiver.receive_messages(1, 5)
    orders_receiver.complete_message(first)
    pass_time(5)
    first.message_id = "again"
    orders_sender.send_messages(first)
    (second,) = orders_receiver.receive_messages(1, 5)
    assert second.sequence_number == (first.sequence_number or 0) + 1
    assert second.enqueued_time_utc is not None
    assert first.enqueued_time_utc is not None
    assert second.enqueued_time_utc - first.enqueued_time_utc >= timedelta(seconds=4.9)


def test_a_scheduled_message_waits_for_its_time(
    orders_sender: ServiceBusSender,
    orders_receiver: ServiceBusReceiver,
    depth: Depth,
    clock: Callable[[], float],
    pass_time: PassTime,
) -> None:
    due = datetime.fromtimestamp(int(clock()) + 30, UTC)
    orders_sender.send_messages(ServiceBusMessage("one", scheduled_enqueue_time_utc=due))
    orders_sender.schedule_messages([ServiceBusMessage("two"), ServiceBusMessage("three")], due)
    assert depth() == {"scheduled": 3}
    pass_time(31)
    messages = orders_receiver.receive_messages(3, 5)
    assert sorted(str(message) for message in messages) == ["one", "three", "two"]
    assert [message.scheduled_enqueue_time_utc for message in messages] == [due] * 3


def test_a_scheduled_message_can_be_cancelled(
    orders_sender: ServiceBusSender, depth: Depth, clock: Callable[[], float]
) -> None:
    due = datetime.fromtimestamp(clock() + 30, UTC)
    numbers = orders_sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], due)
    orders_sender.cancel_scheduled_messages(numbers[0])
    assert depth() == {"scheduled": 1}


def test_a_message_past_its_time_to_live_is_dead_lettered(
    notes_sender: ServiceBusSender, depth: Depth, pass_time: PassTime
) -> None:
    notes_sender.send_messages(ServiceBusMessage("x", time_to_live=timedelta(seconds=10)))
    assert depth("notes") == {"active": 1}
    pass_time(11)
    assert depth("notes") == {"dead_lettered": 1}


def test_a_duplicate_is_accepted_and_delivered_once(
    bus: RunningBroker, client: ServiceBusClient, clock: ManualClock
) -> None:
    settings = QueueSettings(duplicate_window=60)
    bus.call(lambda namespace: namespace.create_queue("once", settings))
    with client.get_queue_sender("once") as sender:
        sender.send_messages([ServiceBusMessage(body, message_id="m") for body in ("first", "second")])
        due = datetime.fromtimestamp(clock() + 30, UTC)
        assert sender.schedule_messages(ServiceBusMessage("third", message_id="m"), due) == [0]
        bus.call(lambda _: clock.advance(60))
        sender.send_messages(ServiceBusMessage("fourth", message_id="m"))
    kept = bus.call(lambda namespace: namespace.queue("once").receive(9, lock=False))
    assert [data_values(delivery.message.content.body) for delivery in kept] == [[b"first"], [b"fourth"]]


def test_a_receiver_that_waits_gets_a_message_when_it_comes(
    orders_sender: ServiceBusSender, orders_receiver: ServiceBusReceiver
) -> None:
    orders_sender.send_messages(ServiceBusMessage("first"))
    stream = iter(orders_receiver)
    assert str(next(stream)) == "first"
    orders_sender.send_messages(ServiceBusMessage("second"))
    assert str(next(stream)) == "second"
