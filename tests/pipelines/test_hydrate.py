"""Working off the list of truncated rows, end to end against a Web API over loopback."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.hydrate import Report, look, work_off
from cdsbridge.tables.contract import Contracts, TableContract
from cdsbridge.webapi import WebClient

from ..webapi import account
from ..webapi.server import (
    TOKEN,
    Dataverse,
    RecordingCredential,
    Reply,
    Sleeper,
    error,
    running,
    throttled,
)
from .hydrating import answers, audited, body, histories, key, laid, receive, row


@pytest.fixture
def dataverse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataverse]:
    """Run a Web API; this machine has a managed identity there."""
    with running() as found:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{found.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        yield found


@pytest.fixture
def config(tmp_path: Path, dataverse: Dataverse) -> BridgeConfig:
    return laid(tmp_path, dataverse)


def worked_off(config: BridgeConfig, limit: int | None = None, sleep: Sleeper | None = None) -> Report:
    assert config.dataverse is not None
    credential = RecordingCredential()
    with closing(WebClient(config.dataverse, credential=credential, sleep=sleep or Sleeper())) as client:
        return work_off(config, client, limit)[0]


def command(folder: Path, *options: str) -> tuple[Result, dict[str, Any]]:
    ended = CliRunner().invoke(app, ["hydrate", str(folder / "bridge.yaml"), "--output", "json", *options])
    assert ended.stdout, ended.stderr
    return ended, json.loads(ended.stdout)


def test_a_truncated_message_is_hydrated_once(
    tmp_path: Path, dataverse: Dataverse, config: BridgeConfig
) -> None:
    receive(config, [body(1), body(2)])
    dataverse.rows["accounts", key(1)] = row(1, "Ä & Co")
    dataverse.rows["accounts", key(2)] = row(2, "B")
    before = histories(config)
    ended, told = command(tmp_path)
    assert ended.exit_code == 0, ended.output
    assert (told["hydrated"], told["deleted"], told["waiting"]) == (2, 0, 0)
    found = answers(config)
    assert found[key(1)]["name"] == "Ä & Co"
    assert found[key(1)]["numberofemployees"] == 12
    assert found[key(1)]["versionnumber"] == 1001
    assert found[key(1)]["_organization"] == "unq1"
    assert found[key(1)]["_truncated"] == 0
    assert "primarycontactid" in json.loads(found[key(1)]["_changed"])
    after = histories(config)
    assert {event: after[event] for event in before} == before
    report = audited(config)
    assert report.holds
    assert report.committed == 2
    asked = len(dataverse.parted)
    ended, told = command(tmp_path)
    assert (ended.exit_code, told["hydrated"], told["waiting"]) == (0, 0, 0)
    assert histories(config) == after
    assert len(dataverse.parted) == asked


def test_a_row_that_is_gone_is_a_delete(dataverse: Dataverse, config: BridgeConfig) -> None:
    receive(config, [body(1), body(2, message="Create")])
    dataverse.rows["accounts", key(2)] = row(2)
    report = worked_off(config)
    assert (report.hydrated, report.deleted, report.waiting) == (1, 1, 0)
    found = answers(config)
    assert (found[key(1)]["_op"], found[key(1)]["IsDelete"]) == ("delete", 1)
    assert (found[key(2)]["_op"], found[key(2)]["IsDelete"]) == ("update", 0)
    truncated = next(
        each for each in histories(config).values() if each["Id"] == key(1) and each["_truncated"]
    )
    assert found[key(1)]["_occurred_at"] == truncated["_occurred_at"]
    assert found[key(1)]["_order"] > truncated["_order"]
    assert audited(config).holds


def test_two_truncated_events_of_a_row_are_one_request(dataverse: Dataverse, config: BridgeConfig) -> None:
    other = body(1).replace(b"11111111-0000", b"22222222-0000")
    receive(config, [body(1), other])
    dataverse.rows["accounts", key(1)] = row(1)
    assert worked_off(config).hydrated == 2
    assert dataverse.batches == [1]
    assert sum(each["_message"] == "Hydrate" for each in histories(config).values()) == 2


def test_deletes_and_events_are_not_on_the_list(dataverse: Dataverse, config: BridgeConfig) -> None:
    receive(config, [body(1, message="Delete"), body(2, message="new_Recalculate")])
    assert sum(each["_truncated"] for each in histories(config).values()) == 2
    assert worked_off(config) == Report()
    assert dataverse.asked == []


def test_each_row_of_a_batch_is_judged_alone(
    tmp_path: Path, dataverse: Dataverse, config: BridgeConfig
) -> None:
    receive(config, [*map(body, range(1, 6)), body(6, organization="unq2"), body(7, table="unheard_of")])
    for number in range(1, 6):
        dataverse.rows["accounts", key(number)] = row(number)
    dataverse.rows["accounts", key(5)] = row(5, name=7)  # type: ignore[arg-type]
    dataverse.parts[f"accounts({key(2)})"].append(error(400, "0x80040203", "Invalid argument"))
    dataverse.parts[f"accounts({key(3)})"].append(throttled(2))
    dataverse.parts[f"accounts({key(4)})"].append(error(404, "0x80060888", "Resource not found"))
    sleep = Sleeper()
    report = worked_off(config, sleep=sleep)
    assert sleep.waits == [2]
    assert (report.hydrated, report.deleted, report.waiting) == (2, 0, 5)
    assert report.ends == {"refused": 2, "elsewhere": 1, "no-table": 1, "bad-value": 1}
    told = {stays.id: stays.reason for stays in report.stays}
    assert "Invalid argument" in told[key(2)]
    assert "Resource not found" in told[key(4)]
    assert "account.name" in told[key(5)]
    assert "'unq2'" in told[key(6)]
    assert "no table 'unheard_of'" in told[key(7)]
    assert set(answers(config)) == {key(1), key(3)}
    assert audited(config).holds
    ended, told_again = command(tmp_path)
    assert (ended.exit_code, told_again["hydrated"], told_again["waiting"]) == (75, 2, 3)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (error(403, "0x80040220", "Principal user is missing prvReadAccount"), 77),
        (error(429, "0x80072322", "Number of requests exceeded", Retry_After="0"), 69),
        (error(412, "0x80060882", "No"), 75),
    ],
)
def test_the_exit_code_tells_why_rows_wait(
    tmp_path: Path, dataverse: Dataverse, config: BridgeConfig, reply: Reply, code: int
) -> None:
    receive(config, [body(1), body(2)])
    dataverse.rows["accounts", key(2)] = row(2)
    dataverse.parts[f"accounts({key(1)})"].extend([reply] * 3)
    ended, told = command(tmp_path, "--set", "dataverse.retries=0")
    assert (ended.exit_code, told["exit"], told["hydrated"], told["waiting"]) == (code, code, 1, 1)


@pytest.mark.parametrize(("reply", "code"), [(Reply(401), 77), (Reply(403), 77), (Reply(503), 69)])
def test_what_was_read_before_an_error_is_committed(
    tmp_path: Path, dataverse: Dataverse, config: BridgeConfig, reply: Reply, code: int
) -> None:
    receive(config, [body(number) for number in range(1, 5)])
    for number in range(1, 5):
        dataverse.rows["accounts", key(number)] = row(number)
    ask = Dataverse.batch

    def fail_later(self: Dataverse, content: bytes, asked: Any) -> Reply:
        return ask(self, content, asked) if not dataverse.batches else reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dataverse, "batch", fail_later)
        ended, told = command(tmp_path, "--set", "dataverse.batch=2", "--set", "dataverse.retries=0")
    assert ended.exit_code == code
    assert (told["hydrated"], told["waiting"]) == (2, 2)
    assert str(reply.status) in told["error"]
    assert len(answers(config)) == 2
    assert command(tmp_path)[0].exit_code == 0
    assert len(answers(config)) == 4


def test_a_value_the_table_cannot_hold_leaves_the_row_on_the_list(
    dataverse: Dataverse, config: BridgeConfig
) -> None:
    strict = Contracts(default=TableContract(other_type="quarantine"))
    blind = config.model_copy(update={"metadata": None, "contracts": strict})
    account.serve(dataverse)
    whole = {"@odata.etag": 'W/"1"', "accountid": key(9), "numberofemployees": "many"}
    receive(blind, [body(1), body(2)])
    dataverse.rows["accounts", key(1)] = row(1)
    assert worked_off(blind, limit=1).hydrated == 1
    dataverse.rows["accounts", key(2)] = json.dumps(whole)
    report = worked_off(blind)
    assert (report.hydrated, report.ends) == (0, {"bad-value": 1})
    assert "numberofemployees" in report.stays[0].reason
    assert audited(blind).holds
    assert [each["_event_id"] for each in histories(blind).values() if each["_message"] == "Hydrate"]


def test_without_a_metadata_file_dataverse_is_asked_what_the_columns_are(
    dataverse: Dataverse, config: BridgeConfig
) -> None:
    blind = config.model_copy(update={"metadata": None})
    account.serve(dataverse)
    receive(blind, [body(1)])
    dataverse.rows["accounts", key(1)] = row(1, industrycode=2, revenue=12.5, new_founded="1999-03-01")
    assert worked_off(blind).hydrated == 1
    found = answers(blind)[key(1)]
    assert (found["industrycode"], found["revenue"]) == (2, "12.5000")
    assert found["numberofemployees"] == "12.0000000000"
    assert found["new_founded"] == "1999-03-01 00:00:00.000000"


def test_a_limit_leaves_the_rest_for_later(
    tmp_path: Path, dataverse: Dataverse, config: BridgeConfig
) -> None:
    receive(config, [body(number) for number in range(1, 6)])
    for number in range(1, 6):
        dataverse.rows["accounts", key(number)] = row(number)
    ended, told = command(tmp_path, "--limit", "2")
    assert (ended.exit_code, told["hydrated"], told["waiting"]) == (75, 2, 3)
    assert told["tables"] == {"account": 3}
    ended, told = command(tmp_path)
    assert (ended.exit_code, told["hydrated"], told["waiting"]) == (0, 3, 0)


def test_a_dry_run_asks_and_writes_nothing(
    tmp_path: Path, dataverse: Dataverse, config: BridgeConfig
) -> None:
    receive(config, [body(1), body(2)])
    before = histories(config)
    ended, told = command(tmp_path, "--dry-run")
    assert (ended.exit_code, told["waiting"], told["tables"]) == (75, 2, {"account": 2})
    assert histories(config) == before
    assert dataverse.asked == []


def test_the_text_names_rows_and_reasons_and_no_token(
    tmp_path: Path, dataverse: Dataverse, config: BridgeConfig
) -> None:
    receive(config, [body(number) for number in range(1, 31)])
    for number in range(1, 31):
        dataverse.parts[f"accounts({key(number)})"].append(error(400, "0x1", f"No {TOKEN[:4]}"))
    ended = CliRunner().invoke(app, ["hydrate", str(tmp_path / "bridge.yaml")])
    assert ended.exit_code == 75
    assert "cut: hydrated 0, deleted since 0, still waiting 30" in ended.output
    assert "cut: 30 of account wait" in ended.output
    assert f"account {key(1)}: refused: " in ended.output
    assert "and 10 more" in ended.output
    assert TOKEN not in ended.output


def test_a_bridge_without_dataverse_is_told_so(tmp_path: Path, config: BridgeConfig) -> None:
    receive(config, [body(1)])
    ended = CliRunner().invoke(app, ["hydrate", str(tmp_path / "bridge.yaml"), "--set", "dataverse=null"])
    assert ended.exit_code == 78
    assert "dataverse.url" in ended.output


def test_an_empty_bridge_has_nothing_to_hydrate(config: BridgeConfig) -> None:
    assert look(config) == Report() == worked_off(config)


def test_hydration_cut_short_between_two_sinks_is_finished_by_the_next(
    tmp_path: Path, dataverse: Dataverse, config: BridgeConfig
) -> None:
    receive(config, [body(1), body(2)])
    dataverse.rows["accounts", key(1)] = row(1)
    arguments = [sys.executable, "-m", "cdsbridge.pipelines.cli", "hydrate", str(tmp_path / "bridge.yaml")]
    armed = {**os.environ, "CDSBRIDGE_FAILPOINT": "sink_committed:kill@1"}
    killed = subprocess.run(arguments, env=armed, capture_output=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    report = audited(config)
    assert (report.differences, report.holds) == (2, False)
    again = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0, again.stderr
    assert "hydrated 1, deleted since 1, still waiting 0" in again.stdout
    assert set(answers(config)) == {key(1), key(2)}
    assert audited(config).holds
    assert TOKEN not in again.stdout + again.stderr + killed.stdout.decode() + killed.stderr.decode()
