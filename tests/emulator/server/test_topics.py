"""Topics and subscriptions through the official client."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import MessagingEntityNotFoundError, ServiceBusError

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker


@pytest.fixture(scope="module")
def topic(bus: RunningBroker, client: ServiceBusClient) -> Iterator[ServiceBusSender]:
    """A sender to a topic with subscriptions ``first`` and ``second``."""

    def create(namespace: Namespace) -> None:
        namespace.create_topic("events")
        for name in ("first", "second"):
            namespace.create_subscription("events", name, QueueSettings(max_delivery_count=2))

    bus.call(create)
    with client.get_topic_sender("events") as sender:
        yield sender
    bus.call(lambda namespace: namespace.delete_topic("events"))


@pytest.fixture(scope="module")
def receivers(topic: ServiceBusSender, client: ServiceBusClient) -> Iterator[dict[str, ServiceBusReceiver]]:
    """Receivers from the subscriptions and, as ``dead``, from the first one's dead-letter queue."""
    with ExitStack() as stack:
        opened = {
            name: stack.enter_context(client.get_subscription_receiver("events", name))
            for name in ("first", "second")
        }
        dead = client.get_subscription_receiver("events", "FIRST", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
        yield opened | {"dead": stack.enter_context(dead)}


def test_every_subscription_gets_each_message(
    topic: ServiceBusSender, receivers: dict[str, ServiceBusReceiver]
) -> None:
    topic.send_messages([ServiceBusMessage("a", message_id="m"), ServiceBusMessage("b")])
    for name in ("first", "second"):
        messages = receivers[name].receive_messages(2, 5)
        assert [str(message) for message in messages] == ["a", "b"]
        first, second = messages
        assert first.message_id == "m"
        assert second.enqueued_sequence_number == (first.enqueued_sequence_number or 0) + 1
        for message in messages:
            receivers[name].complete_message(message)
        assert receivers[name].peek_messages(5, sequence_number=1) == []


def test_a_copy_is_renewed_deferred_and_dead_lettered(
    topic: ServiceBusSender, receivers: dict[str, ServiceBusReceiver]
) -> None:
    topic.send_messages([ServiceBusMessage("later"), ServiceBusMessage("bad")])
    later, bad = receivers["first"].receive_messages(2, 5)
    assert receivers["first"].renew_message_lock(later) > datetime.now(UTC)
    receivers["first"].defer_message(later)
    receivers["first"].dead_letter_message(bad, reason="no", error_description="It will not do.")
    (again,) = receivers["first"].receive_deferred_messages(later.sequence_number or 0)
    assert str(again) == "later"
    receivers["first"].complete_message(again)
    (dead,) = receivers["dead"].receive_messages(1, 5)
    assert (str(dead), dead.dead_letter_reason) == ("bad", "no")
    assert dead.enqueued_sequence_number == bad.enqueued_sequence_number
    receivers["dead"].complete_message(dead)
    for message in receivers["second"].receive_messages(2, 5):
        receivers["second"].complete_message(message)


def test_what_is_scheduled_on_a_topic_comes_in_time_or_is_cancelled(
    topic: ServiceBusSender,
    receivers: dict[str, ServiceBusReceiver],
    bus: RunningBroker,
    clock: ManualClock,
) -> None:
    when = datetime.fromtimestamp(clock() + 100, UTC)
    kept, cancelled = topic.schedule_messages([ServiceBusMessage("kept"), ServiceBusMessage("not")], when)
    topic.cancel_scheduled_messages(cancelled)
    assert bus.call(lambda namespace: namespace.topic("events").depth()) == {"scheduled": 1}
    assert receivers["first"].peek_messages(1, sequence_number=1) == []
    bus.call(lambda _: clock.advance(100))
    for name in ("first", "second"):
        (message,) = receivers[name].receive_messages(5, 5)
        assert str(message) == "kept"
        assert (message.enqueued_sequence_number or 0) > kept
        assert message.scheduled_enqueue_time_utc is not None
        assert abs(message.scheduled_enqueue_time_utc - when) < timedelta(milliseconds=2)
        receivers[name].complete_message(message)


def test_an_unknown_subscription_is_not_found(topic: ServiceBusSender, client: ServiceBusClient) -> None:
    receiver = client.get_subscription_receiver("events", "none")
    with pytest.raises(MessagingEntityNotFoundError, match="events/Subscriptions/none"):
        receiver.receive_messages(1, 1)
    receiver.close()


def test_a_topic_is_not_a_queue_to_receive_from(topic: ServiceBusSender, client: ServiceBusClient) -> None:
    receiver = client.get_queue_receiver("events")
    with pytest.raises(ServiceBusError, match="receive from one of its subscriptions"):
        receiver.receive_messages(1, 1)
    receiver.close()


def test_a_disabled_entity_refuses_links_and_live_ones(bus: RunningBroker, client: ServiceBusClient) -> None:
    def status(value: str) -> None:
        bus.call(lambda namespace: namespace.create_queue("status", QueueSettings(status=value)))

    status("Active")
    with client.get_queue_sender("status") as sender, client.get_queue_receiver("status") as receiver:
        sender.send_messages(ServiceBusMessage("x"))
        assert len(receiver.peek_messages(1)) == 1
        status("Disabled")
        with pytest.raises(ServiceBusError, match="disabled for send"):
            sender.send_messages(ServiceBusMessage("y"))
        with pytest.raises(ServiceBusError, match="disabled for receive"):
            receiver.receive_messages(1, 1)
        status("Active")
        (message,) = receiver.receive_messages(1, 5)
        receiver.complete_message(message)
    bus.call(lambda namespace: namespace.delete_queue("status"))


def test_dead_letters_that_are_passed_on_tell_where_they_died(
    bus: RunningBroker, client: ServiceBusClient
) -> None:
    def create(namespace: Namespace) -> None:
        namespace.create_queue("morgue")
        namespace.create_queue("ward", QueueSettings(forward_dead_letters_to="morgue"))

    bus.call(create)
    with (
        client.get_queue_sender("ward") as sender,
        client.get_queue_receiver("ward") as receiver,
        client.get_queue_receiver("morgue") as morgue,
    ):
        sender.send_messages(ServiceBusMessage("x", application_properties={"a": 1}, partition_key="p"))
        (message,) = receiver.receive_messages(1, 5)
        receiver.dead_letter_message(message, reason="why", error_description="because")
        (dead,) = morgue.receive_messages(1, 5)
        assert (dead.dead_letter_source, dead.dead_letter_reason) == ("ward", "why")
        assert (dead.enqueued_sequence_number, dead.partition_key) == (1, "p")
        morgue.complete_message(dead)
    bus.call(lambda namespace: namespace.delete_queue("ward"))
    bus.call(lambda namespace: namespace.delete_queue("morgue"))


def test_transfer_dead_letters_are_received(bus: RunningBroker, client: ServiceBusClient) -> None:
    def create(namespace: Namespace) -> None:
        namespace.create_queue("onward")
        namespace.create_queue("through", QueueSettings(forward_to="onward"))
        namespace.delete_queue("onward")

    bus.call(create)
    with (
        client.get_queue_sender("through") as sender,
        client.get_queue_receiver("through", sub_queue=ServiceBusSubQueue.TRANSFER_DEAD_LETTER) as receiver,
    ):
        sender.send_messages(ServiceBusMessage("x"))
        (dead,) = receiver.receive_messages(1, 5)
        assert (str(dead), dead.dead_letter_reason) == ("x", "MessagingEntityNotFoundException")
        receiver.complete_message(dead)
    refused = client.get_queue_receiver("through")
    with pytest.raises(ServiceBusError, match="auto-forwarding enabled"):
        refused.receive_messages(1, 1)
    refused.close()
    bus.call(lambda namespace: namespace.delete_queue("through"))
