"""Rebuilt from the archive, tables say what they said, however the messages came at first."""

import json
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result
from verifying import histories, parquet_folder, read_parquet, read_sqlite

from cdsbridge.emulator.dataverse import Organization, traffic
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.errors import ConfigError
from cdsbridge.pipelines.audit import audit_bridge
from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.load import load_config
from cdsbridge.pipelines.rebuild import Period, Rebuilt, archive_named, instant, rebuild, sinks_named
from cdsbridge.sinks import ArchiveSink, DeltaSink, ParquetSink
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.content import Content, content, contents
from cdsbridge.sinks.parquet.compact import compact
from cdsbridge.transforms.flattener import Flattener

NOW = 1_790_000_000_000_000
DAY = 86_400_000_000
CONFIG = """\
name: built
source:
  connection_string: "Endpoint=sb://localhost:5672;SharedAccessKeyName=n;SharedAccessKey=SAS_KEY_VALUE;\
UseDevelopmentEmulator=true"
  entities: [dataverse]
flatten: {{tables: {{exclude: [contact]}}}}
sinks:
  - {{kind: archive, url: {folder}/archive}}
  - {{kind: parquet, url: {folder}/parquet}}
  - {{kind: sql, url: "sqlite:///{folder}/bridge.db"}}
"""
POSTS = list(
    traffic(
        Organization(seed=11, start=datetime(2026, 3, 2, 8, tzinfo=UTC)),
        90,
        duplicates=0.2,
        poison=0.1,
        asides=0.1,
        rare=0.1,
        encodings=("json", "xml", "binary"),
    )
)


def sent(number: int, body: bytes, **values: Any) -> Envelope:
    given = {
        "enqueued_at": NOW + number,
        "received_at": NOW + 2 * number,
        "message_id": f"m{number}",
        **values,
    }
    return Envelope(body, "dataverse", number, **given)


ENVELOPES = [
    sent(
        number,
        post.body,
        message_id=post.message_id,
        correlation_id=post.correlation_id,
        content_type=post.content_type,
        properties={**post.properties, "n": number, "raw": b"\0"},
        lock_token=number.to_bytes(16, "big"),
        locked_until=NOW,
    )
    for number, post in enumerate(POSTS, 1)
]


def bridge(folder: Path) -> BridgeConfig:
    folder.mkdir(parents=True, exist_ok=True)
    conf = folder / "bridge.yaml"
    conf.write_text(CONFIG.format(folder=folder))
    return load_config(conf, environment={})


