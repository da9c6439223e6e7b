"""What a preview tells is what a commit then does, and a preview makes nothing."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdsbridge.emulator.dataverse import Encoding, Organization, metadata, traffic
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.preview.outlook import outlook, preview
from cdsbridge.pipelines.preview.standing import Standing, StateChange
from cdsbridge.sinks.base import Sink
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.sql.sink import SqlSink
from cdsbridge.sinks.testing.state import NOW, Said, changes_of, commit_states
from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.transforms.flattener import Flattener

from ..posted import received
from ..transforms.bodies import batch, update

Rows = Mapping[str, Mapping[str, Any]]


def day(seed: int, poison: float = 0.1) -> list[Envelope]:
    """Return the messages of a simulated day, in all encodings, some spoilt."""
    organization = Organization(seed=seed, start=datetime(2026, 3, 2, 8, tzinfo=UTC), existing=3)
    posts = traffic(organization, 60, rare=0.1, poison=poison, encodings=tuple(Encoding))
    return received(posts)


def bridge(folder: Path, *sinks: Mapping[str, Any], **options: Any) -> BridgeConfig:
    (folder / "metadata.json").write_text(json.dumps(metadata()), encoding="utf-8")
    return BridgeConfig.model_validate(
        {
            "source": {"connection_string": "Endpoint=sb://nowhere/;SharedAccessKeyName=n;SharedAccessKey=k"}
            | {"entities": ["q"]},
            "metadata": folder / "metadata.json",
            "sinks": sinks,
            **options,
        }
    )


def three(folder: Path) -> list[Mapping[str, Any]]:
    """Return sinks with and without a state, one without a history."""
    return [
        {"kind": "sql", "url": f"sqlite:///{folder}/rows.db"},
        {"kind": "parquet", "url": f"{folder}/lake"},
        {"kind": "delta", "url": f"{folder}/delta", "history": False},
    ]


def commit(config: BridgeConfig, some: Sequence[Envelope]) -> Counter[str]:
    """Commit messages as a bridge does; return how they ended."""
    assert config.metadata is not None
    flat = Flattener(load_metadata(config.metadata).types, config.flatten).flatten(
        MicroBatch("q", tuple(some))
    )
    with closing(Committer(config.sinks, contracts=config.contracts)) as committer:
        committer.add(flat)
        (ended,) = committer.flush()
    return Counter(str(each.verdict.outcome) for each in ended.dispositions)


def state(sink: Sink, table: str) -> dict[str, dict[str, Any]]:
    with closing(sink.read()) as reader:
        return {row["Id"]: row for row in reader.state(table).to_pylist()}


def columns(sink: Sink, table: str) -> set[str]:
    with closing(sink.read()) as reader:
        found = reader.describe(f"{table}_history")
    return set(found.columns) - set(SYSTEM) if found else set()


def became(before: Rows, after: Rows, keys: set[str]) -> StateChange:
    """Return what happened to rows, told by what stood there before and stands there after."""
    how: Counter[str] = Counter()
    for key in keys:
        was, now = before.get(key), after[key]
        if was is not None and was["SinkModifiedOn"] == now["SinkModifiedOn"]:
            how["stay"] += 1
        elif now["IsDelete"] and not (was and was["IsDelete"]):
            how["go"] += 1
        elif not now["IsDelete"] and (was is None or was["IsDelete"]):
            how["appear"] += 1
        else:
            how["change"] += 1
    return StateChange(**how)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), chance=st.integers(0, 10_000))
def test_what_a_preview_tells_is_what_a_commit_does(
    seed: int, chance: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("preview")
    rng = random.Random(chance)
    posted = day(seed)
    rng.shuffle(posted)
    first, rest = posted[: len(posted) // 2], posted[len(posted) // 3 :]
    config = bridge(folder, *three(folder))
    commit(config, first)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("cdsbridge.pipelines.preview.outlook._PLANNED", rng.choice([3, 30, 5_000]))
        told = preview(config, rest, len(rest))
    tables = {name: change for name, change in told.tables.items() if change.keys}
    stateful = [sink for sink in config.sinks if sink.state]
    before = {(sink.name, table): state(sink, table) for sink in stateful for table in tables}
    had = {(s.name, table): columns(s, table) for s in config.sinks if s.history for table in told.tables}
    assert told.outcomes == commit(config, rest)
    for sink in stateful:
        assert told.states[sink.name].keys() <= tables.keys()
        for table, change in told.states[sink.name].items():
            after = state(sink, table)
            assert change == became(before[sink.name, table], after, tables[table].keys), table
    for sink in config.sinks:
        for table, gets in told.tables.items() if sink.history else ():
            assert set(gets.new_columns[sink.name]) == columns(sink, table) - had[sink.name, table]


def test_a_preview_tells_what_a_contract_keeps_out(tmp_path: Path) -> None:
    posted = day(3)
    config = bridge(tmp_path, *three(tmp_path), contracts={"default": {"new_table": "quarantine"}})
    commit(config.model_copy(update={"contracts": bridge(tmp_path, *three(tmp_path)).contracts}), posted[:20])
    told = preview(config, posted[20:], 1_000)
    assert told.reasons["contract"][0] > 3
    assert told.outcomes == commit(config, posted[20:])


def test_a_preview_makes_nothing(tmp_path: Path) -> None:
    config = bridge(tmp_path, *three(tmp_path))
    told = preview(config, day(3), 50)
    assert (told.messages, told.more) == (50, True)
    assert told.states[config.sinks[0].name]["account"].appear
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["metadata.json"]


def test_where_a_sink_is_away_an_outlook_goes_by_the_messages_alone(tmp_path: Path) -> None:
    config = bridge(tmp_path, {"kind": "sql", "url": "postgresql://nobody:secret@127.0.0.1:1/none"})
    some = day(3)
    told = outlook(config, some)
    assert "127.0.0.1" in told.away
    assert "secret" not in told.away
    assert told.messages == len(some)
    assert told.outcomes["rejected"] == sum(count for count, _ in told.reasons.values()) > 0


def test_parties_are_told_as_rows_of_a_history_only(tmp_path: Path) -> None:
    """They are replaced as lists: a row of theirs has no standing of its own."""
    config = bridge(tmp_path, *three(tmp_path))
    told = preview(config, day(3), 1_000)
    assert "activityparty" in told.tables
    assert all("activityparty" not in tables for tables in told.states.values())


def test_what_stands_decides_what_a_change_does(tmp_path: Path) -> None:
    """Rows that are not there, are there, or are deleted; changes that are newer, older or the same."""
    sink = SqlSink.model_validate({"url": f"sqlite:///{tmp_path}/rows.db"})
    old, new = Said(10, "create", {"name": "a"}), Said(30, "update", {"name": "b"})
    end, again = Said(40, "delete"), Said(50, "create", {"name": "c"})
    with closing(sink.open()) as writer:
        there = [("there", old), ("newer", new), ("gone", old), ("gone", end), ("back", old), ("back", end)]
        commit_states(writer, changes_of(there))
    with closing(sink.read()) as reader:
        standing = Standing(reader)
        for some in (
            [("absent", old), ("there", old), ("newer", Said(20, "update", {"name": "late"}))],
            [("there", end), ("gone", new), ("back", again), ("never", end), ("absent", new)],
        ):
            standing.add("account", changes_of(some)["account"], NOW)
        told = standing.told()
    # a change that is older than the delete stays in its last values
    assert told == {"account": StateChange(appear=2, change=1, go=2, stay=1)}


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_one_plan_adds_is_there_for_the_next(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdsbridge.pipelines.preview.outlook._PLANNED", at_once)
    config = bridge(tmp_path, *three(tmp_path)).model_copy(update={"metadata": None})
    sent = [update({"size": size}, OperationId=str(UUID(int=at))) for at, size in enumerate((1, "large"))]
    told = preview(config, batch(*sent, received_at=1).envelopes, 2)
    assert told.tables["account"].new_columns[config.sinks[0].name] == ["size", "size__text"]
