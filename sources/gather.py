"""Settling with the documented asynchronous calls, many at a time.

For an SDK whose inner parts have moved: slower than the batched ways, and
many times faster than one call after another where the broker is far away.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusReceiver

from .config import ServiceBusSource
from .connect_async import open_client, open_receiver
from .settlement import Held

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 100
"""Calls under way at a time."""
_TIMEOUT: Final = 60.0
"""Seconds after which a batch is given up."""

Settle = Callable[[ServiceBusReceiver, ServiceBusReceivedMessage], Awaitable[None]]


class GatherSettlement:
    """Asynchronous calls from a receiver of their own, on an event loop in a thread."""

    name = "gather"
    needs_message = True

    def __init__(self, source: ServiceBusSource, entity: str) -> None:
        """Settle messages of one entity; connects when first used."""
        self._source = source
        self._entity = entity
        self._loop: asyncio.AbstractEventLoop | None = None

    def complete(self, held: Sequence[Held]) -> list[Held]:
        """Complete messages concurrently."""
        return self._run(held, lambda receiver, message: receiver.complete_message(message))

    def dead_letter(self, held: Sequence[Held], reason: str, description: str) -> list[Held]:
        """Dead-letter messages concurrently."""
        return self._run(
            held,
            lambda receiver, message: receiver.dead_letter_message(
                message, reason=reason, error_description=description
            ),
        )

    def close(self) -> None:
        """End the event loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def _run(self, held: Sequence[Held], settle: Settle) -> list[Held]:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="settle", daemon=True).start()
        future = asyncio.run_coroutine_threadsafe(self._all(held, settle), self._loop)
        try:
            return future.result(_TIMEOUT)
        except (AzureError, OSError, TimeoutError) as error:
            _log.debug("settling on %s failed: %r", self._entity, error)
            return list(held)

    async def _all(self, held: Sequence[Held], settle: Settle) -> list[Held]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(item: Held) -> bool:
            if item.message is None:
                return False
            async with gate:
                try:
                    await settle(receiver, item.message)
                except (AzureError, ValueError) as error:
                    _log.debug("settling message %s failed: %r", item.sequence_number, error)
                    return False
            return True

        async with (
            open_client(self._source) as client,
            open_receiver(client, self._entity, self._source) as receiver,
        ):
            settled = await asyncio.gather(*(one(item) for item in held))
        return [item for item, done in zip(held, settled, strict=True) if not done]
