"""The command ``decode``: any body, from anywhere, and what could not be read of it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from typer.testing import CliRunner

import cdsbridge
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.pipelines.cli import app

CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
XML = f"""<RemoteExecutionContext xmlns="{CONTRACTS}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"
 xmlns:a="http://schemas.datacontract.org/2004/07/System.Collections.Generic">
 <InputParameters><KeyValuePairOfstringanyType><a:key>Target</a:key><a:value i:type="Entity"><Attributes>
  <KeyValuePairOfstringanyType><a:key>revenue</a:key><a:value i:type="Money"><Value>12.50</Value></a:value>
  </KeyValuePairOfstringanyType></Attributes><LogicalName>account</LogicalName></a:value>
 </KeyValuePairOfstringanyType></InputParameters>
 <MessageName>Update</MessageName><Mode>0</Mode><OperationCreatedOn>2024-08-02T07:00:39.5Z</OperationCreatedOn>
 <PrimaryEntityId>11111111-1111-4111-8111-111111111111</PrimaryEntityId>
 <PrimaryEntityName>account</PrimaryEntityName>
</RemoteExecutionContext>"""


@pytest.fixture
def bus() -> Iterator[RunningBroker]:
    with run_in_thread(Namespace()) as running:
        running.call(lambda namespace: namespace.create_queue("dataverse", QueueSettings()))
        yield running


def wrapped(text: str) -> bytes:
    """Return a text as the older .NET SDK sends it: a string in .NET binary XML."""
    space, data = b"http://schemas.microsoft.com/2003/10/Serialization/", text.encode()
    return b"@\x06string\x08" + bytes([len(space)]) + space + b"\x9b" + len(data).to_bytes(2, "little") + data


def test_a_body_is_shown_as_json_with_its_digits_and_dates() -> None:
    ended = CliRunner().invoke(app, ["decode", "-"], input=XML)
    assert ended.exit_code == 0
    assert "12.50" in ended.stdout
    assert json.loads(ended.stdout)["OperationCreatedOn"] == "2024-08-02T07:00:39.5Z"
    assert "text XML" in ended.stderr
    assert "Update: update of account 11111111-1111-4111-8111-111111111111" in ended.stderr


def test_rows_come_from_base64_of_a_wrapped_body() -> None:
    text = base64.encodebytes(wrapped(XML))
    ended = CliRunner().invoke(app, ["decode", "-", "--base64", "--rows"], input=text)
    (row,) = json.loads(ended.stdout)
    assert (row["table"], row["revenue"], row["_op"]) == ("account", "12.5000", "update")
    assert "text XML inside a .NET binary XML string" in ended.stderr


def test_metadata_tells_types(tmp_path: Path) -> None:
    metadata = tmp_path / "metadata.json"
    metadata.write_text('{"account": {"revenue": {"attribute_type": "Picklist"}}}')
    ended = CliRunner().invoke(app, ["decode", "-", "--metadata", str(metadata)], input=XML)
    assert ended.exit_code == 1
    assert "12.50" in ended.stdout
    assert "account.revenue" in ended.stderr
    assert "choice" in ended.stderr


def test_what_is_broken_is_shown_with_the_bytes_around_it() -> None:
    at = XML.index("</Value>") + 2
    ended = CliRunner().invoke(app, ["decode", "-"], input=XML[:at] + "Wrong" + XML[at + 5 :])
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "undecodable" in ended.stderr
    assert f"at byte {at}" in ended.stderr
    assert b"Wrong".hex(" ") in ended.stderr


def test_a_byte_inside_a_wrapper_is_not_looked_for_in_the_whole_body() -> None:
    ended = CliRunner().invoke(app, ["decode", "-"], input=wrapped('{"MessageName": nonsense}'))
    assert ended.exit_code == 1
    assert "byte 16 of what is wrapped" in ended.stderr
    assert "from byte" not in ended.stderr


@pytest.mark.parametrize("arguments", [[], ["-", "--peek", "conf.yaml"]])
def test_one_message_must_be_named(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["decode", *arguments]).exit_code == 2


def test_a_text_that_is_not_base64_is_refused() -> None:
    ended = CliRunner().invoke(app, ["decode", "-", "--base64"], input=XML)
    assert ended.exit_code == 78
    assert "base64" in ended.stderr


def test_a_message_is_looked_at_where_it_lies(bus: RunningBroker, tmp_path: Path) -> None:
    conf = tmp_path / "bridge.yaml"
    conf.write_text(
        json.dumps(
            {
                "source": {"connection_string": bus.connection_string, "entities": ["dataverse"]},
                "sinks": [{"kind": "parquet", "url": str(tmp_path / "tables")}],
            }
        )
    )
    empty = CliRunner().invoke(app, ["decode", "--peek", str(conf)])
    assert "holds no message" in empty.stderr
    with ServiceBusClient.from_connection_string(bus.connection_string) as client:
        sender = client.get_queue_sender("dataverse")
        with sender:
            sender.send_messages(
                [ServiceBusMessage("nothing"), ServiceBusMessage(XML, content_type="text/xml")]
            )
            sender.send_messages(ServiceBusMessage(XML, content_type="application/json"))
    shown = [
        CliRunner().invoke(app, ["decode", "--peek", str(conf), "--rows", "--sequence-number", str(number)])
        for number in (0, 2, 3)
    ]
    assert [ended.exit_code for ended in shown] == [1, 0, 0]
    assert all(json.loads(ended.stdout)[0]["_sequence_number"] for ended in shown[1:])
    assert "the content type is application/json, but the body begins as text XML" in shown[2].stderr
    assert "content type" not in shown[1].stderr


def test_a_published_message_is_shown() -> None:
    folder = Path(cdsbridge.__file__).parent.parent / "shared" / "conformance" / "published"
    if not folder.is_dir():
        pytest.skip("CONFORMANCE SET MISSING: no published message was shown")
    for file in sorted(folder.glob("*.json")):
        ended = CliRunner().invoke(app, ["decode", str(file)])
        assert ended.exit_code == 0, file.name
        assert json.loads(ended.stdout)["MessageName"]
