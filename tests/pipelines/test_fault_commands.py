"""``cdsbridge fault …`` against an emulator that runs, in this process and in one of its own."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError
from typer.testing import CliRunner, Result

from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import EmbeddedServiceBus, RunningBroker, run_in_thread
from cdsbridge.pipelines.cli import app


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningBroker]:
    namespace = Namespace()
    namespace.create_queue("orders")
    with run_in_thread(namespace, faults=True) as running:
        yield running


@pytest.fixture
def fault(broker: RunningBroker) -> Iterator[Callable[..., Result]]:
    """A function that runs ``cdsbridge fault …`` for the broker."""

    def fault(*arguments: str, port: int = broker.port) -> Result:
        return CliRunner().invoke(app, ["fault", *arguments, "--port", str(port)])

    yield fault
    broker.disarm()


def test_a_fault_is_armed_strikes_is_shown_and_cleared(
    broker: RunningBroker, fault: Callable[..., Result]
) -> None:
    armed = fault("arm", "refuse", "--at", "send", "--entity", "ord*", "--count", "0", "--output", "json")
    number = json.loads(armed.stdout)["number"]
    client = ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
    with client, client.get_queue_sender("orders") as sender:
        with pytest.raises(ServiceBusError, match="server-busy"):
            sender.send_messages(ServiceBusMessage("x"))
        shown = fault("list").stdout
        assert shown == f"{number}: refuse at send of ord*, until disarmed; struck 1 of 1 chances\n"
        (plain,) = json.loads(fault("list", "--output", "json").stdout)
        assert (plain["hits"], plain["fault"]["kind"]) == (1, "refuse")
        assert fault("clear", str(number)).exit_code == 0
        sender.send_messages(ServiceBusMessage("x"))
    assert fault("list").stdout == "no fault is armed\n"


def test_locks_that_are_held_are_lost_when_asked(broker: RunningBroker, fault: Callable[..., Result]) -> None:
    broker.call(lambda namespace: namespace.queue("orders").send([Content(body=b"x")] * 3))
    broker.call(lambda namespace: namespace.queue("orders").receive(9, lock=True))
    lost = fault("lose-locks", "--entity", "orders", "--count", "2")
    assert lost.stdout == "2 locks of orders have lapsed\n"
    again = fault("lose-locks", "--entity", "orders", "--output", "json")
    assert json.loads(again.stdout)["lost"] >= 1
    nowhere = fault("lose-locks", "--entity", "nowhere")
    assert (nowhere.exit_code, "The emulator refuses that" in nowhere.stderr) == (78, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["explode", "--at", "send"], "kind is 'explode'; it must be one of drop"),
        (["reorder", "--at", "send"], "'reorder' cannot happen at 'send'"),
        (["kill", "--at", "send"], "a kill ends the process"),
    ],
)
def test_a_fault_that_cannot_be_is_refused_with_a_reason(
    fault: Callable[..., Result], arguments: list[str], sentence: str
) -> None:
    ended = fault("arm", *arguments)
    assert ended.exit_code == 78
    assert sentence in ended.stderr


def test_where_there_is_no_emulator_or_one_without_faults_the_command_says_so(
    fault: Callable[..., Result],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ended = fault("list", port=free.getsockname()[1])
    assert (ended.exit_code, "No emulator answers" in ended.stderr) == (69, True)
    with run_in_thread(Namespace()) as other:
        ended = fault("list", port=other.port)
    assert (ended.exit_code, "start it with `cdsbridge emulator --faults`" in ended.stderr) == (78, True)


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-Cdsbridge-Faults": "1", "Host": "evil.example:80"}],
    ids=["a page of the web", "a name bound to this machine"],
)
def test_what_a_browser_could_be_made_to_ask_is_refused(
    broker: RunningBroker, headers: dict[str, str]
) -> None:
    asked = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=5)
    body = json.dumps({"kind": "drop", "at": "send"})
    asked.request("POST", "/$faults", body, headers)
    answer = asked.getresponse()
    assert (answer.status, json.load(answer)["error"][:19]) == (403, "Ask on this machine")
    asked.close()


@pytest.mark.parametrize("body", ["", "[1]", "{}", "no"])
def test_a_body_that_is_no_fault_is_refused(broker: RunningBroker, body: str) -> None:
    asked = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=5)
    asked.request("POST", "/$faults", body, {"X-Cdsbridge-Faults": "1"})
    assert asked.getresponse().status == 400
    asked.close()


def test_faults_are_not_taken_from_other_machines() -> None:
    with pytest.raises(ValueError, match="on this machine only"):
        EmbeddedServiceBus(Namespace(), host="0.0.0.0", faults=True)


def test_an_emulator_with_a_process_of_its_own_is_killed_when_asked(fault: Callable[..., Result]) -> None:
    command = [
        sys.executable,
        "-m",
        "cdsbridge.pipelines.cli",
        "emulator",
        "--port",
        "0",
        "--queue",
        "q",
        "--faults",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        connection_string = next(line for line in process.stdout if line.startswith("Endpoint="))
        port: Any = connection_string.partition(";")[0].rpartition(":")[2]
        assert fault("arm", "kill", "--at", "sent", port=port).stdout == "fault 1 is armed\n"
        client = ServiceBusClient.from_connection_string(connection_string.strip(), retry_total=0)
        with client, pytest.raises(ServiceBusError), client.get_queue_sender("q") as sender:
            sender.send_messages(ServiceBusMessage("x"))
        assert process.wait(10) == 137
