"""Rows a second into each sink, beside what a user would otherwise write, on the same rows in one run.

Histories: the bridge's writer against SQLAlchemy's executemany with the
same insert-if-absent, and dlt's merge.  States: the bridge's fold and
replacement of 1,000 rows in tables of 10,000, 100,000 and 1,000,000, against
``DeltaTable.merge``, each in a process of its own, with its peak memory.  All
take turns in every round; medians count.  Exits with 1 where a goal is missed.

    python bench/sinks.py                         every part, some 25 minutes
    python bench/sinks.py histories --sinks postgresql duckdb --rows 20000
    python bench/sinks.py states --sizes 10000 100000
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
import wide_rows
from crashes import places
from rich import box
from rich.console import Console
from rich.table import Table

from cdsbridge.sinks import SqlSink, ledger, quarantine
from cdsbridge.sinks.base import Flush, Sink
from cdsbridge.sinks.sql.types import column_type, python_values

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "peering"))

from running import VENV, Program, unavailable  # noqa: E402

FLUSH = 10_000
"""Rows in one commit of a history."""
CHANGED = 1_000
"""Rows in one commit of a state."""
EXECUTEMANY = 20_000
"""Rows given to executemany at most: it is slow, and its rate does not change."""
GOALS = {("postgresql", "executemany"): 5.0}
"""How many times another's rows a second the bridge is to reach in histories."""
DUCKDB_RATE = 50_000
"""Rows a second the bridge is to reach in DuckDB."""
STATE_SPEED, STATE_MEMORY = 5.0, 0.5
"""How much faster than merge, and in what share of its memory, new rows go into the largest state."""


def histories(arguments: argparse.Namespace) -> list[str]:
    """Measure histories; return what misses its goal."""
    rates: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    rows = wide_rows.history(np.arange(arguments.rows), 0)
    number = 0
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="sinks-") as root:
        makers = places(arguments.sinks, stack)
        parquet = Path(root, "rows.parquet")
        pq.write_table(rows, parquet)
        for turn in range(arguments.rounds):
            for name, made in makers.items():
                for peer, write in peers(name, parquet).items():
                    number += 1
                    folder = Path(root, f"{name}-{number}")
                    folder.mkdir()
                    some = rows if peer == "bridge" else rows.slice(0, EXECUTEMANY)
                    rates[name][peer].append(write(made(folder, f"bench_{number}"), some, folder))
            print(f"round {turn + 1} of {arguments.rounds} is done", file=sys.stderr, flush=True)
    return show_histories(rates)


def peers(name: str, parquet: Path) -> dict[str, Callable[[Sink, pa.Table, Path], float]]:
    found: dict[str, Callable[[Sink, pa.Table, Path], float]] = {"bridge": bridge}
    if name in {"sqlite", "postgresql", "mariadb", "duckdb"}:
        found["executemany"] = executemany
    if name in {"postgresql", "duckdb"}:
        found["dlt merge"] = lambda sink, _, folder: dlt_merge(name, sink, parquet, folder)
    return found


def bridge(sink: Sink, rows: pa.Table, _: Path) -> float:
    """Return rows a second through the sink's writer, a commit for each flush."""
    with closing(sink.open()) as writer:
        writer.prepare(wide_rows.SCHEMA)
        begun = time.perf_counter()
        for start in range(0, rows.num_rows, FLUSH):
            tables = {wide_rows.HISTORY: rows.slice(start, FLUSH)}
            empty = quarantine.SCHEMA.empty_table(), ledger.SCHEMA.empty_table()
            writer.commit(writer.stage(Flush(tables, *empty, now=wide_rows.NOW)))
        return rows.num_rows / (time.perf_counter() - begun)


def executemany(sink: Sink, rows: pa.Table, _: Path) -> float:
    """Return rows a second through SQLAlchemy's executemany: insert where the event is absent."""
    assert isinstance(sink, SqlSink)
    if sink.url.get_secret_value().startswith("duckdb"):
        rows = rows.slice(0, 500)
    sink.open().close()
    engine = sa.create_engine(
        sink.url.get_secret_value()
        .replace("postgresql:", "postgresql+psycopg:")
        .replace("mysql:", "mysql+pymysql:")
    )
    table = sa.Table(
        "plain_history",
        sa.MetaData(),
        *(
            sa.Column(name, column_type(name, kind, key=name == "_event_id"), primary_key=name == "_event_id")
            for name, kind in wide_rows.SCHEMA.columns.items()
        ),
    )
    with engine.begin() as connection:
        table.create(connection)
    columns = [python_values(rows.column(name)) for name in rows.column_names]
    begun = time.perf_counter()
    names = [column.name for column in table.columns]
    given = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    statement = _insert_absent(engine, table)
    for start in range(0, len(given), FLUSH):
        with engine.begin() as connection:
            connection.execute(statement, given[start : start + FLUSH])
    seconds = time.perf_counter() - begun
    engine.dispose()
    return rows.num_rows / seconds


