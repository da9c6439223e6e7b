"""What was rejected is listed, shown, and replayed until it is committed, and the audit holds."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cdsbridge.model.counters import counters
from cdsbridge.model.envelope import Envelope
from cdsbridge.pipelines.audit import audit_bridge
from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.load import load_config
from cdsbridge.sources.files.item import item_of
from cdsbridge.tables.columns import COMMITTED, DELIVERY

from .dead_letters import day

CONFIG = """\
name: again
source:
  connection_string: "Endpoint=sb://localhost:1;SharedAccessKeyName=n;SharedAccessKey=SAS_KEY_VALUE;\
UseDevelopmentEmulator=true"
  entities: [orders]
sinks:
  - {{kind: parquet, url: {folder}/parquet}}
  - {{kind: sql, url: "sqlite:///{folder}/bridge.db"}}
state: {folder}/state
"""
POSTS = day(40)
GOOD = [number for number, post in enumerate(POSTS, 1) if post.poison is None]
BAD = [number for number, post in enumerate(POSTS, 1) if post.poison is not None]
CLOSED = "contracts.default.new_table=quarantine"


class Bench:
    """A bridge that has read the posts from a file."""

    def __init__(self, folder: Path, *settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.conf = folder / "bridge.yaml"
        self.conf.write_text(CONFIG.format(folder=folder))
        self.config: BridgeConfig = load_config(self.conf, environment={})
        sent = [
            Envelope(
                post.body,
                "orders",
                number,
                enqueued_at=1_790_000_000_000_000 + number,
                message_id=post.message_id,
                content_type=post.content_type,
                properties={key: str(value) for key, value in post.properties.items()},
            )
            for number, post in enumerate(POSTS, 1)
        ]
        lines = folder / "sent.jsonl"
        lines.write_bytes(b"".join(item_of(each) + b"\n" for each in sent))
        laid = [option for setting in settings for option in ("--set", setting)]
        ended = self.run("backfill", self.conf, lines, "--from", "files", "--quiet", *laid)
        assert ended.exit_code == 0, ended.output

    def run(self, *arguments: str | Path) -> Result:
        counters.reset()
        return CliRunner().invoke(app, list(map(str, arguments)))

    def quarantine(self, command: str, *options: str | Path) -> Result:
        return self.run("quarantine", command, self.conf, *options)

    def listed(self, *options: str) -> list[dict[str, Any]]:
        ended = self.quarantine("list", "--count", "100", "--output", "json", *options)
        assert ended.exit_code == 0, ended.output
        messages: list[dict[str, Any]] = json.loads(ended.stdout)["messages"]
        return sorted(messages, key=lambda each: int(each["sequence_number"]))

    def says(self, kind: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the histories of a sink without what tells of delivery and commit."""
        sink = next(sink for sink in self.config.sinks if sink.kind == kind)
        with closing(sink.read()) as reader:
            return {
                (table, row["_event_id"]): {
                    name: cell
                    for name, cell in row.items()
                    if cell is not None and name not in {*DELIVERY, *COMMITTED}
                }
                for table in reader.rows()
                if table.endswith("_history")
                for piece in reader.history(table)
                for row in piece.to_pylist()
            }


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("truth"))


@pytest.mark.parametrize("kind", ["sql", "parquet"])
def test_what_a_contract_kept_out_is_committed_when_it_allows(
    tmp_path: Path, truth: Bench, kind: str
) -> None:
    bench = Bench(tmp_path, CLOSED)
    assert len(bench.listed("--sink", kind)) == len(POSTS)
    assert {each["sequence_number"] for each in bench.listed("--reason", "contract")} == set(GOOD)
    ended = bench.quarantine("replay", "--sink", kind, "--yes", "--output", "json")
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert (told["committed"], told["rejected"]) == (len(GOOD), len(BAD))
    assert bench.says("sql") == truth.says("sql")
    assert bench.says("parquet") == truth.says("parquet")
    left = bench.listed("--sink", kind)
    assert [each["sequence_number"] for each in left] == BAD
    assert {each["replays"] for each in left} == {1}
    assert len(bench.listed("--all")) == len(POSTS)
    assert audit_bridge(bench.config).holds
    assert bench.quarantine("replay", "--yes", "--sink", kind).exit_code == 0
    assert {each["replays"] for each in bench.listed("--sink", kind)} == {2}
    assert audit_bridge(bench.config).holds


def test_a_replay_is_shown_before_it_is_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path, CLOSED)
    ended = bench.quarantine("replay", "--reason", "contract", "--dry-run", "--output", "json")
    told = json.loads(ended.stdout)
    assert told["outcomes"] == {"committed": len(GOOD)}
    assert set(told["tables"]["account"]["new_columns"]) == {sink.name for sink in bench.config.sinks}
    assert "the table is new" in bench.quarantine("replay", "--dry-run", "--yes").stdout
    ended = bench.quarantine("replay")
    assert ended.exit_code == 78
    assert "--yes" in ended.output
    assert bench.says("sql") == {}
    assert bench.quarantine("replay", "--yes", "--limit", "3").exit_code == 0
    touched = bench.listed("--all")
    assert sum(each["cured"] for each in touched) + sum(each["replays"] for each in touched) == 3


def test_a_message_is_shown_whole(truth: Bench) -> None:
    number = BAD[0]
    shown = truth.quarantine("show", str(number)).stdout
    assert "Replayed now it would be rejected" in shown
    assert POSTS[number - 1].message_id in shown
    told = json.loads(truth.quarantine("show", str(number), "--output", "json").stdout)
    assert (told["sequence_number"], told["now"]["outcomes"]) == (number, {"rejected": 1})
    ended = truth.quarantine("show", "999")
    assert ended.exit_code == 78
    assert "No message with the number 999" in ended.output
    assert f"{len(BAD)} in quarantine" in truth.quarantine("list").stdout
