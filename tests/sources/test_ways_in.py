"""Every way to a namespace that can be had on one machine is gone, over TLS, with a key that is checked."""

import base64
import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote_plus

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.errors import BridgeError, NotPermitted
from cdsbridge.sources import Ending, ServiceBusSource
from cdsbridge.sources.intake import Reading, reading_from

from .reading import settle_all

KEY = "the right key"


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningBroker]:
    """A broker that demands the key."""
    namespace = Namespace()
    namespace.create_queue("q")
    with run_in_thread(namespace, key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def post(guarded: RunningBroker) -> Iterator[Callable[[], None]]:
    with (
        ServiceBusClient.from_connection_string(guarded.connection_string) as client,
        client.get_queue_sender("q") as sender,
    ):
        yield lambda: sender.send_messages(ServiceBusMessage("x"))


class ConnectProxy:
    """An HTTP proxy that knows CONNECT, and leads to the broker whatever is asked for."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.asked: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += near.recv(1)
                self.asked.append(head.decode())
                far = socket.create_connection(("127.0.0.1", self._to))
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


def way(broker: RunningBroker, **settings: Any) -> ServiceBusSource:
    """Return a source that reaches the broker over TLS, as one reaches Azure."""
    return ServiceBusSource.model_validate(
        {
            "namespace": "localhost",
            "endpoint": f"sb://localhost:{broker.port}",
            "ca_file": broker.certificate,
            "credential": {"kind": "key", "policy": "RootManageSharedAccessKey", "access_key": KEY},
            "entities": ["q"],
            "wait": 0.2,
            **settings,
        }
    )


def signature(policy: str = "RootManageSharedAccessKey", key: str = KEY) -> str:
    """Sign as the page on shared access signatures in the Azure documentation has it."""
    uri, expiry = quote_plus("sb://localhost/q"), int(time.time()) + 600
    signed = hmac.new(key.encode(), f"{uri}\n{expiry}".encode(), hashlib.sha256).digest()
    sig = quote_plus(base64.b64encode(signed))
    return f"SharedAccessSignature sr={uri}&sig={sig}&se={expiry}&skn={policy}"


def received(source: ServiceBusSource) -> int:
    with reading_from(Reading(source, Ending.at_mark(), None)) as intake:
        return len(settle_all(intake))


@pytest.mark.parametrize("transport", ["amqp", "websockets"])
def test_a_key_leads_in_over_tls(transport: str, guarded: RunningBroker, post: Callable[[], None]) -> None:
    post()
    assert received(way(guarded, transport=transport)) == 1


def test_a_signature_leads_in(guarded: RunningBroker, post: Callable[[], None]) -> None:
    post()
    assert received(way(guarded, credential={"kind": "sas", "sas_token": signature()})) == 1


def test_a_proxy_is_asked_with_name_and_password(guarded: RunningBroker, post: Callable[[], None]) -> None:
    post()
    proxy = ConnectProxy(guarded.port)
    try:
        through = {"host": "127.0.0.1", "port": proxy.port, "username": "u", "password": "p"}
        assert received(way(guarded, proxy=through)) == 1
    finally:
        proxy.close()
    assert proxy.asked[0].startswith(f"CONNECT localhost:{guarded.port} ")
    assert "Proxy-Authorization: Basic" in proxy.asked[0]


@pytest.mark.parametrize(
    "credential",
    [
        {"kind": "key", "policy": "RootManageSharedAccessKey", "access_key": "hunter2"},
        {"kind": "sas", "sas_token": signature(key="hunter2")},
    ],
    ids=lambda credential: str(credential["kind"]),
)
def test_a_wrong_secret_is_not_permitted_and_not_shown(
    credential: dict[str, str], guarded: RunningBroker
) -> None:
    with pytest.raises(NotPermitted, match="Listen") as caught:
        received(way(guarded, credential=credential, retries={"total": 0}))
    assert "hunter2" not in str(caught.value)


def test_a_certificate_that_is_not_trusted_is_refused(guarded: RunningBroker) -> None:
    with pytest.raises(BridgeError, match="cannot be reached"):
        received(way(guarded, ca_file=None, retries={"total": 0}))
