"""Messages from files go through the same graph: the same tables, bad lines in quarantine."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from verifying import parquet_folder, read_parquet, read_sqlite

from cdsbridge.emulator.dataverse import Organization, traffic
from cdsbridge.model.counters import counters
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.pipelines.audit import audit_bridge
from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.load import load_config
from cdsbridge.sinks import ArchiveSink, ParquetSink
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.content import Content, contents
from cdsbridge.sources.files.item import item_of
from cdsbridge.transforms.flattener import Flattener

CONFIG = """\
name: again
source:
  connection_string: "Endpoint=sb://localhost:1;SharedAccessKeyName=n;SharedAccessKey=SAS_KEY_VALUE;\
UseDevelopmentEmulator=true"
  entities: [dataverse]
sinks:
  - {{kind: parquet, url: {folder}/parquet}}
  - {{kind: sql, url: "sqlite:///{folder}/bridge.db"}}
state: {folder}/state
"""
POSTS = list(
    traffic(
        Organization(seed=12, start=datetime(2026, 3, 2, 8, tzinfo=UTC)),
        60,
        duplicates=0.2,
        poison=0.1,
        encodings=("json", "xml", "binary"),
    )
)
ENVELOPES = [
    Envelope(
        post.body,
        "dataverse",
        number,
        enqueued_at=1_790_000_000_000_000 + number,
        message_id=post.message_id,
        correlation_id=post.correlation_id,
        content_type=post.content_type,
        properties={key: str(value) for key, value in post.properties.items()},
        received_at=1_790_000_000_000_000,
    )
    for number, post in enumerate(POSTS, 1)
]


def bridge(folder: Path, *more: str) -> BridgeConfig:
    """Write a bridge whose Service Bus is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bridge.yaml").write_text(CONFIG.format(folder=folder))
    return load_config(folder / "bridge.yaml", more, environment={})


def backfill(folder: Path, *options: str | Path) -> Result:
    counters.reset()
    return CliRunner().invoke(app, ["backfill", str(folder / "bridge.yaml"), *map(str, options), "--quiet"])


def says(config: BridgeConfig) -> dict[str, Content]:
    sink = next(sink for sink in config.sinks if isinstance(sink, ParquetSink))
    with closing(sink.read()) as reader:
        return contents(reader, [table for table in reader.rows() if table.endswith("_history")])


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> BridgeConfig:
    """What a bridge made of the messages, with an archive beside its tables."""
    folder = tmp_path_factory.mktemp("first")
    config = bridge(folder)
    archive = ArchiveSink(url=str(folder / "archive"))
    config = config.model_copy(update={"sinks": (*config.sinks, archive)})
    with closing(Committer(config.sinks)) as committer:
        committer.add(Flattener().flatten(MicroBatch("dataverse", tuple(ENVELOPES))))
        committer.flush()
    return config


def lines(folder: Path) -> Path:
    path = folder / "exported.jsonl"
    path.write_bytes(b"".join(item_of(each) + b"\n" for each in ENVELOPES))
    return path


def test_files_give_the_tables_the_queue_gave(first: BridgeConfig, tmp_path: Path) -> None:
    config = bridge(tmp_path)
    ended = backfill(tmp_path, "--from", "files", lines(tmp_path), "--output", "json")
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert told["received"] == len(POSTS) == told["committed"] + told["rejected"] + told.get("skipped", 0)
    assert says(config) == says(first)
    assert audit_bridge(config).holds
    again = backfill(tmp_path, "--from", "files", lines(tmp_path))
    assert again.exit_code == 0
    assert says(config) == says(first)
    assert audit_bridge(config).holds


