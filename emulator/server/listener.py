"""The embedded Service Bus: a namespace behind a listening socket."""

import asyncio
import ipaddress
import time
from collections.abc import Callable

from ..entities.namespace import Namespace
from .broker import Broker
from .conditions import CONNECTION_FORCED
from .connection import Connection
from .turns import Turns

_POLICY = "RootManageSharedAccessKey"
_ANY_KEY = "SAS_KEY_VALUE"


class EmbeddedServiceBus:
    """A Service Bus for development and tests, on this machine.

    Args:
        namespace: The entities to serve.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        latency: Seconds added to every round trip.
        clock: The time in seconds since 1970.
        key: The shared access key clients must hold; without one, any will do.
        locks_follow_link: Whether a receiver that goes gives back what it had
            locked; else the locks stay until they lapse, as Service Bus has it.
    """

    def __init__(
        self,
        namespace: Namespace,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        latency: float = 0.0,
        clock: Callable[[], float] = time.time,
        key: str | None = None,
        locks_follow_link: bool = False,
    ) -> None:
        self.namespace = namespace
        self._host = host
        self._port = port
        self._latency = latency
        self._clock = clock
        self._key = key
        self._locks_follow_link = locks_follow_link
        self._server: asyncio.Server | None = None
        self._broker: Broker | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    @property
    def connection_string(self) -> str:
        """What a client is configured with, once started."""
        return (
            f"Endpoint=sb://{_reachable(self._host)}:{self._port};SharedAccessKeyName={_POLICY};"
            f"SharedAccessKey={self._key or _ANY_KEY};UseDevelopmentEmulator=true"
        )

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        turns = Turns(self.namespace, self._clock)
        broker = Broker(self.namespace, turns, self._clock, self._latency, self._key, self._locks_follow_link)
        self._server = await loop.create_server(lambda: Connection(broker), self._host, self._port)
        self._broker = broker
        self._port = self._server.sockets[0].getsockname()[1]
        turns.expire()

    async def stop(self) -> None:
        """Stop listening, part with every client and commit; the namespace stays open."""
        if self._server is None or self._broker is None:
            return
        self._server.close()
        self._server = None
        for connection in list(self._broker.connections):
            connection.close(CONNECTION_FORCED, "The emulator is stopping.")
        self._broker.turns.stop()
        await asyncio.sleep(0)
        self.drop_connections()
        await asyncio.sleep(0)

    def drop_connections(self) -> None:
        """Drop every client without a word, as a broken network does."""
        if self._broker is not None:
            for connection in list(self._broker.connections):
                connection.abort()

    def expire(self) -> None:
        """Apply at once what the clock has brought about: locks, time to live, schedules."""
        if self._broker is not None:
            self._broker.turns.expire()


def _reachable(host: str) -> str:
    """Return the host a client connects to: this machine by its usual name where that is served."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return "localhost" if address.is_loopback or address.is_unspecified else host
