"""The asynchronous client: every operation, and many settlements under way at once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from azure.servicebus import ServiceBusMessage, ServiceBusMessageState, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient

from cdsbridge.emulator.server import RunningBroker

Depth = Callable[..., dict[str, int]]


def test_many_settlements_at_once_are_all_confirmed(bus: RunningBroker, depth: Depth) -> None:
    async def exchange() -> list[str]:
        async with (
            ServiceBusClient.from_connection_string(bus.connection_string, retry_total=0) as client,
            client.get_queue_sender("orders") as sender,
            client.get_queue_receiver("orders") as receiver,
        ):
            await asyncio.gather(
                *[sender.send_messages([ServiceBusMessage(f"{n}") for n in range(20)]) for _ in range(3)]
            )
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


def test_each_operation_does_what_the_synchronous_one_does(bus: RunningBroker, depth: Depth) -> None:
    async def exchange() -> dict[str, object]:
        async with (
            ServiceBusClient.from_connection_string(bus.connection_string, retry_total=0) as client,
            client.get_queue_sender("orders") as sender,
            client.get_queue_receiver("orders") as receiver,
            client.get_queue_receiver("orders", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead,
        ):
            later = datetime.now(UTC) + timedelta(hours=1)
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
