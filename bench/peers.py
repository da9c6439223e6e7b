"""Whole programs side by side: the bridge's batch path and what people write or run instead.

The same generated messages (JSON, 5 to 6 KB on average), from a file to zstd
Parquet, each program in a process of its own, in turn, pinned to one core.  The
others write a row for the Target and one for each image, as messages carry
them; the bridge merges these into one history row, with identity, order and
presence.  Cells are compared with an exact reference of the same rows.  The
others' packages are installed once into ``.cache/peers-venv``.

    python bench/peers.py --messages 20000 --rounds 5
    python bench/peers.py --only bridge pandas --messages 5000 --rounds 1
    python bench/peers.py --growth 300000 --rounds 3
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent / "peering"))

from comparing import Cells, changed, expected, expected_of_rows, found_in
from messages import Writer, schema

from cdsbridge.tables.metadata import load_metadata

HERE = Path(__file__).parent / "peering"
VENV = Path(__file__).parent.parent / ".cache" / "peers-venv"
PACKAGES = {
    "pandas": ["pandas", "pyarrow"],
    "dlt": ["dlt[filesystem,parquet]"],
    "polars": ["polars"],
    "duckdb": ["duckdb"],
    "spark": ["pyspark"],
}
PROGRAMS = {
    "bridge": "bridge.py",
    "pandas": "pandas_listener.py",
    "dlt": "dlt_rows.py",
    "polars": "polars_frames.py",
    "duckdb": "duckdb_sql.py",
    "beam": "beam_element.py",
    "spark": "spark_sql.py",
}
GOALS = {"pandas": 5.0, "dlt": 5.0, "beam": 5.0, "polars": 4.0, "duckdb": 1.0}
"""The bridge's messages a second over theirs."""

ATTRIBUTES = {
    "text": {"attribute_type": "String"},
    "choice": {"attribute_type": "Picklist"},
    "choices": {"attribute_type": "MultiSelectPicklist"},
    "lookup": {"attribute_type": "Lookup"},
    "boolean": {"attribute_type": "Boolean"},
    "money": {"attribute_type": "Money"},
    "integer": {"attribute_type": "Integer"},
    "decimal": {"attribute_type": "Decimal"},
    "double": {"attribute_type": "Double"},
    "instant": {"attribute_type": "DateTime", "date_time_behavior": "UserLocal"},
    "date": {"attribute_type": "DateTime", "date_time_behavior": "DateOnly"},
}
"""Kinds of columns as metadata says them."""

CONSOLE = Console(width=120)


@dataclass(frozen=True)
class Run:
    """What one run of a program took: seconds, CPU seconds, and bytes at most."""

    wall: float
    cpu: float
    peak: int


def main() -> int:
    """Run, print the tables, and fail if a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compared", type=int, default=2_000, help="messages whose cells are compared")
    parser.add_argument("--only", nargs="+", choices=list(PROGRAMS), help="some of the programs")
    parser.add_argument(
        "--growth", type=int, help="also compare the bridge at so many messages with --messages"
    )
    parser.add_argument("--examples", action="store_true", help="show cells that programs changed")
    given = parser.parse_args()
    names = [name for name in given.only or PROGRAMS if available(name)]
    with tempfile.TemporaryDirectory() as folder:
        data = written(Path(folder), given.messages)
        runs, cells = one_core(data, names, given.rounds, given.compared, given.examples)
        met = report(runs, cells, given.messages)
        if "bridge" in names:
            met &= two_workers(data, given.rounds, given.messages)
        if given.growth:
            met &= growth(Path(folder), data, given.growth, given.messages, given.rounds)
    return 0 if met else 1


def available(name: str) -> bool:
    """Install what a program needs; tell whether it can run here."""
    if name == "spark" and shutil.which("java") is None:
        CONSOLE.print("spark: left out, there is no Java here")
        return False
    if name not in PACKAGES:
        return True
    if not VENV.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    wanted = [package.partition("[")[0] for package in PACKAGES[name]]
    program = f"import {', '.join(wanted)}"
    if subprocess.run([VENV / "bin/python", "-c", program], capture_output=True, check=False).returncode == 0:
        return True
    install = [str(VENV / "bin/pip"), "install", "--quiet", *PACKAGES[name]]
    if subprocess.run(install, check=False).returncode:
        CONSOLE.print(f"{name}: left out, {' '.join(PACKAGES[name])} does not install here")
        return False
    return True


def written(folder: Path, messages: int) -> Path:
    """Write messages, metadata and kinds of columns; return their folder."""
    data = folder / f"data-{messages}"
    data.mkdir()
    sizes = []
    with (data / "messages.ndjson").open("wb") as file:
        for body in Writer(seed=7).messages(messages):
            file.write(body + b"\n")
            sizes.append(len(body))
    kinds = schema()
    (data / "schema.json").write_text(json.dumps(kinds))
    described = {
        table: {name: ATTRIBUTES[kind] for name, kind in columns.items()} for table, columns in kinds.items()
    }
    (data / "metadata.json").write_text(json.dumps(described))
    sizes.sort()
    shown = ", ".join(f"p{share}: {sizes[len(sizes) * share // 100]:,}" for share in (5, 25, 50, 75, 95, 99))
    CONSOLE.print(f"{len(sizes):,} messages, {sum(sizes) / len(sizes):,.0f} bytes on average ({shown})")
    return data


def run(name: str, data: Path, out: Path, cores: set[int], *more: str) -> Run:
    """Run a program by itself, on some cores."""
    shutil.rmtree(out, ignore_errors=True)
    python = VENV / "bin/python" if name in PACKAGES else sys.executable
    command = [python, HERE / PROGRAMS[name], data / "messages.ndjson", out, data / "schema.json", *more]
    environment = {
        **os.environ,
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    log = out.with_suffix(".log")
    start = time.monotonic()
    ours = os.sched_getaffinity(0)
    with log.open("wb") as errors:
        os.sched_setaffinity(0, cores)  # the program inherits it
        process = subprocess.Popen(
            [str(part) for part in command], env=environment, stdout=errors, stderr=errors
        )
        os.sched_setaffinity(0, ours)
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{name} failed:\n{log.read_text(errors='replace')[-2000:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def one_core(
    data: Path, names: list[str], rounds: int, compared: int, examples: bool
) -> tuple[dict[str, list[Run]], dict[str, tuple[int, str]]]:
    """Run all programs in turn; return their runs, and the cells each changed."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            runs[name].append(run(name, data, data / f"out-{name}", {0}))
    sent = data / "messages.ndjson"
    merged = expected(sent, compared, load_metadata(data / "metadata.json").types)
    rows = expected_of_rows(sent, compared, json.loads((data / "schema.json").read_text()))
    return runs, {
        name: compare(merged if name == "bridge" else rows, data / f"out-{name}", compared, examples)
        for name in names
    }


