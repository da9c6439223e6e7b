"""The broker as a whole: lost connections, keys, files, latency, and its end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusError,
)

from cdsbridge.emulator.amqp.endpoints import Accepted
from cdsbridge.emulator.amqp.performatives import Close, Disposition, Transfer
from cdsbridge.emulator.amqp.sections import DATA, section
from cdsbridge.emulator.entities.errors import StoreUnavailable
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import EmbeddedServiceBus, RunningBroker, run_in_thread

_PROGRAM = """
import sys
from pathlib import Path
from cdsbridge.emulator.server import serve

serve(
    lambda namespace: namespace.create_queue("q"),
    lambda string: print(string, flush=True),
    port=0,
    path=Path(sys.argv[1]),
)
print("ended", flush=True)
"""


def _client(connection_string: str, retry_total: int = 0) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(
        connection_string, retry_total=retry_total, retry_backoff_factor=0.01
    )


def _depth(broker: RunningBroker) -> dict[str, int]:
    depth = broker.call(lambda namespace: namespace.queue("q").depth())
    return {kind: count for kind, count in depth.items() if count}


@pytest.fixture
def start() -> Iterator[Callable[[Path], "tuple[subprocess.Popen[str], str]"]]:
    """A function that runs a broker as a program of its own and returns it and its connection string."""
    started: list[subprocess.Popen[str]] = []

    def start(path: Path) -> "tuple[subprocess.Popen[str], str]":
        command = [sys.executable, "-c", _PROGRAM, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_client_that_vanishes_leaves_its_locks_and_another_settles_by_token(confirmed: None) -> None:
    with run_in_thread(_namespace()) as broker, _client(broker.connection_string, 3) as client:
        with client.get_queue_sender("q") as sender, client.get_queue_receiver("q") as receiver:
            sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
            first, second = receiver.receive_messages(2, 5)
            broker.drop_connections()
            assert _depth(broker) == {"locked": 2}
            receiver.complete_message(first)
            receiver.abandon_message(second)
            (again,) = receiver.receive_messages(1, 5)
            assert (str(again), again.delivery_count) == ("b", 1)
            sender.send_messages(ServiceBusMessage("c"))
        assert _depth(broker) == {"active": 1, "locked": 1}


def test_locks_may_be_made_to_follow_the_link() -> None:
    with run_in_thread(_namespace(), locks_follow_link=True) as broker:
        with _client(broker.connection_string) as client:
            with client.get_queue_sender("q") as sender:
                sender.send_messages(ServiceBusMessage("a"))
            with client.get_queue_receiver("q") as receiver:
                receiver.receive_messages(1, 5)
                assert _depth(broker) == {"locked": 1}
        assert _depth(broker) == {"active": 1}


def test_only_the_key_opens_what_is_locked_with_one() -> None:
    with run_in_thread(_namespace(), key="right key") as broker:
        assert "SharedAccessKey=right key;" in broker.connection_string
        with _client(broker.connection_string) as client, client.get_queue_sender("q") as sender:
            sender.send_messages(ServiceBusMessage("x"))
        wrong = broker.connection_string.replace("right key", "wrong key")
        with _client(wrong) as client, pytest.raises(ServiceBusAuthenticationError):
            client.get_queue_sender("q").send_messages(ServiceBusMessage("x"))
        assert _depth(broker) == {"active": 1}


def test_what_is_not_there_or_not_allowed_is_an_error_of_its_own() -> None:
    with run_in_thread(_namespace()) as broker, _client(broker.connection_string) as client:
        with pytest.raises(MessagingEntityNotFoundError):
            client.get_queue_receiver("nowhere").receive_messages(1, 1)
        with pytest.raises(ServiceBusError, match="not-allowed"):
            client.get_queue_receiver("q", session_id="s").receive_messages(1, 1)


def test_every_round_trip_takes_the_latency() -> None:
    with (
        run_in_thread(_namespace(), latency=0.1) as broker,
        _client(broker.connection_string) as client,
        client.get_queue_sender("q") as sender,
        client.get_queue_receiver("q") as receiver,
    ):
        sender.send_messages(ServiceBusMessage("x"))
        (message,) = receiver.receive_messages(1, 5)
        start = time.monotonic()
        receiver.renew_message_lock(message)
        receiver.renew_message_lock(message)
        assert time.monotonic() - start >= 0.2


def test_what_was_accepted_survives_the_death_of_the_broker(
    tmp_path: Path, start: Callable[[Path], "tuple[subprocess.Popen[str], str]"]
) -> None:
    process, connection_string = start(tmp_path / "bus.sqlite")
    with (
        _client(connection_string) as client,
        client.get_queue_sender("q") as sender,
        client.get_queue_receiver("q") as receiver,
    ):
        for index in range(5):
            sender.send_messages(ServiceBusMessage(f"body {index}", message_id=str(index)))
        first, second = receiver.receive_messages(2, 5)
        receiver._settle_message_via_mgmt_link("completed", [first.lock_token])  # type: ignore[list-item]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert str(second) == "body 1"
    _, connection_string = start(tmp_path / "bus.sqlite")
    with _client(connection_string) as client, client.get_queue_receiver("q") as receiver:
        messages = receiver.receive_messages(4, 5)
    assert [(message.message_id, str(message)) for message in messages] == [
        (str(index), f"body {index}") for index in range(1, 5)
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_broker_that_is_told_to_end_parts_with_its_clients_and_ends_well(
    number: signal.Signals,
    tmp_path: Path,
    start: Callable[[Path], "tuple[subprocess.Popen[str], str]"],
    connect: Callable[[int], Any],
) -> None:
    process, connection_string = start(tmp_path / "bus.sqlite")
    wire = connect(int(connection_string.partition(";")[0].rpartition(":")[2]))
    wire.begin()
    wire.send_to("q")
    wire.say(Transfer(1, 0, b"t", 0, False), section(DATA, b"x"))
    assert wire.hear(Disposition).state == Accepted()
    process.send_signal(number)
    assert wire.hear(Close).error.condition == "amqp:connection:forced"
    output, _ = process.communicate(timeout=10)
    assert output == "ended\n"
    assert process.returncode == 0
    namespace = Namespace(path=tmp_path / "bus.sqlite")
    assert namespace.queue("q").depth()["active"] == 1
    namespace.close()


def test_a_port_that_is_taken_is_an_error_at_once() -> None:
    with (
        run_in_thread(_namespace()) as broker,
        pytest.raises(OSError, match="address"),
        run_in_thread(_namespace(), port=broker.port),
    ):
        pass


def test_a_namespace_made_in_the_thread_of_the_broker_is_closed_with_it(tmp_path: Path) -> None:
    path = tmp_path / "bus.sqlite"
    with run_in_thread(lambda: Namespace(path=path)) as broker:
        broker.call(lambda namespace: namespace.create_queue("q", QueueSettings()))
    with run_in_thread(lambda: Namespace(path=path)) as broker:
        assert broker.call(lambda namespace: namespace.names()) == ["q"]


class _Reluctant(Namespace):
    """A namespace whose disk may be full for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.refused = threading.Event()

    def commit(self) -> None:
        if self.full:
            self.refused.set()
            raise StoreUnavailable("The disk is full.")
        super().commit()