def receive(config: BridgeConfig, envelopes: Sequence[Envelope], seed: int = 0) -> None:
    """Flatten and commit as a bridge does, in random pieces; some messages come again, later."""
    source = random.Random(seed)
    flattener = Flattener(rules=config.flatten)
    instants = iter(range(NOW, NOW + 99 * DAY, DAY // 7))
    committer = Committer(config.sinks, clock=lambda: next(instants))
    at = 0
    while at < len(envelopes):
        size = source.randint(1, 12)
        pieces = [envelopes[at : at + size]]
        if at and source.random() < 0.4:
            first = source.randrange(at)
            pieces.append(envelopes[first : first + 3])
        source.shuffle(pieces)
        for piece in pieces:
            committer.add(flattener.flatten(MicroBatch("dataverse", tuple(piece))))
            if source.random() < 0.5:
                committer.flush()
        at += size
    committer.flush()
    committer.close()


def parquet_says(config: BridgeConfig) -> dict[str, Content]:
    sink = next(sink for sink in config.sinks if isinstance(sink, ParquetSink))
    with closing(sink.read()) as reader:
        return contents(reader, [table for table in reader.rows() if table.endswith("_history")])


def sqlite_says(config: BridgeConfig) -> dict[str, Content]:
    return {table: content([pa.Table.from_pylist(read_sqlite(config, table))]) for table in histories(config)}


def ends(config: BridgeConfig) -> list[set[tuple[Any, ...]]]:
    """Return what ledger and quarantine of both sinks say, but for the time of our writing."""
    return [
        {tuple(str(row[name]) for name in sorted(row) if name != time) for row in rows}
        for table, time in (("_ledger", "committed_at"), ("_quarantine", "quarantined_at"))
        for rows in (read_parquet(parquet_folder(config) / table), read_sqlite(config, table))
    ]


def rebuilt(origin: BridgeConfig, target: BridgeConfig, period: Period | None = None) -> Rebuilt:
    with closing(archive_named(origin, None).read()) as reader:
        return rebuild(target, reader, sinks_named(target, ()), period)


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_a_bridge_rebuilt_into_empty_places_says_the_same(tmp_path: Path, seed: int) -> None:
    origin, target = bridge(tmp_path / "first"), bridge(tmp_path / "second")
    receive(origin, ENVELOPES, seed)
    report = rebuilt(origin, target)
    assert report.messages == len(ENVELOPES)
    assert report.now == report.then
    assert all(report.now[end] for end in ("committed", "skipped", "rejected"))
    assert parquet_says(target) == parquet_says(origin)
    assert sqlite_says(target) == sqlite_says(origin)
    assert ends(target) == ends(origin)
    assert len(parquet_says(target)) > 3
    assert not (tmp_path / "second" / "archive").exists()


def delta_says(config: BridgeConfig) -> dict[str, Content]:
    sink = next(sink for sink in config.sinks if isinstance(sink, DeltaSink))
    with closing(sink.read()) as reader:
        return contents(reader, [table for table in reader.rows() if table.endswith("_history")])


def test_a_delta_lake_is_rebuilt_as_well(tmp_path: Path) -> None:
    told = f"sinks=[{{kind: archive, url: {tmp_path}/raw}}, {{kind: delta, url: {tmp_path}/NAME}}]"
    bridge(tmp_path)
    origin, target = (
        load_config(tmp_path / "bridge.yaml", [told.replace("NAME", name)], environment={})
        for name in ("first", "second")
    )
    receive(origin, ENVELOPES[:40], seed=3)
    rebuilt(origin, target)
    assert len(delta_says(origin)) > 3
    assert delta_says(target) == delta_says(origin)


def test_the_pool_has_what_a_rebuild_must_keep() -> None:
    assert len({post.poison for post in POSTS}) > 3
    assert len({post.content_type for post in POSTS}) > 2
    operations = [post.event.operation_id for post in POSTS if post.event]
    assert len(set(operations)) < len(operations)


def test_rebuilding_into_the_tables_themselves_changes_nothing(tmp_path: Path) -> None:
    config = bridge(tmp_path)
    receive(config, ENVELOPES)
    before = parquet_says(config), sqlite_says(config), ends(config)[1], ends(config)[3]
    for _ in range(2):
        rebuilt(config, config)
    assert (parquet_says(config), sqlite_says(config), ends(config)[1], ends(config)[3]) == before
    assert audit_bridge(config).holds
    sink = next(sink for sink in config.sinks if isinstance(sink, ParquetSink))
    assert sum(report.repeats for report in compact(sink)) > 0
    assert parquet_says(config) == before[0]
    assert audit_bridge(config).holds


def test_a_lost_table_comes_back(tmp_path: Path) -> None:
    config = bridge(tmp_path)
    receive(config, ENVELOPES)
    before = sqlite_says(config)
    with closing(sqlite3.connect(tmp_path / "bridge.db")) as database:
        database.execute("DELETE FROM account_history")
        database.commit()
    assert sqlite_says(config) != before
    rebuilt(config, config)
    assert sqlite_says(config) == before


def value(number: int, name: str, cell: Any) -> Envelope:
    target = {
        "key": "Target",
        "value": {"Attributes": [{"key": name, "value": cell}], "LogicalName": "account"},
    }
    body = {
        "MessageName": "Update",
        "PrimaryEntityName": "account",
        "PrimaryEntityId": f"00000000-0000-4000-8000-{number:012d}",
        "OperationId": f"11111111-0000-4000-8000-{number:012d}",
        "OperationCreatedOn": f"/Date({1_722_582_039_000 + number}+0000)/",
        "InputParameters": [target],
    }
    return sent(number, json.dumps(body).encode())


@pytest.mark.parametrize("seed", range(4))
def test_types_are_decided_by_the_same_message(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    cells = [7, "text", 1.5, True, None, 12345678901]
    envelopes = [value(n, f"new_{source.randint(1, 3)}", source.choice(cells)) for n in range(1, 40)]
    origin, target = bridge(tmp_path / "first"), bridge(tmp_path / "second")
    receive(origin, envelopes, seed)
    report = rebuilt(origin, target)
    assert report.now == report.then
    assert sqlite_says(target) == sqlite_says(origin)
    assert parquet_says(target) == parquet_says(origin)
    assert ends(target) == ends(origin)


def test_only_a_period_is_rebuilt(tmp_path: Path) -> None:
    origin, target = bridge(tmp_path / "first"), bridge(tmp_path / "second")
    receive(origin, ENVELOPES)
    whole = rebuilt(origin, bridge(tmp_path / "third"))
    middle = (NOW + 2 * DAY) // DAY * DAY
    early = rebuilt(origin, target, Period(until=middle))
    assert 0 < early.messages < whole.messages
    assert early.last < f"{datetime.fromtimestamp(middle / 1e6, UTC):%Y-%m-%dT%H:%M:%S}" <= whole.last
    late = rebuilt(origin, target, Period(since=middle))
    assert early.messages + late.messages >= whole.messages
    assert sqlite_says(target) == sqlite_says(origin)


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["rebuild", *map(str, arguments)])


def test_the_command_rebuilds_what_it_is_told_to(tmp_path: Path) -> None:
    origin, target = bridge(tmp_path / "first"), bridge(tmp_path / "second")
    receive(origin, ENVELOPES)
    conf, archive = tmp_path / "second" / "bridge.yaml", tmp_path / "first" / "archive"
    looked = json.loads(command(conf, "--from", archive, "--dry-run", "--output", "json").stdout)
    assert (looked["messages"], looked["rows"]) == (len(ENVELOPES), 0)
    assert looked["now"] == looked["then"]
    assert not (tmp_path / "second" / "bridge.db").exists()
    done = command(conf, "--from", archive, "--into", "sql")
    assert done.exit_code == 0, done.output
    assert f"built: {len(ENVELOPES)} messages of {archive}" in done.stdout
    assert sqlite_says(target) == sqlite_says(origin)
    assert not (tmp_path / "second" / "parquet").exists()


def test_more_rejected_than_allowed_end_with_4(tmp_path: Path) -> None:
    receive(bridge(tmp_path), ENVELOPES)
    conf = tmp_path / "bridge.yaml"
    assert command(conf, "--set", "max_rejected=0", "--dry-run").exit_code == 4
    assert command(conf, "--set", "max_rejected=99", "--dry-run").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--from", "memory:///x"], "--from: not a local path"),
        (["--into", "delta"], "--into: name a sink"),
        (["--since", "yesterday"], "--since yesterday: write it as"),
        ([], "holds no messages"),
        (["--set", "sinks=[{kind: parquet, url: x}]"], "The configuration has 0 archives"),
    ],
)
def test_what_cannot_be_rebuilt_is_told(tmp_path: Path, arguments: list[str], told: str) -> None:
    bridge(tmp_path)
    ended = command(tmp_path / "bridge.yaml", *arguments)
    assert ended.exit_code == 78
    assert told in ended.stderr


def test_an_archive_of_the_configuration_is_found_with_its_options(tmp_path: Path) -> None:
    config = bridge(tmp_path)
    own = next(sink for sink in config.sinks if isinstance(sink, ArchiveSink))
    assert archive_named(config, f"{own.url}/") is own
    assert archive_named(config, str(tmp_path)).url == str(tmp_path)
    with pytest.raises(ConfigError, match="--into"):
        sinks_named(config.model_copy(update={"sinks": (own,)}), ())


def test_an_instant_without_zone_is_utc() -> None:
    assert instant("--since", "2026-09-21T14:13:20") == instant("--since", "2026-09-21T16:13:20+02:00") == NOW
    assert instant("--since", None) is None
