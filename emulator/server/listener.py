"""The embedded Service Bus: a namespace behind a listening socket."""

import asyncio
import ipaddress
import ssl
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..admin.service import AdminService
from ..entities.namespace import Namespace
from .access import ROOT_POLICY, Access, BearerReader, OtherTokens, Policy, Right
from .broker import Broker
from .certificate import server_context, write_certificate
from .conditions import CONNECTION_FORCED
from .connection import Connection
from .fault_route import fault_route
from .faults import Armed, Fault, Faults, Kind
from .front import Front
from .idling import part_with_idle, part_with_unauthorized
from .turns import Turns
from .websocket import websocket_route

_ANY_KEY = "SAS_KEY_VALUE"
_NAME = "sbemulatorns"
_IDLE_TICK = 5.0


class EmbeddedServiceBus:
    """A Service Bus for development and tests, on this machine.

    Args:
        namespace: The entities to serve.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        latency: Seconds added to every round trip.
        clock: The time in seconds since 1970.
        key: The shared access key of the policy that every namespace has; without one,
            without policies and without an issuer, clients may do everything with any key.
        locks_follow_link: Whether a receiver that goes gives back what it had
            locked; else the locks stay until they lapse, as Service Bus has it.
        idle_limits: Whether links idle for ten minutes are detached, and connections
            without links closed after five (one, if there never was a link).
        kill: Ends the process at once, for a fault of that kind; ``None``: such a
            fault is refused.
        certificate: PEM file with a certificate and its key, for TLS on the same
            port; one of our own making is written if there is none.  ``None``: it
            lies in a temporary folder and goes when the broker stops.
        policies: Further policies, with rights of their own.
        other_tokens: Which tokens that are no shared access signatures are taken,
            unread, where there is a key or a policy.
        issuer: Reads those tokens instead (:class:`~cdsbridge.emulator.server.Issuer`), where there
            is a key or not.
        faults: Whether faults are taken over HTTP, at ``/$faults``; only of this machine.

    Raises:
        ValueError: Faults would be taken from other machines.
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
        idle_limits: bool = False,
        kill: Callable[[], None] | None = None,
        certificate: Path | None = None,
        policies: Sequence[Policy] = (),
        other_tokens: OtherTokens = "jwt",
        issuer: BearerReader | None = None,
        faults: bool = False,
    ) -> None:
        self.namespace = namespace
        self._host = host
        self._port = port
        self._latency = latency
        self._clock = clock
        own = () if key is None else (Policy(ROOT_POLICY, key),)
        self._shown = next(iter((*own, *policies)), Policy(ROOT_POLICY, _ANY_KEY))
        self.access = Access(clock, (*own, *policies), other_tokens, issuer)
        self._locks_follow_link = locks_follow_link
        self._idle_limits = idle_limits
        self._takes_faults = faults
        if faults and not is_loopback(host):
            raise ValueError(f"faults are taken on this machine only; listen on 127.0.0.1, not on {host}")
        self._kill = kill
        self._faults = Faults()
        self._idling: asyncio.TimerHandle | None = None
        self._certificate = certificate
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._context: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._broker: Broker | None = None

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    @property
    def connection_string(self) -> str:
        """What a client is configured with, once started."""
        return self.connection_string_of(self._shown)

    def connection_string_of(self, policy: Policy) -> str:
        """What a client is configured with that goes by a policy."""
        return (
            f"Endpoint=sb://{_reachable(self._host)}:{self._port};SharedAccessKeyName={policy.name};"
            f"SharedAccessKey={policy.key};UseDevelopmentEmulator=true"
        )

    @property
    def certificate(self) -> Path:
        """The PEM file that a client trusts to speak TLS, its ``connection_verify``; made if it is not there.

        Raises:
            OSError: It cannot be written.
        """
        if self._certificate is None:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="cdsbridge-")
            self._certificate = Path(self._folder.name) / "emulator.pem"
        return write_certificate(self._certificate)

    def _tls(self) -> ssl.SSLContext:
        self._context = self._context or server_context(self.certificate)
        return self._context

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: The address cannot be listened on.
            ConfigError: The certificate that was given is none.
        """
        loop = asyncio.get_running_loop()
        if self._certificate is not None:
            self._tls()
        turns = Turns(self.namespace, self._clock)
        broker = Broker(
            self.namespace, turns, self._clock, self.access, self._latency, self._locks_follow_link
        )
        broker.faults, broker.kill = self._faults, self._kill
        broker.routes.append(websocket_route(lambda: Connection(broker)))
        if self._takes_faults:
            broker.routes.append(fault_route(self.arm, self.disarm, self.armed, self.lose_locks))
        self._server = await loop.create_server(lambda: Front(broker, self._tls), self._host, self._port)
        service = AdminService(
            self.namespace, lambda header, path: self.access.permits(header, Right.MANAGE, path), _NAME
        )
        broker.routes.append(service.answer)
        self._broker = broker
        self._port = self._server.sockets[0].getsockname()[1]
        turns.expire()
        self._watch_idle()

    async def stop(self) -> None:
        """Stop listening, part with every client and commit; the namespace stays open."""
        if self._server is None or self._broker is None:
            return
        self._server.close()
        self._server = None
        if self._idling is not None:
            self._idling.cancel()
        for connection in list(self._broker.connections):
            connection.close(CONNECTION_FORCED, "The emulator is stopping.")
        self._broker.turns.stop()
        await asyncio.sleep(0)
        self.drop_connections()
        await asyncio.sleep(0)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = self._context = self._certificate = None

    def drop_connections(self) -> None:
        """Drop every client without a word, as a broken network does."""
        if self._broker is not None:
            for connection in list(self._broker.connections):
                connection.abort()

    def expire(self) -> None:
        """Apply at once what the clock has brought about: locks, time to live, schedules."""
        if self._broker is not None:
            self._broker.turns.expire()
            self._part()

    def arm(self, fault: Fault) -> int:
        """Let a fault wait for its chances from now on; its number.

        Raises:
            ValueError: The process would be killed, and it is not the broker's own.
        """
        if fault.kind is Kind.KILL and self._kill is None:
            raise ValueError("a kill ends the process; this broker runs in one that is not its own")
        return self._faults.arm(fault)

    def disarm(self, number: int | None = None) -> None:
        """Let a fault strike no more, or all of them."""
        self._faults.disarm(number)

    def armed(self) -> list[Armed]:
        """The faults that were armed and not disarmed, with how often they struck."""
        return self._faults.armed()

    def lose_locks(self, entity: str, count: int | None = None) -> int:
        """Let locks of an entity lapse at once, those that would lapse first, so many or all; how many have.

        Raises:
            EntityError: There is none at the address.
        """
        return self.namespace.queue(entity).lose_locks(count)

    def _watch_idle(self) -> None:
        self._part()
        self._idling = asyncio.get_running_loop().call_later(_IDLE_TICK, self._watch_idle)

    def _part(self) -> None:
        """Part with those who do nothing, where asked, and with those who may do nothing any more."""
        if self._broker is not None and self._idle_limits:
            part_with_idle(self._broker)
        if self._broker is not None and not self.access.is_open:
            part_with_unauthorized(self._broker)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address to listen on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reachable(host: str) -> str:
    """Return the host a client connects to: this machine by its usual name where that is served."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return "localhost" if address.is_loopback or address.is_unspecified else host
