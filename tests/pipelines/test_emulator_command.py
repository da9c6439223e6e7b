"""``cdsbridge emulator``: what it is told by a file, its certificate, its key."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthenticationError
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


def test_a_variable_without_a_key_is_an_error_before_anything_starts() -> None:
    ended = CliRunner().invoke(app, ["emulator", "--port", "0", "--key-variable", "NO_SUCH_KEY"])
    assert ended.exit_code == 78
    assert "The environment variable NO_SUCH_KEY has no key" in ended.stderr
