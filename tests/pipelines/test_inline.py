"""Hydration while a message is held: within bounds, and never at the message's expense."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.counters import counters
from cdsbridge.model.envelope import MicroBatch
from cdsbridge.model.errors import ConfigError
from cdsbridge.pipelines.audit import audit_bridge
from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.exit import Exit
from cdsbridge.pipelines.hydrate import work_off
from cdsbridge.pipelines.inline import HydrateInline, InlineHydration
from cdsbridge.pipelines.post import post_all
from cdsbridge.pipelines.supervise import run_bridge
from cdsbridge.sources.ending import Ending
from cdsbridge.tables.metadata import Metadata, load_metadata
from cdsbridge.transforms.flattener import Flattener
from cdsbridge.webapi import WebClient

from ..webapi.server import (
    TOKEN,
    Dataverse,
    RecordingCredential,
    Reply,
    Sleeper,
    as_json,
    error,
    running,
    throttled,
)
from .hydrating import CLAIM, CUT, answers, body, envelope, histories, key, laid, posted, row


@pytest.fixture
def dataverse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataverse]:
    counters.reset()
    with running() as found:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{found.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        yield found
    counters.reset()


class Rig:
    """Inline hydration with a clock of our own."""

    def __init__(self, folder: Path, dataverse: Dataverse, **settings: Any) -> None:
        self.dataverse = dataverse
        laid(folder, dataverse)
        self.metadata = load_metadata(folder / "metadata.json")
        self.now = 0.0
        self.sleep = Sleeper()
        api = dataverse.api(**settings)
        client = WebClient(api, credential=RecordingCredential(), sleep=self.sleep)
        self.inline = InlineHydration(client, self.metadata, clock=lambda: self.now)

    def hydrated(self, *bodies: bytes, organization: str | None = None) -> FlattenedBatch:
        given = {CUT: "True"} if organization is None else {CUT: "True", CLAIM: organization}
        envelopes = tuple(envelope(number, content, given) for number, content in enumerate(bodies, 1))
        flat = Flattener(self.metadata.types).flatten(MicroBatch("dataverse", envelopes))
        return self.inline.hydrated(flat)


@pytest.fixture
def rig(tmp_path: Path, dataverse: Dataverse) -> Iterator[Rig]:
    made = Rig(tmp_path, dataverse, retries=1, patience=10)
    yield made
    made.inline.close()


def kept(flat: FlattenedBatch) -> list[tuple[str, str, int]]:
    """Return message, key and position of each row."""
    return sorted(
        (message, identity, position)
        for table in flat.tables
        for message, identity, position in zip(
            table.records.column("_message").to_pylist(),
            table.records.column("Id").to_pylist(),
            table.positions.to_pylist(),
            strict=True,
        )
    )


def test_the_answer_stands_beside_the_truncated_row_and_belongs_to_its_message(rig: Rig) -> None:
    rig.dataverse.rows["accounts", key(2)] = row(2)
    flat = rig.hydrated(body(1), body(2))
    assert kept(flat) == [
        ("Hydrate", key(1), 0),
        ("Hydrate", key(2), 1),
        ("Update", key(1), 0),
        ("Update", key(2), 1),
    ]
    (table,) = flat.tables
    assert table.records.column("name").to_pylist().count("A") == 1
    assert [verdict.rows for verdict in flat.verdicts] == [1, 1]
    assert rig.dataverse.batches == [2]
    assert counters.read()["hydrated"] == 2


def test_a_batch_without_truncated_rows_is_handed_on_as_it_is(rig: Rig) -> None:
    flat = Flattener(rig.metadata.types).flatten(MicroBatch("q", (envelope(1, b"nonsense"),)))
    assert rig.inline.hydrated(flat) is flat
    assert rig.dataverse.asked == []


def test_no_more_is_asked_than_one_batch(tmp_path: Path, dataverse: Dataverse) -> None:
    with closing((rig := Rig(tmp_path, dataverse, batch=2)).inline):
        for number in range(1, 4):
            dataverse.rows["accounts", key(number)] = row(number)
        flat = rig.hydrated(body(1), body(2), body(3))
    assert [entry[:2] for entry in kept(flat) if entry[0] == "Hydrate"] == [
        ("Hydrate", key(1)),
        ("Hydrate", key(2)),
    ]
    assert dataverse.batches == [2]
    assert counters.read()["hydration_deferred"] == 1


@pytest.mark.parametrize(
    "url", ["https://evil.example", "https://contoso.crm.dynamics.com.evil.example/", "", "nonsense"]
)
def test_a_message_of_another_organization_is_left_for_later(
    rig: Rig, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    rig.dataverse.rows["accounts", key(1)] = row(1)
    for _ in range(2):
        assert [entry[0] for entry in kept(rig.hydrated(body(1), organization=url))] == ["Update"]
    assert rig.dataverse.asked == []
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    ours = f"{rig.dataverse.url}/XRMServices/2011/Organization.svc"
    assert kept(rig.hydrated(body(1), organization=ours))[0][0] == "Hydrate"


def test_a_table_the_metadata_does_not_know_is_left_for_later(rig: Rig) -> None:
    assert [entry[0] for entry in kept(rig.hydrated(body(1, table="new_thing")))] == ["Update"]
    assert rig.dataverse.batches == []


@pytest.mark.parametrize(
    "replies", [[Reply(503)] * 2, [throttled(60)], [Reply(403)], [Reply(302)], [Reply(400)]]
)
def test_without_dataverse_the_messages_go_on_and_it_is_let_rest(
    rig: Rig, caplog: pytest.LogCaptureFixture, replies: list[Reply]
) -> None:
    caplog.set_level(logging.INFO)
    rig.dataverse.rows["accounts", key(1)] = row(1)
    rig.inline._hydrator._organization = "unq1"
    rig.dataverse.whole.extend(replies)
    assert [entry[0] for entry in kept(rig.hydrated(body(1)))] == ["Update"]
    asked = len(rig.dataverse.asked)
    rig.now = 59.0
    assert [entry[0] for entry in kept(rig.hydrated(body(1)))] == ["Update"]
    assert len(rig.dataverse.asked) == asked
    assert counters.read()["hydration_deferred"] == 2
    rig.now = 61.0
    rig.dataverse.whole.extend(replies)
    rig.hydrated(body(1))
    warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warned) == 1
    assert "list of cdsbridge hydrate" in warned[0].getMessage()
    rig.now = 200.0
    assert kept(rig.hydrated(body(1)))[0][0] == "Hydrate"
    assert any("hydrated again" in record.getMessage() for record in caplog.records)
    assert TOKEN not in caplog.text


def test_a_fault_of_ours_does_not_stop_the_messages(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("unforeseen")

    monkeypatch.setattr(rig.inline._hydrator, "hydrate", fail)
    assert [entry[0] for entry in kept(rig.hydrated(body(1)))] == ["Update"]


def test_a_short_throttle_is_waited_out(rig: Rig) -> None:
    rig.dataverse.rows["accounts", key(1)] = row(1)
    rig.inline._hydrator._organization = "unq1"
    rig.dataverse.whole.append(throttled(4))
    assert kept(rig.hydrated(body(1)))[0][0] == "Hydrate"
    assert rig.sleep.waits == [4]


def test_inline_needs_metadata_with_entity_sets(tmp_path: Path, dataverse: Dataverse) -> None:
    with pytest.raises(ConfigError, match="schema pull"):
        laid(tmp_path, dataverse, "dataverse.hydrate=inline", "metadata=null")
    api = laid(tmp_path, dataverse, "dataverse.hydrate=inline").dataverse
    assert api is not None
    with pytest.raises(ConfigError, match="entity sets"):
        HydrateInline(api, Metadata())


@pytest.fixture
def bus() -> Iterator[RunningBroker]:
    namespace = Namespace()
    namespace.create_queue("dataverse", QueueSettings(lock_duration=300))
    with run_in_thread(namespace) as broker:
        yield broker


def test_a_truncated_message_is_committed_with_its_row_before_it_is_settled(
    tmp_path: Path, dataverse: Dataverse, bus: RunningBroker
) -> None:
    config = laid(tmp_path, dataverse, "dataverse.hydrate=inline", connection=bus.connection_string)
    dataverse.rows["accounts", key(1)] = row(1, "Ä")
    properties = {CUT: "True", CLAIM: dataverse.url}
    post_all(config.source, "dataverse", [posted(number, body(number), properties) for number in (1, 2)])
    assert run_bridge(config, Ending.at_mark()).exit is Exit.OK
    found = answers(config)
    assert (found[key(1)]["name"], found[key(2)]["_op"]) == ("Ä", "delete")
    report = audit_bridge(config)
    assert report.holds
    assert (report.received, report.committed) == (2, 2)
    assert bus.call(lambda namespace: namespace.queue("dataverse").size) == 0
    before = histories(config)
    with closing(WebClient(dataverse.api(), credential=RecordingCredential())) as client:
        assert work_off(config, client)[0].waiting == 0
    assert histories(config) == before


def test_check_asks_the_web_api_who_we_are(tmp_path: Path, dataverse: Dataverse, bus: RunningBroker) -> None:
    laid(tmp_path, dataverse, connection=bus.connection_string)
    dataverse.answers["WhoAmI"] = as_json({"UserId": key(1), "OrganizationId": key(2)})
    ended = CliRunner().invoke(app, ["check", str(tmp_path / "bridge.yaml")])
    assert ended.exit_code == 0, ended.output
    assert f"{dataverse.url}: the Web API answers" in ended.output
    dataverse.answers["WhoAmI"] = error(403, "0x80072560", "The user is not a member of the organization.")
    ended = CliRunner().invoke(app, ["check", str(tmp_path / "bridge.yaml")])
    assert ended.exit_code == 77
    assert "not a member" in ended.output
    assert TOKEN not in ended.output


def test_while_dataverse_is_away_the_truncated_message_is_settled_and_waits(
    tmp_path: Path, dataverse: Dataverse, bus: RunningBroker
) -> None:
    config = laid(
        tmp_path,
        dataverse,
        "dataverse.hydrate=inline",
        "dataverse.inline_patience=0",
        connection=bus.connection_string,
    )
    dataverse.whole.extend([throttled(300)] * 2)
    post_all(config.source, "dataverse", [posted(1, body(1), {CUT: "True"})])
    assert run_bridge(config, Ending.at_mark()).exit is Exit.OK
    assert answers(config) == {}
    assert audit_bridge(config).holds
    assert bus.call(lambda namespace: namespace.queue("dataverse").size) == 0
    dataverse.whole.clear()
    dataverse.rows["accounts", key(1)] = row(1)
    with closing(WebClient(dataverse.api(), credential=RecordingCredential())) as client:
        assert work_off(config, client)[0].hydrated == 1
    assert answers(config)[key(1)]["name"] == "A"
    assert audit_bridge(config).holds