def _insert_absent(engine: sa.Engine, table: sa.Table) -> sa.Insert:
    from sqlalchemy.dialects import mysql, postgresql, sqlite  # noqa: PLC0415

    if engine.dialect.name in {"mysql", "mariadb"}:
        return mysql.insert(table).prefix_with("IGNORE")
    if engine.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def dlt_merge(name: str, sink: Sink, parquet: Path, folder: Path) -> float:
    """Return rows a second of dlt's merge by the event id, in a process of its own; 0 without it."""
    program = Program("dlt_merge.py", ("dlt",))
    if why := unavailable(program):
        print(f"dlt is left out: {why}", file=sys.stderr)
        return 0.0
    assert isinstance(sink, SqlSink)
    url = sink.url.get_secret_value()
    sink.open().close()
    command = [
        str(VENV / "bin/python"),
        str(HERE / "peering/dlt_merge.py"),
        name,
        url,
        str(parquet),
        str(folder),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        print(f"dlt is left out: {ended.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 0.0
    return float(ended.stdout.strip().splitlines()[-1])


def show_histories(rates: dict[str, dict[str, list[float]]]) -> list[str]:
    missed = []
    table = Table(box=box.SIMPLE_HEAD, title="histories, rows a second", title_justify="left")
    for name in ("sink", "by", "rows/s", "lowest", "highest", "bridge over it", "goal"):
        table.add_column(name, justify="left" if name in {"sink", "by"} else "right")
    for sink, found in rates.items():
        ours = statistics.median(found["bridge"])
        for peer, values in found.items():
            if not any(values):
                continue
            median = statistics.median(values)
            goal = GOALS.get((sink, peer))
            aim = f"{goal}" if goal else f"{DUCKDB_RATE:,}/s" if (sink, peer) == ("duckdb", "bridge") else ""
            table.add_row(
                sink,
                peer,
                f"{median:,.0f}",
                f"{min(values):,.0f}",
                f"{max(values):,.0f}",
                f"{ours / median:.1f}",
                aim,
            )
            if goal and ours < goal * median:
                missed.append(f"{sink}: {ours / median:.1f} x {peer}, not {goal}")
        if sink == "duckdb" and ours < DUCKDB_RATE:
            missed.append(f"duckdb: {ours:,.0f} rows/s, not {DUCKDB_RATE:,}")
    Console(width=110).print(table)
    return missed


def states(arguments: argparse.Namespace) -> list[str]:
    """Measure states in processes of their own; return what misses its goal."""
    table = Table(box=box.SIMPLE_HEAD, title=f"states, {CHANGED:,} rows a commit", title_justify="left")
    for name in (
        "rows there",
        "rows changed",
        "by",
        "seconds",
        "peak MB",
        "others' / ours",
        "others' MB / ours",
    ):
        table.add_column(name, justify="left" if name == "by" else "right")
    missed = []
    for size in arguments.sizes:
        for change in ("new", "recent", "scattered"):
            found: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for _ in range(arguments.rounds):
                for by in arguments.by:
                    found[by].append(state_of(by, size, change))
            ours = [statistics.median(part) for part in zip(*found["delta"], strict=True)]
            for by, runs in found.items():
                seconds, peak = (statistics.median(part) for part in zip(*runs, strict=True))
                ratios = (f"{seconds / ours[0]:.1f}", f"{peak / ours[1]:.1f}") if by != "delta" else ("", "")
                table.add_row(f"{size:,}", change, by, f"{seconds:.3f}", f"{peak / 1e6:,.0f}", *ratios)
                if by == "merge" and change == "new" and size == max(arguments.sizes) and size >= 1_000_000:
                    if seconds < STATE_SPEED * ours[0]:
                        missed.append(
                            f"new rows: {seconds / ours[0]:.1f} x faster than merge, not {STATE_SPEED}"
                        )
                    if ours[1] > STATE_MEMORY * peak:
                        missed.append(f"new rows: {ours[1] / peak:.2f} of merge's memory, not {STATE_MEMORY}")
    Console(width=110).print(table)
    return missed


def state_of(by: str, size: int, change: str) -> tuple[float, float]:
    """Return median seconds of a commit and peak bytes, of a process that does nothing else."""
    command = [sys.executable, str(HERE / "stating.py"), by, str(size), change]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}: {ended.stderr[-2000:]}")
    told = json.loads(ended.stdout.strip().splitlines()[-1])
    return told["seconds"], told["peak"]


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="?", choices=["all", "histories", "states"], default="all")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--sinks",
        nargs="+",
        default=["parquet", "sqlite", "postgresql", "mariadb", "duckdb", "delta", "delta-azurite"],
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--by", nargs="+", default=["delta", "merge", "sqlite"])
    arguments = parser.parse_args(given)
    missed = []
    if arguments.part in {"all", "histories"}:
        missed += histories(arguments)
    if arguments.part in {"all", "states"}:
        missed += states(arguments)
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
