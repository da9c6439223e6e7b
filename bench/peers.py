"""Whole programs side by side: the bridge's batch path and what people write or run instead.

The same generated messages, from a file to zstd Parquet, each program in a
process of its own.  The job of all: one row for each Create, Update and Delete,
its columns from the pre image of a Delete, the Target and the post image, the
later wins.  The bridge also writes identity, order, presence, a ledger, and rows
for the other messages; the others do not.  Programs take turns, pinned to one
core; every cell of the first messages is compared with an exact reference
(``peering/exact.py``).  The others' packages are installed once into
``.cache/peers-venv``.

    python bench/peers.py
    python bench/peers.py --messages 100000 --rounds 3 --only bridge "duckdb, best"
    python bench/peers.py --only bridge pandas polars --messages 5000 --rounds 1 --examples
    python bench/peers.py --tables growth --rounds 3
    python bench/peers.py --folder /var/tmp/peers --keep
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent / "peering"))

from columns import described, schema
from messages import Writer
from running import HERE, PROGRAMS, Run, command, run, unavailable

TWO_WORKERS = 1.8
"""Times the messages a second of one process, at least."""

MEMORY = 1.1
"""Times the peak memory of fewer messages, at most."""

SPEED = 0.95
"""Times the messages a second of fewer messages, at least."""

BRIDGE = "bridge"
CONSOLE = Console(width=130, highlight=False)


def main() -> int:
    """Run, print the tables, and fail if a goal is missed."""
    given = _arguments()
    with nullcontext(given.folder) if given.folder else tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        data = written(where, given.messages)
        met = True
        if "programs" in given.tables:
            met &= programs(data, given)
        if "workers" in given.tables:
            met &= two_workers(data, given.rounds, given.messages)
        if "growth" in given.tables:
            larger = written(where, given.growth)
            met &= growth({given.messages: data, given.growth: larger}, given.rounds)
            if not given.keep:
                (larger / "messages.ndjson").unlink()
        if given.folder and not given.keep:
            (data / "messages.ndjson").unlink()
    CONSOLE.print("every goal is met" if met else "not every goal is met")
    return 0 if met else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(PROGRAMS), help="some of the programs")
    parser.add_argument(
        "--tables", nargs="+", choices=["programs", "workers", "growth"], default=["programs", "workers"]
    )
    parser.add_argument("--growth", type=int, default=300_000, help="messages of the growth table")
    parser.add_argument("--compared", type=int, default=2_000, help="messages whose cells are compared")
    parser.add_argument("--examples", action="store_true", help="show cells that programs changed")
    parser.add_argument("--folder", type=Path, help="where messages and tables go, else a temporary folder")
    parser.add_argument("--keep", action="store_true", help="leave the messages there, for the next run")
    return parser.parse_args()


def written(folder: Path, messages: int) -> Path:
    """Write messages and kinds of columns, if they are not there; return their folder."""
    data = folder / f"data-{messages}"
    data.mkdir(exist_ok=True)
    kinds = schema()
    (data / "schema.json").write_text(json.dumps(kinds))
    (data / "metadata.json").write_text(json.dumps(described(kinds)))
    path = data / "messages.ndjson"
    if not path.exists():
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.writelines(body + b"\n" for body in Writer(seed=7).messages(messages))
        part.rename(path)
    with path.open("rb") as file:
        sizes = sorted(len(line) - 1 for line in file)
    shown = ", ".join(
        f"p{share} {sizes[len(sizes) * share // 100]:,}" for share in (5, 25, 50, 75, 90, 95, 99)
    )
    mean = sum(sizes) / len(sizes)
    CONSOLE.print(f"{len(sizes):,} messages, bytes: mean {mean:,.0f}, {shown}, max {sizes[-1]:,}")
    return data


def programs(data: Path, given: argparse.Namespace) -> bool:
    """Run all programs in turn and print their table; tell whether the goals are met."""
    names = [name for name in given.only or PROGRAMS if _runs_here(name)]
    core = min(os.sched_getaffinity(0))
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(given.rounds):
        for name in names:
            words = command(PROGRAMS[name], data, _out(data, name))
            runs[name].append(run([(words, core)], _out(data, name).with_suffix(".log")))
    cells = {name: compared(data, name, given.compared) for name in names}
    title = f"one core, {given.messages:,} messages, medians of {given.rounds} rounds in turn"
    met = report(title, runs, cells, given.messages)
    for name in names if given.examples else ():
        for example in cells[name]["examples"]:
            CONSOLE.print(f"{name}: {example}", markup=False)
    return met


def _runs_here(name: str) -> bool:
    why = unavailable(PROGRAMS[name])
    if why:
        CONSOLE.print(f"{name}: left out, {why}")
    return why is None


def _out(data: Path, name: str) -> Path:
    return data / f"out-{name.replace(',', '').replace(' ', '-')}"


def compared(data: Path, name: str, count: int) -> dict[str, Any]:
    """Return how many cells were compared, how many differ by kind, and examples."""
    words = [sys.executable, HERE / "comparing.py", data / "messages.ndjson", _out(data, name)]
    told = subprocess.run([*map(str, words), str(data / "schema.json"), str(count)], stdout=-1, check=True)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def report(
    title: str, runs: Mapping[str, Sequence[Run]], cells: Mapping[str, dict[str, Any]], messages: int
) -> bool:
    """Print the table of the programs; tell whether the goals are met."""
    total = max(found["compared"] for found in cells.values())
    table = Table(title=title)
    table.add_column("program")
    ratios = ("bridge / it", "by CPU", "goal")
    for name in ("msgs/s", "msgs/CPU s", "peak MB", *ratios, f"cells changed of {total:,}"):
        table.add_column(name, justify="right")
    table.add_column("of what")
    met = True
    for name, taken in runs.items():
        goal, ratio, by_cpu = PROGRAMS[name].goal, *_ratios(taken, runs.get(BRIDGE))
        reached = goal is None or ratio is None or ratio >= goal
        differ = sum(number for _, number in cells[name]["differ"])
        exact = not name.startswith(BRIDGE) or not differ
        met &= reached and exact
        table.add_row(
            name,
            f"{messages / statistics.median(each.wall for each in taken):,.0f}",
            f"{messages / statistics.median(each.cpu for each in taken):,.0f}",
            f"{max(each.peak for each in taken) / 2**20:,.0f}",
            f"{ratio:.2f}" if ratio else "",
            f"{by_cpu:.2f}" if by_cpu else "",
            f"{goal:.1f} {_said(reached)}" if goal and ratio else "",
            f"{differ:,}" if not name.startswith(BRIDGE) else f"{differ:,} (goal 0 {_said(exact)})",
            ", ".join(f"{kind} {number}" for kind, number in cells[name]["differ"]),
        )
    CONSOLE.print(table)
    return met


def _ratios(theirs: Sequence[Run], ours: Sequence[Run] | None) -> tuple[float | None, float | None]:
    """Return how many times faster the bridge is, by the medians of wall time and of CPU time.

    Where others use the machine too, the second says more.
    """
    if not ours:
        return None, None
    wall = statistics.median(each.wall for each in theirs) / statistics.median(each.wall for each in ours)
    return wall, statistics.median(each.cpu for each in theirs) / statistics.median(each.cpu for each in ours)


def _said(met: bool) -> str:
    return "met" if met else "NOT MET"


def two_workers(data: Path, rounds: int, messages: int) -> bool:
    """Run the bridge as one process and as two, in turn; tell whether two are fast enough."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        CONSOLE.print("two workers: left out, there is one core here")
        return True
    bridge, log = PROGRAMS[BRIDGE], data / "workers.log"
    halves = [
        (command(bridge, data, data / f"out-half-{n}", f"{n}", "2"), core) for n, core in enumerate(cores)
    ]
    one: list[Run] = []
    two: list[Run] = []
    for _ in range(rounds):
        one.append(run([(command(bridge, data, data / "out-whole"), cores[0])], log))
        two.append(run(halves, log))
    ratio = statistics.median(each.wall for each in one) / statistics.median(each.wall for each in two)
    table = _plain_table(
        f"worker processes of the bridge, {messages:,} messages, medians of {rounds} rounds in turn"
    )
    for name, taken in (("one process, one core", one), ("two processes, two cores", two)):
        _add_plain(table, name, taken, messages)
    CONSOLE.print(table)
    reached = ratio >= TWO_WORKERS
    CONSOLE.print(f"two processes / one: {ratio:.2f}, goal {TWO_WORKERS} {_said(reached)}")
    return reached


