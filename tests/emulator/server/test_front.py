"""One port for all: AMQP, HTTP, and both over TLS, told apart by the first byte."""

import asyncio
import http.client
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, TransportType

from cdsbridge.emulator.admin.http import MAX_BODY, MAX_HEAD, HttpRequest, HttpResponse
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.errors import ConfigError


class Shouting(asyncio.Protocol):
    """What an upgraded connection goes on as."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data.upper())


def echo(request: HttpRequest) -> HttpResponse | None:
    if request.segments[:1] == ["echo"]:
        said = f"{request.method} {request.segments[1:]} {dict(request.query)} {request.body.decode()}"
        return HttpResponse(200, said.encode())
    if request.segments == ["shout"]:
        return HttpResponse(101, headers={"Upgrade": "shouting"}, protocol=Shouting)
    return None


@pytest.fixture(scope="module")
def front() -> Iterator[RunningBroker]:
    namespace = Namespace()
    namespace.create_queue("q")
    with run_in_thread(namespace) as running:
        assert running._bus._broker is not None
        running._bus._broker.routes.insert(0, echo)
        yield running


@pytest.fixture
def connect(front: RunningBroker) -> Iterator[Callable[[], socket.socket]]:
    opened: list[socket.socket] = []

    def connect() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", front.port), timeout=10))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def trusting(front: RunningBroker) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(front.certificate))


def read_until(client: socket.socket, end: bytes) -> bytes:
    read = b""
    while not read.endswith(end):
        data = client.recv(4096)
        if not data:
            return read
        read += data
    return read


def test_the_client_speaks_amqp_over_tls(front: RunningBroker) -> None:
    plain = front.connection_string.replace(";UseDevelopmentEmulator=true", "")
    with (
        ServiceBusClient.from_connection_string(
            plain,
            custom_endpoint_address=f"sb://localhost:{front.port}",
            transport_type=TransportType.Amqp,
            connection_verify=str(front.certificate),
            retry_total=0,
        ) as client,
        client.get_queue_sender("q") as sender,
        client.get_queue_receiver("q") as receiver,
    ):
        sender.send_messages(ServiceBusMessage(b"x" * 100_000))
        (message,) = receiver.receive_messages(1, 5)
        assert len(b"".join(message.body)) == 100_000
        receiver.complete_message(message)


@pytest.mark.parametrize("secure", [False, True])
def test_http_connections_are_kept(front: RunningBroker, secure: bool) -> None:
    client = (
        http.client.HTTPSConnection("localhost", front.port, timeout=10, context=trusting(front))
        if secure
        else http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
    )
    client.connect()
    used = client.sock
    for number in range(3):
        client.request("PUT", f"/echo/a%2Fb/c?x={number}&y=", body=f"body {number}")
        response = client.getresponse()
        said = f"PUT ['a/b', 'c'] {{'x': '{number}', 'y': ''}} body {number}"
        assert (response.status, response.read().decode()) == (200, said)
    assert client.sock is used
    client.request("GET", "/other", headers={"Connection": "close"})
    assert client.getresponse().status == 404
    client.close()


def test_the_certificate_is_for_this_machine_alone(front: RunningBroker) -> None:
    path = front.certificate
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" in path.read_bytes()
    with (
        socket.create_connection(("127.0.0.1", front.port), timeout=10) as client,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        trusting(front).wrap_socket(client, server_hostname="example.org")


def test_a_certificate_that_is_there_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "emulator.pem"
    with run_in_thread(Namespace(), certificate=path) as running:
        assert running.certificate == path
        made = path.read_bytes()
    with run_in_thread(Namespace(), certificate=path) as running:
        assert running.certificate.read_bytes() == made
        with (
            socket.create_connection(("127.0.0.1", running.port), timeout=10) as client,
            trusting(running).wrap_socket(client, server_hostname="localhost") as secure,
        ):
            assert secure.version() is not None


def test_a_file_that_is_no_certificate_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "emulator.pem"
    path.write_text("no certificate")
    with (
        pytest.raises(ConfigError, match=r"emulator\.pem holds no certificate with its key"),
        run_in_thread(Namespace(), certificate=path),
    ):
        pass
    assert path.read_text() == "no certificate"


def test_a_certificate_that_was_not_asked_to_stay_goes_with_the_broker() -> None:
    with run_in_thread(Namespace()) as running:
        path = running.certificate
        assert path.exists()
    assert not path.exists()


def test_tls_may_begin_in_pieces(front: RunningBroker, connect: Callable[[], socket.socket]) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting(front).wrap_bio(incoming, outgoing, server_hostname="localhost")
    client = connect()
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    for piece in (hello[:1], hello[1:7], hello[7:]):
        client.sendall(piece)
        front.call(lambda namespace: namespace.commit())
    while True:
        incoming.write(client.recv(65536))
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            client.sendall(outgoing.read())
    tls.write(b"GET /echo HTTP/1.1\r\n\r\n")
    client.sendall(outgoing.read())
    said = b""
    while b"GET []" not in said:
        incoming.write(client.recv(65536))
        try:
            said += tls.read(65536)
        except ssl.SSLWantReadError:
            continue


def test_what_only_looks_like_tls_ends_the_connection(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.sendall(b"\x16" + b"nonsense" * 20)
    assert read_until(client, b"never")[:1] in {b"", b"\x15"}


def test_requests_may_come_in_pieces_or_many_at_once(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    for piece in (b"G", b"ET /echo/1 HTTP/1.1\r\nContent-", b"Length: 2\r\n\r\na"):
        client.sendall(piece)
    client.sendall(b"bGET /echo/2 HTTP/1.1\r\n\r\nGET /echo/3 HTTP/1.1\r\nConnection: close\r\n\r\n")
    said = read_until(client, b"never")
    assert [line for line in said.split(b"\r\n") if b"[" in line] == [
        b"GET ['1'] {} abHTTP/1.1 200 OK",
        b"GET ['2'] {} HTTP/1.1 200 OK",
        b"GET ['3'] {} ",
    ]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (f"GET / HTTP/1.1\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n".encode(), 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        (b"GET /" + b"x" * MAX_HEAD, 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
    ],
)
def test_what_is_no_request_is_refused(
    connect: Callable[[], socket.socket], request_bytes: bytes, status: int
) -> None:
    client = connect()
    client.sendall(request_bytes)
    assert read_until(client, b"never").startswith(f"HTTP/1.1 {status} ".encode())


def test_a_head_is_answered_without_a_body(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.sendall(b"HEAD /echo HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert read_until(client, b"never").endswith(b"\r\n\r\n")


def test_a_connection_can_go_on_as_something_else(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.sendall(b"GET /shout HTTP/1.1\r\n\r\nfirst ")
    said = read_until(client, b"FIRST ")
    assert said.startswith(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shouting\r\n"
    )
    client.sendall(b"then")
    assert read_until(client, b"THEN") == b"THEN"


def test_who_said_nothing_is_parted_with_as_well() -> None:
    with run_in_thread(Namespace()) as running:
        client = socket.create_connection(("127.0.0.1", running.port), timeout=10)
        running.call(lambda namespace: namespace.commit())
    with client, suppress(ConnectionResetError):
        assert client.recv(1) == b""
