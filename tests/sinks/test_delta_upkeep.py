"""Compaction and vacuum of Delta tables, with a bridge beside them."""

import os
import time
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from obstore.store import LocalStore

from cdsbridge.model.errors import ConfigError, SinkUnavailable
from cdsbridge.sinks.base import Claim, Flush
from cdsbridge.sinks.delta import upkeep as delta_upkeep
from cdsbridge.sinks.delta.errors import Raced
from cdsbridge.sinks.delta.table import Table
from cdsbridge.sinks.delta.upkeep import WEEK, Compacted, compact, vacuum
from cdsbridge.sinks.testing.history import (
    NO_ENDINGS,
    NO_REJECTS,
    TABLE,
    commit,
    ending,
    endings,
    opened,
    rows_for,
    schema_with,
)

from .delta_log import replay
from .places import DeltaPlace

SCHEMA = schema_with(name=pa.string())


@pytest.fixture
def place(tmp_path: Path) -> DeltaPlace:
    return DeltaPlace(tmp_path)


def fill(place: DeltaPlace, count: int) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        for number in range(count):
            rows = rows_for(SCHEMA, [f"e{number}-0"], {"name": [f"N{number}"]}, sent=10 + number)
            commit(writer, Flush({TABLE: rows}, NO_REJECTS, endings(ending(number))))


def age(place: DeltaPlace, hours: float) -> None:
    """Make every data file as old as if it had been written some hours ago."""
    instant = time.time() - hours * 3_600
    for path in place.root.rglob("*.parquet"):
        os.utime(path, (instant, instant))


def test_small_files_are_joined_and_the_rows_are_the_same(place: DeltaPlace) -> None:
    fill(place, 12)
    before = place.rows(TABLE)
    done = {each.table: each for each in compact(place.sink)}
    assert done[TABLE] == Compacted(TABLE, 12, 1, 0)
    assert done["_ledger"] == Compacted("_ledger", 12, 1, 0)
    assert done["_quarantine"] == Compacted("_quarantine", 0, 0, 0)
    assert place.rows(TABLE) == before
    log = replay(LocalStore(place.root), TABLE)
    assert log.protocol == (1, 2)
    assert "_occurred_at" in next(iter(log.files.values()))["stats"]
    assert list((place.root / TABLE / "_delta_log").glob(f"*{len(log.commits) - 1}.checkpoint.parquet"))


def test_compacting_twice_is_compacting_once(place: DeltaPlace) -> None:
    fill(place, 3)
    compact(place.sink)
    commits = len(replay(LocalStore(place.root), TABLE).commits)
    assert {each.files_before for each in compact(place.sink) if each.table == TABLE} == {1}
    assert len(replay(LocalStore(place.root), TABLE).commits) == commits


def test_a_bridge_goes_on_over_joined_files(place: DeltaPlace) -> None:
    fill(place, 3)
    with closing(place.sink.open(Claim("one", "bridge one"))) as writer:
        writer.prepare(SCHEMA)
        for number in (3, 1):
            rows = rows_for(SCHEMA, [f"e{number}-0", "e0-0"], sent=number)
            commit(writer, Flush({TABLE: rows}, NO_REJECTS, endings(ending(number))))
            compact(place.sink)
    assert [(row["_event_id"], row["_sequence_number"]) for row in place.rows(TABLE)] == [
        ("e0-0", 2),
        ("e1-0", 1),
        ("e2-0", 12),
        ("e3-0", 3),
    ]
    assert len(place.rows("_ledger")) == 4


def test_repeats_that_another_wrote_are_taken_out_and_the_first_post_stays(place: DeltaPlace) -> None:
    fill(place, 3)
    path = str(place.root / TABLE)
    for sent in (4, 40):
        write_deltalake(path, rows_for(SCHEMA, ["e1-0"], {"name": ["N1"]}, sent=sent), mode="append")
    assert len(place.rows(TABLE)) == 5
    assert {each.repeats for each in compact(place.sink) if each.table == TABLE} == {2}
    assert [row["_sequence_number"] for row in place.rows(TABLE)] == [10, 4, 12]


def test_a_join_that_meets_a_commit_is_made_again(place: DeltaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(place, 4)
    join = delta_upkeep._join
    met: list[str] = []

    def late(table: Table) -> None:
        if table.name == TABLE and not met:
            met.append(table.name)
            table.refresh()
            with opened(place) as writer, monkeypatch.context() as patch:
                patch.setattr(table, "refresh", lambda: True)
                rows = rows_for(SCHEMA, ["e1-0"], sent=1)
                commit(writer, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
                try:
                    join(table)
                except Raced:
                    met.append("came late")
                    raise
        join(table)

    monkeypatch.setattr(delta_upkeep, "_join", late)
    compact(place.sink)
    assert met == [TABLE, "came late"]
    assert [row["_sequence_number"] for row in place.rows(TABLE)] == [10, 1, 12, 13]


def test_a_bridge_that_never_rests_is_told_of(place: DeltaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(place, 2)
    monkeypatch.setattr(DeltaTable, "optimize", property(_always_late))
    with pytest.raises(SinkUnavailable, match="keeps changing the same files"):
        compact(place.sink)


def _always_late(table: DeltaTable) -> object:
    raise Raced("another came first")


def test_vacuum_deletes_what_no_table_needs_and_nothing_else(place: DeltaPlace) -> None:
    fill(place, 3)
    orphan = place.root / TABLE / "left-by-a-dead-process.parquet"
    orphan.write_bytes(b"no matter")
    compact(place.sink)
    before = place.rows(TABLE)
    assert [each.files for each in vacuum(place.sink, retention_hours=200)] == [()] * 3
    age(place, 200)
    told = vacuum(place.sink, dry_run=True)
    assert orphan.exists()
    done = {each.table: each.files for each in vacuum(place.sink, retention_hours=0, force=True)}
    assert orphan.name in done[TABLE]
    assert len(done[TABLE]) == 4
    assert {each.table for each in told} == {"_ledger", "_quarantine", TABLE}
    assert not orphan.exists()
    assert place.rows(TABLE) == before
    assert len(list((place.root / TABLE).glob("*.parquet"))) == 1


def test_an_orphan_of_a_week_is_deleted_without_force(place: DeltaPlace) -> None:
    fill(place, 1)
    orphan = place.root / TABLE / "left-by-a-dead-process.parquet"
    orphan.write_bytes(b"no matter")
    vacuum(place.sink)
    assert orphan.exists()
    age(place, WEEK + 1)
    (done,) = (each for each in vacuum(place.sink) if each.table == TABLE)
    assert done.files == (orphan.name,)
    assert len(place.rows(TABLE)) == 1


def test_vacuum_of_less_than_a_week_must_be_forced(place: DeltaPlace) -> None:
    with pytest.raises(ConfigError, match="at least 168 hours"):
        vacuum(place.sink, retention_hours=167.9)
    assert vacuum(place.sink, retention_hours=1, force=True) == []


def test_upkeep_of_an_empty_place_does_nothing(place: DeltaPlace) -> None:
    assert compact(place.sink) == []
    assert vacuum(place.sink) == []