def growth(folders: Mapping[int, Path], rounds: int) -> bool:
    """Run the bridge over few and over many messages, in turn; tell whether memory and speed stay."""
    core = min(os.sched_getaffinity(0))
    runs: dict[int, list[Run]] = {count: [] for count in folders}
    for _ in range(rounds):
        for count, data in folders.items():
            words = command(PROGRAMS[BRIDGE], data, data / "out-growth")
            runs[count].append(run([(words, core)], data / "growth.log"))
    few, many = sorted(folders)
    table = _plain_table(f"growth of the bridge, one core, medians of {rounds} rounds in turn")
    for count in (few, many):
        _add_plain(table, f"{count:,} messages", runs[count], count)
    CONSOLE.print(table)
    peaks = [max(each.peak for each in runs[count]) for count in (few, many)]
    walls = [statistics.median(each.wall for each in runs[count]) for count in (few, many)]
    grown, kept = peaks[1] / peaks[0], (many / walls[1]) / (few / walls[0])
    CONSOLE.print(
        f"peak memory {many:,} / {few:,}: {grown:.2f}, goal {MEMORY} at most {_said(grown <= MEMORY)}"
    )
    CONSOLE.print(f"msgs/s {many:,} / {few:,}: {kept:.2f}, goal {SPEED} at least {_said(kept >= SPEED)}")
    return grown <= MEMORY and kept >= SPEED


def _plain_table(title: str) -> Table:
    table = Table(title=title)
    table.add_column("run")
    for name in ("msgs/s", "msgs/CPU s", "peak MB"):
        table.add_column(name, justify="right")
    return table


def _add_plain(table: Table, name: str, taken: Sequence[Run], messages: int) -> None:
    table.add_row(
        name,
        f"{messages / statistics.median(each.wall for each in taken):,.0f}",
        f"{messages / statistics.median(each.cpu for each in taken):,.0f}",
        f"{max(each.peak for each in taken) / 2**20:,.0f}",
    )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    raise SystemExit(main())
