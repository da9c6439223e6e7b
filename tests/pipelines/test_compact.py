"""The commands that keep the files of sinks few."""

import json
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cdsbridge.pipelines.audit import audit_bridge
from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.compact import compact_sinks
from cdsbridge.pipelines.load import load_config
from cdsbridge.sinks import ArchiveSink, DeltaSink

from .test_rebuild import ENVELOPES, bridge, parquet_says, receive, sqlite_says


def command(name: str, *arguments: object) -> Result:
    return CliRunner().invoke(app, [name, *map(str, arguments)])


def compacted(conf: Path, *arguments: object) -> dict[tuple[str, str], Any]:
    ended = command("compact", conf, "--grace", 0, "--output", "json", *arguments)
    assert ended.exit_code == 0, ended.output
    return {(Path(each["sink"]).name, each["table"]): each for each in json.loads(ended.stdout)["tables"]}


def files_in(folder: Path) -> int:
    return len(list(folder.rglob("*.parquet")))


@pytest.mark.parametrize("name", ["compact", "rebuild", "vacuum"])
def test_every_command_has_help_with_an_example(name: str) -> None:
    ended = command(name, "--help")
    assert ended.exit_code == 0
    assert f"Example: cdsbridge {name}" in ended.output


def test_the_files_of_every_sink_become_few_and_say_the_same(tmp_path: Path) -> None:
    config = bridge(tmp_path)
    receive(config, ENVELOPES)
    before, files = parquet_says(config), files_in(tmp_path)
    done = compacted(tmp_path / "bridge.yaml")
    assert parquet_says(config) == before == {table: before[table] for table in sqlite_says(config)}
    assert files_in(tmp_path) < files / 2
    assert audit_bridge(config).holds
    assert ("archive", "_archive") in done
    assert {table for sink, table in done if sink == "parquet"} == {*before, "_ledger", "_quarantine"}
    ledger = done["parquet", "_ledger"]
    assert 0 < ledger["files_after"] < ledger["files_before"] == ledger["merged"]
    assert 0 < ledger["bytes_after"] < ledger["bytes_before"]
    assert all(
        each["files_after"] == each["files_before"] for each in compacted(tmp_path / "bridge.yaml").values()
    )


def test_looking_only_tells_what_would_be_merged(tmp_path: Path) -> None:
    receive(bridge(tmp_path), ENVELOPES)
    files = files_in(tmp_path)
    done = compacted(tmp_path / "bridge.yaml", "--dry-run", "--table", "account", "--sink", "parquet")
    assert files_in(tmp_path) == files
    ((place, found),) = done.items()
    assert place == ("parquet", "account_history")
    assert found["merged"] > 1
    assert found["files_after"] == found["files_before"]


def test_what_was_saved_is_printed(tmp_path: Path) -> None:
    receive(bridge(tmp_path), ENVELOPES)
    ended = command("compact", tmp_path / "bridge.yaml", "--grace", 0)
    first, *_, last = ended.stdout.splitlines()
    assert first.startswith(f"{tmp_path}/archive: _archive: ")
    assert " are " in first
    assert " saved" in first
    assert last.startswith("built: ")
    assert " bytes saved; " in last


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--table", "nonsense"], "--table nonsense: no Parquet sink has it; there are _archive, _ledger"),
        (["--sink", "delta"], "--sink delta: name a sink by its name or kind"),
    ],
)
def test_what_is_not_there_cannot_be_compacted(tmp_path: Path, arguments: list[str], told: str) -> None:
    receive(bridge(tmp_path), ENVELOPES[:20])
    ended = command("compact", tmp_path / "bridge.yaml", *arguments)
    assert ended.exit_code == 78
    assert told in ended.stderr


def test_a_bridge_without_files_has_nothing_to_compact(tmp_path: Path) -> None:
    bridge(tmp_path)
    for name in ("compact", "vacuum"):
        ended = command(name, tmp_path / "bridge.yaml", "--sink", "sql")
        assert ended.exit_code == 0
        assert "built: no sink" in ended.stdout


def test_beside_a_bridge_at_work_nothing_is_lost(tmp_path: Path) -> None:
    config, undisturbed = bridge(tmp_path / "first"), bridge(tmp_path / "second")
    receive(undisturbed, ENVELOPES)
    sinks = [sink for sink in config.sinks if not isinstance(sink, ArchiveSink)]
    working = threading.Thread(target=receive, args=(config, ENVELOPES))
    rounds = 0
    working.start()
    while working.is_alive():
        list(compact_sinks(sinks, (), dry_run=False, grace=0))
        rounds += 1
    working.join()
    assert rounds > 1
    assert parquet_says(config) == parquet_says(undisturbed)
    assert audit_bridge(config).holds
    done = list(compact_sinks(sinks, (), dry_run=False, grace=0))
    assert max(each.files_after for each in done) <= 20
    assert audit_bridge(config).holds


def lake(folder: Path) -> Path:
    """Lay a bridge into a Delta lake, and let it work."""
    folder.mkdir(parents=True, exist_ok=True)
    bridge(folder)
    conf = folder / "bridge.yaml"
    text = conf.read_text()
    conf.write_text(f"{text[: text.index('sinks:')]}sinks: [{{kind: delta, url: {folder}/lake}}]\n")
    receive(load_config(conf, environment={}), ENVELOPES[:40])
    return conf


def test_a_delta_lake_is_compacted_and_vacuumed(tmp_path: Path) -> None:
    conf = lake(tmp_path)
    config = load_config(conf, environment={})
    done = compacted(conf)
    assert any(each["files_after"] < each["files_before"] for each in done.values())
    assert audit_bridge(config).holds
    files = files_in(tmp_path)
    looked = json.loads(
        command("vacuum", conf, "--dry-run", "--retention-hours", 0, "--force", "--output", "json").stdout
    )
    (tables,) = looked["sinks"].values()
    assert sum(map(len, tables.values())) > 0
    assert files_in(tmp_path) == files
    assert command("vacuum", conf).exit_code == 0
    assert files_in(tmp_path) == files
    refused = command("vacuum", conf, "--retention-hours", 1)
    assert refused.exit_code == 78
    swept = command("vacuum", conf, "--retention-hours", 0, "--force")
    assert swept.exit_code == 0
    assert " files removed" in swept.stdout
    assert files_in(tmp_path) < files
    (sink,) = config.sinks
    assert isinstance(sink, DeltaSink)
    with closing(sink.read()) as reader:
        assert reader.rows()["account_history"] > 0


def test_a_delta_table_cannot_be_looked_at_only(tmp_path: Path) -> None:
    conf = lake(tmp_path)
    for arguments in (["--dry-run"], ["--table", "account"]):
        ended = command("compact", conf, *arguments)
        assert ended.exit_code == 78
        assert "leave out --table and --dry-run" in ended.stderr
