"""The commands: what they print, and how they end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cdsbridge.pipelines import published
from cdsbridge.pipelines.cli import app

BODY = (
    r'{"MessageName":"Update","Mode":1,"PrimaryEntityName":"account",'
    r'"PrimaryEntityId":"11111111-1111-4111-8111-111111111111",'
    r'"OperationId":"22222222-2222-4222-8222-222222222222","OperationCreatedOn":"\/Date(1722582039000+0000)\/",'
    r'"InputParameters":[{"key":"Target","value":{"__type":"Entity:http:\/\/schemas.microsoft.com\/xrm\/2011\/Contracts",'
    r'"Attributes":[{"key":"name","value":"Ä & Co"},{"key":"parentaccountid","value":null}],'
    r'"FormattedValues":[],"Id":"11111111-1111-4111-8111-111111111111","LogicalName":"account"}}]}'
)


def run_program(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cdsbridge.pipelines.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def test_help_does_not_wait_for_beam() -> None:
    program = (
        "import sys; from cdsbridge.pipelines.cli import app; "
        "print(sorted({'apache_beam', 'pyarrow', 'azure.servicebus', 'sqlalchemy'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_version_tells_what_matters_for_a_report() -> None:
    ended = CliRunner().invoke(app, ["--version"])
    assert ended.exit_code == 0
    assert ended.output.startswith("cdsbridge ")
    assert "azure-servicebus 7." in ended.output
    assert "cdsbridge-engine" in ended.output


@pytest.mark.parametrize(
    "command", ["run", "backfill", "check", "audit", "hydrate", "decode", "emulator", "simulate", "demo"]
)
def test_every_command_has_help_with_an_example(command: str) -> None:
    ended = CliRunner().invoke(app, [command, "--help"])
    assert ended.exit_code == 0
    assert f"Example: cdsbridge {command}" in ended.output


@pytest.mark.parametrize(
    "command",
    [
        *(f"dlq {name}" for name in ("list", "peek", "group", "explain", "export", "replay", "purge")),
        *(f"quarantine {name}" for name in ("list", "show", "replay")),
    ],
)
def test_every_command_of_a_group_has_help_with_an_example(command: str) -> None:
    ended = CliRunner().invoke(app, [*command.split(), "--help"])
    assert ended.exit_code == 0
    assert f"Example: cdsbridge {command}" in ended.output


def test_an_unknown_option_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["run", "--nonsense"]).exit_code == 2


def test_decode_shows_a_message_or_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "message.json"
    file.write_text(BODY, encoding="utf-8-sig")
    shown = CliRunner().invoke(app, ["decode", str(file)])
    assert json.loads(shown.stdout)["PrimaryEntityName"] == "account"
    (rows,) = json.loads(CliRunner().invoke(app, ["decode", str(file), "--rows"]).stdout)
    assert (rows["table"], rows["name"], rows["_op"]) == ("account", "Ä & Co", "update")
    assert json.loads(rows["_changed"]) == ["name", "parentaccountid"]


def test_decode_says_what_is_wrong_and_where(tmp_path: Path) -> None:
    file = tmp_path / "message.json"
    file.write_text(BODY[:300])
    ended = CliRunner().invoke(app, ["decode", str(file)])
    assert ended.exit_code == 1
    assert "undecodable" in ended.output
    assert "Traceback" not in ended.output


def test_the_demo_shows_the_whole_bridge_and_its_proof(tmp_path: Path) -> None:
    ended = run_program("demo", "--count", "400", "--folder", str(tmp_path / "demo"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for shown in (
        "killed the bridge",
        "The sum holds",
        "every one of them is in the history once",
        "all of it is as in the simulated Dataverse",
        "account_history",
        "with the same reasons",
    ):
        assert shown in ended.stdout
    again = run_program("audit", str(tmp_path / "demo" / "bridge.yaml"), "--output", "json")
    assert json.loads(again.stdout)["holds"] is True


def test_the_demo_leaves_a_folder_of_yours_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    ended = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path)])
    assert ended.exit_code == 78
    assert (tmp_path / "precious").read_text() == "mine"


def test_published_messages_are_posted_where_they_are_present(tmp_path: Path) -> None:
    assert published.published_posts(tmp_path / "nowhere") == []
    (tmp_path / "a.json").write_bytes(b"{}")
    assert [post.body for post in published.published_posts(tmp_path)] == [b"{}"]
