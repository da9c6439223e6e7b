"""One measurement for ``bench/sinks.py``: commits of changes to a state of a given size, by one means.

python bench/stating.py delta 1000000 new
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import wide_rows

from cdsbridge.sinks import DeltaSink, SqlSink, ledger, quarantine
from cdsbridge.sinks.base import Flush, Sink, SinkWriter
from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.contract import Contracts
from cdsbridge.tables.state import StateChanges, state_changes

COMMITS = 5
CHANGED = 1_000
PIECE = 100_000


def changes(keys: Any, wave: int) -> StateChanges:
    rows = wide_rows.history(keys, wave)
    data = {"account": {**SYSTEM, **wide_rows.DATA}}
    return next(
        each for each in state_changes({"account": rows}, data, Contracts()) if each.schema.table == "account"
    )


def keys_of(change: str, size: int, turn: int) -> Any:
    if change == "new":
        return np.arange(size + turn * CHANGED, size + (turn + 1) * CHANGED)
    if change == "recent":
        return np.arange(size - CHANGED, size)
    return np.random.default_rng(turn).choice(size, CHANGED, replace=False)


def commit(writer: SinkWriter, said: StateChanges) -> None:
    empty = quarantine.SCHEMA.empty_table(), ledger.SCHEMA.empty_table()
    writer.commit(writer.stage(Flush({}, *empty, {said.schema.table: said}, now=wide_rows.NOW)))


def fill(sink: Sink, size: int) -> None:
    """Write a state of so many rows, a tenth at most in one commit."""
    with closing(sink.open()) as writer:
        for start in range(0, size, PIECE):
            said = changes(np.arange(start, min(size, start + PIECE)), 0)
            writer.prepare(said.schema)
            commit(writer, said)


def fill_merged(path: str, size: int) -> None:
    """Write the same rows into a plain Delta table."""
    from deltalake import write_deltalake  # noqa: PLC0415

    for start in range(0, size, PIECE):
        said = changes(np.arange(start, min(size, start + PIECE)), 0)
        write_deltalake(path, said.folded(said.schema.arrow().empty_table(), wide_rows.NOW), mode="append")


def by_bridge(sink: Sink, size: int, change: str) -> list[float]:
    """Return seconds of each commit of changes."""
    seconds = []
    with closing(sink.open()) as writer:
        for turn in range(COMMITS):
            said = changes(keys_of(change, size, turn), turn + 1)
            writer.prepare(said.schema)
            begun = time.perf_counter()
            commit(writer, said)
            seconds.append(time.perf_counter() - begun)
    return seconds


def by_merge(path: str, size: int, change: str) -> list[float]:
    """Return seconds of each merge of the same rows, guarded by the order: a row replaces an older row."""
    from deltalake import DeltaTable  # noqa: PLC0415

    seconds = []
    table = DeltaTable(path)
    for turn in range(COMMITS):
        said = changes(keys_of(change, size, turn), turn + 1)
        rows: pa.Table = said.folded(said.schema.arrow().empty_table(), wide_rows.NOW)
        begun = time.perf_counter()
        (
            table.merge(rows, "t.`Id` = s.`Id`", source_alias="s", target_alias="t")
            .when_matched_update_all("s.`_order` > t.`_order`")
            .when_not_matched_insert_all()
            .execute()
        )
        seconds.append(time.perf_counter() - begun)
    return seconds


def sink_of(by: str, folder: Path) -> Sink:
    """Return the sink measured."""
    if by == "delta":
        return DeltaSink(url=str(folder / "delta"))
    return SqlSink.model_validate({"url": f"{by}:///{folder}/rows.db"})


def work(by: str, size: int, change: str, folder: Path) -> None:
    """Fill, or measure and print."""
    path = str(folder / "merged")
    if change == "fill":
        fill_merged(path, size) if by == "merge" else fill(sink_of(by, folder), size)
        return
    run = by_merge(path, size, change) if by == "merge" else by_bridge(sink_of(by, folder), size, change)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": statistics.median(run), "peak": peak}))


def main() -> None:
    by, size, change, *place = sys.argv[1:]
    if place:
        work(by, int(size), change, Path(place[0]))
        return
    with tempfile.TemporaryDirectory(prefix="stating-") as folder:
        for what in ("fill", change):
            subprocess.run([sys.executable, __file__, by, size, what, folder], check=True)


if __name__ == "__main__":
    main()
