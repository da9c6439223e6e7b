"""What stands for the cloud: names that resolve to embedded brokers, and a certificate the clients trust.

Nothing of the client is replaced.  It looks up a namespace, as it would the real
one, speaks TLS to it and checks the certificate; only the name leads to this
process, and the certificate is the emulator's own.
"""

import functools
import os
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import certifi

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import Policy, RunningBroker, run_in_thread
from cdsbridge.emulator.server.certificate import write_certificate

SUFFIX = ".servicebus.windows.net"
ROOT = Policy("RootManageSharedAccessKey", "bGl2ZSB0ZXN0cyBvbiBhbiBlbWJlZGRlZCBidXM=")


class Cloud:
    """Service Bus namespaces by name, each an embedded broker, from first use until closed."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._brokers: dict[str, RunningBroker] = {}
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="live-")))
        self._certificate = write_certificate(folder / "emulator.pem")
        certifi.where = lambda: str(self._certificate)
        os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = str(self._certificate)
        self._resolve = socket.getaddrinfo
        socket.getaddrinfo = self._look_up

    def broker(self, name: str) -> RunningBroker:
        """Return the broker of a namespace; the first who asks starts it."""
        if name not in self._brokers:
            running = self._open.enter_context(
                run_in_thread(Namespace(), policies=[ROOT], certificate=self._certificate)
            )
            self._brokers[name] = running
        return self._brokers[name]

    def connection_string(self, name: str, policy: Policy) -> str:
        """Return what a client is configured with that goes by a policy of a namespace."""
        path = f";EntityPath={policy.entity}" if policy.entity else ""
        return f"Endpoint=sb://{name}{SUFFIX}/;SharedAccessKeyName={policy.name};SharedAccessKey={policy.key}{path}"

    def close(self) -> None:
        """End the brokers."""
        socket.getaddrinfo = self._resolve
        self._open.close()

    def _look_up(self, host: Any, port: Any, *arguments: Any, **options: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if not name.endswith(SUFFIX):
            return self._resolve(host, port, *arguments, **options)
        known = self._brokers.get(name.removesuffix(SUFFIX))
        if known is None:
            raise socket.gaierror(socket.EAI_NONAME, f"no such namespace here: {name}")
        return self._resolve("127.0.0.1", known.port, *arguments, **options)


@functools.cache
def cloud() -> Cloud:
    """Return the cloud of this process."""
    return Cloud()
