"""``cdsbridge emulator`` with a key."""

import os
import subprocess
import sys

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthenticationError
from typer.testing import CliRunner

from cdsbridge.pipelines.cli import app

COMMAND = [sys.executable, "-m", "cdsbridge.pipelines.cli", "emulator", "--port", "0", "--queue", "q"]


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