def compare(exact: Cells, out: Path, count: int, examples: bool) -> tuple[int, str]:
    """Return the cells a program changed or lost, and what they held."""
    wanted: dict[str, set[str]] = {}
    for table, _, _, column in exact:
        wanted.setdefault(table, set()).add(column)
    counts, some = changed(exact, found_in(out, count, wanted))
    for key, value, other in some if examples else ():
        CONSOLE.print(f"{out.name}: {key}: {value!r} became {other!r}")
    return sum(counts.values()), ", ".join(f"{name} {number}" for name, number in counts.most_common())


def report(runs: dict[str, list[Run]], cells: dict[str, tuple[int, str]], messages: int) -> bool:
    """Print the table of one core; tell whether the goals are met."""
    table = Table(
        title=f"one core, {messages:,} messages, medians of {len(next(iter(runs.values())))} rounds"
    )
    for name in (
        "program",
        "msgs/s",
        "msgs/CPU-s",
        "peak MB",
        "bridge ÷ it",
        "goal",
        "cells changed",
        "of what",
    ):
        table.add_column(name, justify="left" if name in {"program", "of what"} else "right")
    bridge = statistics.median(each.wall for each in runs.get("bridge", [])) if "bridge" in runs else None
    met = True
    for name, taken in runs.items():
        wall = statistics.median(each.wall for each in taken)
        cpu = statistics.median(each.cpu for each in taken)
        goal, ratio = GOALS.get(name), wall / bridge if bridge else None
        missed = goal is not None and ratio is not None and ratio < goal
        missed |= name == "bridge" and cells[name][0] > 0
        met &= not missed
        table.add_row(
            name,
            f"{messages / wall:,.0f}",
            f"{messages / cpu:,.0f}",
            f"{max(each.peak for each in taken) / 2**20:,.0f}",
            f"{ratio:.2f}" if ratio else "",
            f"{goal} {'MISSED' if missed else 'met'}" if goal else "",
            f"{cells[name][0]:,}",
            cells[name][1],
        )
    CONSOLE.print(table)
    return met


def two_workers(data: Path, rounds: int, messages: int) -> bool:
    """Run the bridge as one worker process and as two; tell whether two are 1.8 times one."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        CONSOLE.print("two workers: left out, there is one core here")
        return True
    ratios = []
    for _ in range(rounds):
        one = run("bridge", data, data / "out-one", {cores[0]}).wall
        ratios.append(one / both_halves(data, cores))
    ratio = statistics.median(ratios)
    CONSOLE.print(
        f"two worker processes on two cores: {ratio:.2f} x one ({messages:,} messages; rounds "
        f"{', '.join(f'{each:.2f}' for each in ratios)}); goal 1.8 {'met' if ratio >= 1.8 else 'MISSED'}"
    )
    return ratio >= 1.8


def both_halves(data: Path, cores: list[int]) -> float:
    """Return the seconds two processes take, half of the file each."""
    start = time.monotonic()
    children = []
    for share, core in enumerate(cores):
        pid = os.fork()
        if not pid:
            run("bridge", data, data / f"out-half-{share}", {core}, str(share), "2")
            os._exit(0)
        children.append(pid)
    for pid in children:
        if os.waitpid(pid, 0)[1]:
            raise SystemExit("a worker failed")
    return time.monotonic() - start


def growth(folder: Path, data: Path, many: int, few: int, rounds: int) -> bool:
    """Compare the bridge at many messages with few; tell whether memory and speed stay."""
    larger = written(folder, many)
    runs = {
        count: [run("bridge", where, where / "out-growth", {0}) for _ in range(rounds)]
        for count, where in ((few, data), (many, larger))
    }
    memory = {count: max(each.peak for each in taken) for count, taken in runs.items()}
    speed = {count: count / statistics.median(each.cpu for each in taken) for count, taken in runs.items()}
    grown, kept = memory[many] / memory[few], speed[many] / speed[few]
    CONSOLE.print(
        f"growth {few:,} to {many:,} messages: peak memory {memory[few] / 2**20:,.0f} to "
        f"{memory[many] / 2**20:,.0f} MB, x {grown:.2f} (goal 1.1 {'met' if grown <= 1.1 else 'MISSED'}); "
        f"messages a CPU second {speed[few]:,.0f} to {speed[many]:,.0f}, x {kept:.2f} "
        f"(goal 0.95 {'met' if kept >= 0.95 else 'MISSED'})"
    )
    return grown <= 1.1 and kept >= 0.95


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    raise SystemExit(main())
