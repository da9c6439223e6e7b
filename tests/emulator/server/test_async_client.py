"""The asynchronous client: many settlements under way at once."""

import asyncio
from collections.abc import Callable

from azure.servicebus import ServiceBusMessage
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
