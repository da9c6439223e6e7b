"""Pulling a metadata file: what is written, and that the bridge reads it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.schema_pull import write_whole
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.tables.types import Kind

from ..webapi import account
from ..webapi.server import Dataverse, running, throttled
from .hydrating import laid


@pytest.fixture
def dataverse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataverse]:
    with running() as found:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{found.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        account.serve(found)
        yield found


def pull(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["schema", "pull", *arguments])


def test_the_file_holds_what_dataverse_says(tmp_path: Path, dataverse: Dataverse) -> None:
    laid(tmp_path, dataverse)
    out = tmp_path / "pulled.json"
    dataverse.whole.append(throttled(0))
    ended = pull(str(tmp_path / "bridge.yaml"), "--out", str(out), "--table", "account")
    assert ended.exit_code == 0, ended.output
    assert "1 tables, 23 columns, 1 many-to-many relationships" in ended.output
    text = out.read_text()
    assert json.loads(text) == {
        "version": 1,
        "organization": dataverse.url,
        "tables": {"account": account.EXPECTED},
        "relationships": {
            "accountleads_association": {
                "intersect": "accountleads",
                "first": {"table": "account", "column": "accountid"},
                "second": {"table": "lead", "column": "leadid"},
            }
        },
    }
    assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    metadata = load_metadata(out)
    assert metadata.entity_sets == {"account": "accounts"}
    assert metadata.types.kind("account", "new_tags") is Kind.CHOICES
    assert list(tmp_path.glob(".*")) == []


def test_the_file_of_the_configuration_is_written_anew(tmp_path: Path, dataverse: Dataverse) -> None:
    laid(tmp_path, dataverse)
    path = tmp_path / "metadata.json"
    path.write_text("{}")
    assert pull(str(tmp_path / "bridge.yaml")).exit_code == 0
    assert list(json.loads(path.read_text())["tables"]) == ["account"]
    first = path.read_bytes()
    assert pull(str(tmp_path / "bridge.yaml")).exit_code == 0
    assert path.read_bytes() == first


def test_tables_are_those_named_else_those_taken_else_all(tmp_path: Path, dataverse: Dataverse) -> None:
    laid(tmp_path, dataverse)
    conf = str(tmp_path / "bridge.yaml")
    taken = pull(conf, "--set", "flatten.tables.include=[acount]")
    assert taken.exit_code == 78
    assert "no table 'acount'" in taken.output
    assert pull(conf, "--set", "flatten.tables.include=[acount]", "--table", "account").exit_code == 0
    assert pull(conf).exit_code == 0


def test_a_failed_pull_leaves_the_file_as_it_was(tmp_path: Path, dataverse: Dataverse) -> None:
    laid(tmp_path, dataverse)
    path = tmp_path / "metadata.json"
    before = path.read_bytes()
    assert pull(str(tmp_path / "bridge.yaml"), "--table", "acount").exit_code == 78
    assert path.read_bytes() == before
    with pytest.raises(Exception, match="cannot be written"):
        write_whole(tmp_path / "nowhere" / "metadata.json", "{}")


def test_a_url_on_the_command_line_is_asked_instead(tmp_path: Path, dataverse: Dataverse) -> None:
    with running() as other:
        laid(tmp_path, other)
        out = str(tmp_path / "pulled.json")
        conf = str(tmp_path / "bridge.yaml")
        ended = pull(conf, "--url", dataverse.url, "--out", out, "--table", "account")
        assert ended.exit_code == 0, ended.output
        assert other.asked == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--url"),
        (("--url", "https://contoso.crm.dynamics.com"), "--out"),
        (("--url", "http://contoso.crm.dynamics.com", "--out", "x.json"), "https"),
    ],
)
def test_what_is_not_said_is_asked_for(arguments: tuple[str, ...], told: str) -> None:
    ended = pull(*arguments)
    assert ended.exit_code == 78
    assert told in ended.output


def test_help_has_an_example() -> None:
    assert "Example: cdsbridge schema pull" in pull("--help").output
