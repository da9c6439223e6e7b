"""The asynchronous client: every operation, and many settlements under way at once."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusMessageState, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusAuthenticationError

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.filters.rules import Rule, SqlFilter
from cdsbridge.emulator.server import Fault, Kind, Point, RunningBroker, run_in_thread

Depth = Callable[..., dict[str, int]]


def test_many_settlements_at_once_are_all_confirmed(bus: RunningBroker, depth: Depth) -> None:
    async def exchange() -> list[str]:
        async with (
            ServiceBusClient.from_connection_string(bus.connection_string, retry_total=0) as client,
            client.get_queue_sender("orders") as sender,
            client.get_queue_receiver("orders") as receiver,
        ):
            # one after another: of tasks that share a sender the client sends a transfer twice (Python 3.13)
            for _ in range(3):
                await sender.send_messages([ServiceBusMessage(f"{n}") for n in range(20)])
            messages = await receiver.receive_messages(60, 5)
            await asyncio.gather(*[receiver.complete_message(message) for message in messages[:30]])
            await receiver.abandon_message(messages[30])
            await receiver.dead_letter_message(messages[31], reason="why")
            await receiver.renew_message_lock(messages[32])
            peeked = await receiver.peek_messages(60, sequence_number=1)
            await receiver._settle_message_via_mgmt_link(
                "completed",
                [message.lock_token for message in messages[32:] if message.lock_token is not None],
            )
            return [str(message) for message in peeked]

    assert len(asyncio.run(exchange())) == 29
    assert depth() == {"active": 1, "dead_lettered": 1}


def test_each_operation_does_what_the_synchronous_one_does(
    bus: RunningBroker, clock: ManualClock, depth: Depth
) -> None:
    async def exchange() -> dict[str, object]:
        async with (
            ServiceBusClient.from_connection_string(bus.connection_string, retry_total=0) as client,
            client.get_queue_sender("orders") as sender,
            client.get_queue_receiver("orders") as receiver,
            client.get_queue_receiver("orders", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead,
        ):
            later = datetime.fromtimestamp(clock(), UTC) + timedelta(hours=1)
            numbers = await sender.schedule_messages([ServiceBusMessage("x"), ServiceBusMessage("y")], later)
            await sender.cancel_scheduled_messages(numbers[0])
            batch = await sender.create_message_batch()
            for body in ("defer", "abandon", "dead-letter", "renew"):
                batch.add_message(ServiceBusMessage(body))
            await sender.send_messages(batch)
            deferred, abandoned, buried, renewed = await receiver.receive_messages(4, 5)
            await receiver.defer_message(deferred)
            (back,) = await receiver.receive_deferred_messages(deferred.sequence_number or 0)
            await receiver.abandon_message(abandoned)
            (again,) = await receiver.receive_messages(1, 5)
            await receiver.dead_letter_message(buried, reason="why", error_description="because")
            (dead_letter,) = await dead.receive_messages(1, 5)
            until = renewed.locked_until_utc
            return {
                "back": (str(back), back.state),
                "again": (str(again), again.delivery_count),
                "dead": (str(dead_letter), dead_letter.dead_letter_reason),
                "described": dead_letter.dead_letter_error_description,
                "renewed": until is not None and await receiver.renew_message_lock(renewed) >= until,
            }

    assert asyncio.run(exchange()) == {
        "back": ("defer", ServiceBusMessageState.DEFERRED),
        "again": ("abandon", 1),
        "dead": ("dead-letter", "why"),
        "described": "because",
        "renewed": True,
    }
    assert depth() == {"locked": 3, "scheduled": 1, "dead_lettered": 1}


@pytest.fixture
def events() -> Iterator[RunningBroker]:
    """A broker with a topic that drops duplicates, and a key that is demanded."""
    namespace = Namespace()
    namespace.create_topic("events", QueueSettings(duplicate_window=60))
    namespace.create_subscription("events", "all")
    namespace.create_subscription("events", "red")
    namespace.remove_rule("events/Subscriptions/red", "$Default")
    namespace.add_rule("events/Subscriptions/red", Rule("red", SqlFilter("colour = 'red'")))
    with run_in_thread(namespace, key="c2VjcmV0") as running:
        yield running


def test_subscriptions_get_what_their_rules_say_and_duplicates_once(events: RunningBroker) -> None:
    sent = [("1", "red"), ("2", "blue"), ("1", "red")]
    messages = [
        ServiceBusMessage(colour, message_id=number, application_properties={"colour": colour})
        for number, colour in sent
    ]

    async def exchange() -> tuple[list[str], list[str], str | None]:
        async with (
            ServiceBusClient.from_connection_string(events.connection_string, retry_total=0) as client,
            client.get_topic_sender("events") as sender,
            client.get_subscription_receiver("events", "all") as everything,
            client.get_subscription_receiver("events", "red") as red,
            client.get_subscription_receiver(
                "events", "all", sub_queue=ServiceBusSubQueue.DEAD_LETTER
            ) as dead,
        ):
            for message in messages:
                await sender.send_messages(message)
            received = await everything.receive_messages(3, 5)
            await everything.dead_letter_message(received[0], reason="why")
            (dead_letter,) = await dead.receive_messages(1, 5)
            selected = await red.receive_messages(3, 5)
            return [str(m) for m in received], [str(m) for m in selected], dead_letter.dead_letter_reason

    assert asyncio.run(exchange()) == (["red", "blue"], ["red"], "why")


def test_a_client_with_another_key_is_refused_and_one_that_is_throttled_tries_again(
    events: RunningBroker,
) -> None:
    wrong = events.connection_string.replace("c2VjcmV0", "d3Jvbmc=")
    busy = events.arm(Fault(Kind.REFUSE, Point.SEND, "events", count=1))

    async def send(connection: str) -> None:
        async with (
            ServiceBusClient.from_connection_string(
                connection, retry_total=1, retry_backoff_factor=0.01
            ) as client,
            client.get_topic_sender("events") as sender,
        ):
            await sender.send_messages(ServiceBusMessage("x", message_id="1"))

    with pytest.raises(ServiceBusAuthenticationError):
        asyncio.run(send(wrong))
    asyncio.run(send(events.connection_string))
    depth = events.call(lambda namespace: namespace.queue("events/Subscriptions/all").depth())
    assert (depth["active"], events.hits(busy)) == (1, 1)
