"""The embedded Service Bus on an event loop and a thread of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ...model.errors import ConfigError
from ..entities.namespace import Namespace
from .access import BearerReader, OtherTokens, Policy
from .faults import Fault
from .listener import EmbeddedServiceBus

_T = TypeVar("_T")


class RunningBroker:
    """A broker that runs in another thread.

    Args:
        bus: The broker.
        loop: The event loop it runs on.
    """

    def __init__(self, bus: EmbeddedServiceBus, loop: asyncio.AbstractEventLoop) -> None:
        self._bus = bus
        self._loop = loop

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._bus.port

    @property
    def connection_string(self) -> str:
        """What a client is configured with."""
        return self._bus.connection_string

    @property
    def certificate(self) -> Path:
        """The PEM file that a client trusts to speak TLS to it, its ``connection_verify``."""
        return self._bus.certificate

    def call(self, function: Callable[[Namespace], _T]) -> _T:
        """Run a function with the namespace in the broker's thread and return its result.

        What it changed is durable on return.  What has come due is applied
        before and after, so a test sees at once what a turn of its clock
        brings about.
        """

        async def run() -> _T:
            self._bus.expire()
            try:
                return function(self._bus.namespace)
            finally:
                self._bus.expire()
                self._bus.namespace.commit()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def add_policy(self, policy: Policy) -> str:
        """Let a policy hold from now on; the connection string of a client that goes by it."""
        self._run(lambda: self._bus.access.add(policy))
        return self._bus.connection_string_of(policy)

    def arm(self, fault: Fault) -> int:
        """Let a fault wait for its chances from now on; its number, for :meth:`disarm` and :meth:`hits`.

        Raises:
            ValueError: The fault would kill this process.
        """
        return self._run(lambda: self._bus.arm(fault))

    def disarm(self, number: int | None = None) -> None:
        """Let a fault strike no more, or all of them."""
        self._run(lambda: self._bus.disarm(number))

    def hits(self, number: int) -> int:
        """How often a fault has struck; 0 of one that is not armed."""
        return self._run(lambda: next((each.hits for each in self._bus.armed() if each.number == number), 0))

    def lose_locks(self, entity: str, count: int | None = None) -> int:
        """Let locks lapse at once, those that would lapse first; how many have.

        Args:
            entity: The address of a queue, subscription or dead-letter queue.
            count: How many; ``None``: all.  Where sessions are required, of sessions.

        Raises:
            EntityError: There is none at the address.
        """
        return self.call(lambda namespace: namespace.queue(entity).lose_locks(count))

    def _run(self, function: Callable[[], _T]) -> _T:
        async def run() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def drop_connections(self) -> None:
        """Drop every client without a word, as a broken network does."""
        self._loop.call_soon_threadsafe(self._bus.drop_connections)


@contextmanager
def run_in_thread(
    namespace: Namespace | Callable[[], Namespace],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    latency: float = 0.0,
    clock: Callable[[], float] = time.time,
    key: str | None = None,
    locks_follow_link: bool = False,
    idle_limits: bool = False,
    certificate: Path | None = None,
    policies: Sequence[Policy] = (),
    other_tokens: OtherTokens = "jwt",
    issuer: BearerReader | None = None,
    faults: bool = False,
) -> Iterator[RunningBroker]:
    """Run an embedded Service Bus beside the caller.

    Args:
        namespace: The entities, or a function that makes them in the broker's
            thread; a namespace so made is closed in the end.
        host: As of :class:`EmbeddedServiceBus`.
        port: Likewise.
        latency: Likewise.
        clock: Likewise.
        key: Likewise.
        locks_follow_link: Likewise.
        idle_limits: Likewise.
        certificate: Likewise.
        policies: Likewise.
        other_tokens: Likewise.
        issuer: Likewise.
        faults: Likewise.

    Raises:
        OSError: The address cannot be listened on.
    """

    def make(entities: Namespace) -> EmbeddedServiceBus:
        return EmbeddedServiceBus(
            entities,
            host=host,
            port=port,
            latency=latency,
            clock=clock,
            key=key,
            locks_follow_link=locks_follow_link,
            idle_limits=idle_limits,
            certificate=certificate,
            policies=policies,
            other_tokens=other_tokens,
            issuer=issuer,
            faults=faults,
        )

    with _loop_in_thread() as loop:
        bus = asyncio.run_coroutine_threadsafe(_start(namespace, make), loop).result()
        try:
            yield RunningBroker(bus, loop)
        finally:
            asyncio.run_coroutine_threadsafe(_stop(bus, close=callable(namespace)), loop).result()


@contextmanager
def _loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="embedded-servicebus", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(
    namespace: Namespace | Callable[[], Namespace], make: Callable[[Namespace], EmbeddedServiceBus]
) -> EmbeddedServiceBus:
    entities = namespace() if callable(namespace) else namespace
    bus = make(entities)
    try:
        await bus.start()
    except (OSError, ConfigError):
        if callable(namespace):
            entities.close()
        raise
    return bus


async def _stop(bus: EmbeddedServiceBus, *, close: bool) -> None:
    await bus.stop()
    if close:
        bus.namespace.close()
