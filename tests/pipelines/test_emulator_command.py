"""``cdsbridge emulator``: what it is told by a file, its certificate, its key."""

import json
import os
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthenticationError, ServiceBusError
from typer.testing import CliRunner

from cdsbridge.pipelines.cli import app

COMMAND = [sys.executable, "-m", "cdsbridge.pipelines.cli", "emulator", "--port", "0", "--queue", "q"]


def _config(folder: Path, lock_duration: str) -> Path:
    queue = {"Name": "orders", "Properties": {"LockDuration": lock_duration}}
    topic = {"Name": "events", "Subscriptions": [{"Name": "bridge"}]}
    path = folder / "Config.json"
    namespace = {"Name": "sbemulatorns", "Queues": [queue], "Topics": [topic]}
    path.write_text(json.dumps({"UserConfig": {"Namespaces": [namespace]}}))
    return path


def test_entities_come_from_a_file_and_from_options_and_the_certificate_is_left(tmp_path: Path) -> None:
    certificate = tmp_path / "emulator.pem"
    options = ["--config", str(_config(tmp_path, "PT1M")), "--topic", "events:audit"]
    command = [*COMMAND, *options, "--certificate", str(certificate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().endswith("it has: orders, q, events:bridge, events:audit")
        assert b"BEGIN CERTIFICATE" in certificate.read_bytes()
        process.terminate()


def test_a_fault_in_the_file_is_told_with_its_place_before_anything_starts(tmp_path: Path) -> None:
    config = _config(tmp_path, "a minute")
    ended = CliRunner().invoke(app, ["emulator", "--port", "0", "--config", str(config)])
    assert ended.exit_code == 78
    assert "UserConfig.Namespaces[0].Queues[0].Properties.LockDuration" in ended.stderr.replace("\n", "")


def test_the_key_is_taken_from_the_environment_demanded_and_never_printed() -> None:
    environment = {**os.environ, "BUS_KEY": "c2VjcmV0IGtleQ=="}
    with subprocess.Popen(
        [*COMMAND, "--key-variable", "BUS_KEY"], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        shown = next(line for line in process.stdout if line.startswith("Endpoint=")).strip()
        assert "SharedAccessKey=${BUS_KEY};" in shown
        for key, good in (("another", False), (environment["BUS_KEY"], True)):
            client = ServiceBusClient.from_connection_string(shown.replace("${BUS_KEY}", key), retry_total=0)
            with client:
                if good:
                    with client.get_queue_sender("q") as sender:
                        sender.send_messages(ServiceBusMessage("x"))
                else:
                    with pytest.raises(ServiceBusAuthenticationError), client.get_queue_sender("q"):
                        pass
        process.terminate()
        assert environment["BUS_KEY"] not in process.stdout.read()


def test_policies_hold_their_keys_come_from_the_environment_and_are_not_printed() -> None:
    environment = {**os.environ, "READER_KEY": "c2VjcmV0", "APP_KEY": "b3RoZXI="}
    options = [
        "--policy",
        "reader:listen:READER_KEY:q",
        "--policy",
        "app:listen+send:APP_KEY",
        "--idle-limits",
    ]
    with subprocess.Popen(
        [*COMMAND, *options], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        reader, app_shown = (process.stdout.readline().strip() for _ in range(2))
        assert "SharedAccessKeyName=reader;SharedAccessKey=${READER_KEY};" in reader
        with client_of(app_shown, environment) as client, client.get_queue_sender("q") as sender:
            sender.send_messages(ServiceBusMessage("x"))
        with client_of(reader, environment) as client:
            with client.get_queue_receiver("q") as receiver:
                assert [str(message) for message in receiver.peek_messages(1)] == ["x"]
            with pytest.raises(ServiceBusError), client.get_queue_sender("q"):
                pass
        process.terminate()
        assert environment["APP_KEY"] not in process.stdout.read() + app_shown


def client_of(shown: str, environment: dict[str, str]) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(Template(shown).substitute(environment), retry_total=0)


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("reader", "write --policy reader:listen:READER_KEY"),
        ("reader:look:READER_KEY", "'look' is no right"),
        ("reader:listen:NO_SUCH_KEY", "The environment variable NO_SUCH_KEY has no key"),
    ],
)
def test_a_policy_that_is_none_is_an_error_before_anything_starts(policy: str, sentence: str) -> None:
    ended = CliRunner().invoke(app, ["emulator", "--port", "0", "--policy", policy])
    assert ended.exit_code in {2, 78}
    assert sentence in " ".join(ended.stderr.replace("│", " ").split())


def test_a_variable_without_a_key_is_an_error_before_anything_starts() -> None:
    ended = CliRunner().invoke(app, ["emulator", "--port", "0", "--key-variable", "NO_SUCH_KEY"])
    assert ended.exit_code == 78
    assert "The environment variable NO_SUCH_KEY has no key" in ended.stderr
