"""The embedded Service Bus as a program of its own."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from ..entities.namespace import Namespace
from .access import Policy
from .listener import EmbeddedServiceBus

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_KILLED = 137


def serve(
    create: Callable[[Namespace], None],
    on_ready: Callable[[str], None],
    *,
    host: str = "127.0.0.1",
    port: int = 5672,
    path: Path | None = None,
    latency: float = 0.0,
    key: str | None = None,
    faults: bool = False,
    certificate: Path | None = None,
    policies: Sequence[Policy] = (),
    idle_limits: bool = False,
) -> None:
    """Serve entities until SIGINT or SIGTERM, then part with clients and close the store.

    It must run in the main thread, where signals arrive.

    Args:
        create: Makes the entities to serve; those in the file are served as well.
        on_ready: Called with the connection string once clients can connect.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        path: SQLite file that keeps entities and messages; ``None``: in memory only.
        latency: Seconds added to every round trip.
        key: The shared access key clients must hold; without one, any will do.
        faults: Whether faults are taken over HTTP.
        certificate: As of :class:`EmbeddedServiceBus`; where one is given it is made at once.
        policies: Likewise.
        idle_limits: Likewise.

    Raises:
        OSError: The address cannot be listened on.
        EntityError: An entity cannot be created, or the file not be opened.
    """
    namespace = Namespace(path=path)
    try:
        create(namespace)
        bus = EmbeddedServiceBus(
            namespace,
            host=host,
            port=port,
            latency=latency,
            key=key,
            kill=lambda: os._exit(_KILLED),
            faults=faults,
            certificate=certificate,
            policies=policies,
            idle_limits=idle_limits,
        )
        asyncio.run(_until_signal(bus, on_ready))
    finally:
        namespace.close()


async def _until_signal(bus: EmbeddedServiceBus, on_ready: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        loop.call_soon_threadsafe(stop.set)

    former = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        await bus.start()
        try:
            on_ready(bus.connection_string)
            await stop.wait()
        finally:
            await bus.stop()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