def test_an_archive_and_its_files_give_them_too(first: BridgeConfig, tmp_path: Path) -> None:
    archive = next(sink for sink in first.sinks if isinstance(sink, ArchiveSink))
    config = bridge(tmp_path / "files")
    ended = backfill(tmp_path / "files", archive.url, "--from", "files")
    assert ended.exit_code == 0, ended.output
    assert says(config) == says(first)
    bridge(tmp_path / "archive")
    sinks = (
        f"sinks=[{{kind: archive, url: {archive.url}}}, {{kind: parquet, url: {tmp_path}/archive/parquet}}]"
    )
    before = sorted(Path(archive.url).rglob("*"))
    ended = backfill(tmp_path / "archive", "--from", "archive", "--set", sinks)
    assert ended.exit_code == 0, ended.output
    assert says(bridge(tmp_path / "archive")) == says(first)
    assert sorted(Path(archive.url).rglob("*")) == before


def test_bad_lines_are_in_quarantine_with_file_and_line(tmp_path: Path) -> None:
    config = bridge(tmp_path)
    path = tmp_path / "some.jsonl"
    good = item_of(next(each for each, post in zip(ENVELOPES, POSTS, strict=True) if not post.poison))
    path.write_bytes(good + b'\n{"body_base64": "!"}\n' + b'{"body": "hello", "sequence_number": 7}\nsalad\n')
    ended = backfill(tmp_path, "--from", "files", path, "--output", "json")
    assert ended.exit_code == 0, ended.output
    assert {name: json.loads(ended.stdout)[name] for name in ("committed", "rejected")} == {
        "committed": 1,
        "rejected": 3,
    }
    columns = ("entity", "sequence_number", "sentence", "properties", "body")
    found = sorted(read_sqlite(config, "_quarantine", *columns), key=lambda row: row["sentence"])
    assert found == sorted(
        read_parquet(parquet_folder(config) / "_quarantine", columns), key=lambda row: row["sentence"]
    )
    assert [(row["entity"], row["sequence_number"], row["properties"]) for row in found] == [
        (str(path), 2, "{}"),
        (str(path), 7, "{}"),
        (str(path), 4, "{}"),
    ]
    assert found[0]["sentence"].startswith(f"{path}:2 is no message: body_base64 is not base64")
    assert found[1]["sentence"].startswith(f"{path}:3: ")
    assert found[2]["body"] == b"salad"


def test_what_cannot_be_read_at_all_is_told_before_anything_is_written(tmp_path: Path) -> None:
    bridge(tmp_path)
    for options, told in (
        (("--from", "files"), "name the files"),
        (("--from", "files", tmp_path / "nowhere"), "cannot be read"),
        (("--from", "nonsense"), "queue, dlq, archive or files"),
        ((tmp_path / "some.jsonl",), "--from files"),
        (("--from", "archive"), "0 archives"),
    ):
        ended = backfill(tmp_path, *options)
        assert ended.exit_code == 78
        assert told in ended.output
    assert not (tmp_path / "bridge.db").exists()


def test_a_file_that_is_no_parquet_after_all_is_told(tmp_path: Path) -> None:
    bridge(tmp_path)
    path = tmp_path / "some.parquet"
    path.write_bytes(b"PAR1 and no more")
    ended = backfill(tmp_path, "--from", "files", path)
    assert ended.exit_code == 78
    assert "cannot be read as Parquet" in ended.output


@pytest.mark.parametrize("point", ["flattened", "all_written"])
def test_a_killed_backfill_is_begun_again(first: BridgeConfig, tmp_path: Path, point: str) -> None:
    config = bridge(tmp_path)
    command = [sys.executable, "-m", "cdsbridge.pipelines.cli", "backfill", str(tmp_path / "bridge.yaml")]
    killed = subprocess.run(
        [*command, str(lines(tmp_path)), "--from", "files", "--quiet"],
        env={**os.environ, "CDSBRIDGE_FAILPOINT": f"{point}:kill@1"},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert backfill(tmp_path, "--from", "files", lines(tmp_path)).exit_code == 0
    assert says(config) == says(first)
    assert audit_bridge(config).holds