def test_nothing_is_accepted_until_it_is_durable() -> None:
    namespace = _Reluctant()
    namespace.create_queue("q", QueueSettings())
    with (
        run_in_thread(namespace) as broker,
        _client(broker.connection_string) as client,
        client.get_queue_sender("q") as sender,
        ThreadPoolExecutor() as threads,
    ):
        sender.send_messages(ServiceBusMessage("before"))
        namespace.refused.clear()
        namespace.full = True
        sending = threads.submit(sender.send_messages, ServiceBusMessage("during"))
        for _ in range(2):
            assert namespace.refused.wait(5)
            namespace.refused.clear()
        assert not sending.done()
        namespace.full = False
        sending.result(5)
        assert _depth(broker) == {"active": 2}


@pytest.mark.parametrize(
    ("host", "named"),
    [("127.0.0.1", "localhost"), ("0.0.0.0", "localhost"), ("192.0.2.7", "192.0.2.7"), ("bus", "bus")],
)
def test_the_connection_string_names_a_host_that_clients_reach(host: str, named: str) -> None:
    bus = EmbeddedServiceBus(Namespace(), host=host, port=5672)
    assert bus.connection_string.startswith(f"Endpoint=sb://{named}:5672;")
    assert bus.connection_string.endswith(";UseDevelopmentEmulator=true")


def test_an_error_in_a_call_reaches_the_caller() -> None:
    with run_in_thread(Namespace()) as broker, pytest.raises(ZeroDivisionError):
        broker.call(lambda _: 1 / 0)


def _namespace() -> Namespace:
    namespace = Namespace()
    namespace.create_queue("q", QueueSettings(lock_duration=300))
    return namespace
