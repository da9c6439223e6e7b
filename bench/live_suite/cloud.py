"""What stands for the cloud: names that resolve to embedded brokers, and a certificate the clients trust.

Nothing of the client is replaced.  It looks up a namespace, as it would the real
one, speaks TLS to it and checks the certificate; only the name leads to this
process, and the authority that signed the certificate is ours.
"""

import asyncio
import functools
import os
import secrets
import socket
import ssl
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import certifi
import trustme

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import RunningBroker, run_in_thread

SUFFIX = ".servicebus.windows.net"
POLICY = "RootManageSharedAccessKey"
KEY = secrets.token_urlsafe(32)


class Cloud:
    """Service Bus namespaces by name, each an embedded broker, from first use until closed."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._brokers: dict[str, tuple[RunningBroker, int]] = {}
        authority = trustme.CA()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(f"*{SUFFIX}").configure_cert(self._tls)
        self._trust(authority)
        self._resolve = socket.getaddrinfo
        socket.getaddrinfo = self._look_up

    def broker(self, name: str) -> RunningBroker:
        """Return the broker of a namespace; the first who asks starts it."""
        if name not in self._brokers:
            running = self._open.enter_context(run_in_thread(Namespace()))
            self._brokers[name] = (running, tls_front(self._tls, running.port))
        return self._brokers[name][0]

    def close(self) -> None:
        """End the brokers."""
        socket.getaddrinfo = self._resolve
        self._open.close()

    def _trust(self, authority: trustme.CA) -> None:
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="live-")))
        bundle = folder / "trusted.pem"
        authority.cert_pem.write_to_path(str(bundle))
        certifi.where = lambda: str(bundle)
        os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = str(bundle)

    def _look_up(self, host: Any, port: Any, *arguments: Any, **options: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if not name.endswith(SUFFIX):
            return self._resolve(host, port, *arguments, **options)
        known = self._brokers.get(name.removesuffix(SUFFIX))
        if known is None:
            raise socket.gaierror(socket.EAI_NONAME, f"no such namespace here: {name}")
        return self._resolve("127.0.0.1", known[1], *arguments, **options)


def tls_front(context: ssl.SSLContext, port: int) -> int:
    """Listen for TLS in a thread that ends with the process, and pass all on to a port; return its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="tls-front", daemon=True).start()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))

    async def listen() -> int:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        return int(server.sockets[0].getsockname()[1])

    return asyncio.run_coroutine_threadsafe(listen(), loop).result()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


@functools.cache
def cloud() -> Cloud:
    """Return the cloud of this process."""
    return Cloud()
