"""Half an hour of steady load with a fault every minute: nothing lost, nothing growing.

The embedded broker keeps its queue in a file and runs in this process, the real
bridge in another, into Parquet and SQLite.  Each minute something breaks.  Once a
second memory, open files and threads of both processes are looked at; in the end
the queue is drained and everything sent is looked for.  Exits with 1 if a message
is lost or something grows.

    python bench/soak.py                               30 minutes, 300 messages a second
    python bench/soak.py --minutes 3 --every 30
    python bench/soak.py --faults drop kill
"""

import argparse
import itertools
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from soak_faults import FAULTS, LASTING
from soaking import Looked, Soak

CONSOLE = Console(width=130, highlight=False)
WARM = 0.4
"""Share of the time at the beginning that trends leave out: caches and pools fill there."""
MORE_MEMORY = 0.1
"""Growth of memory over the rest, at most, as a share of what it was."""
LONG_ENOUGH = 300
"""Seconds that must be looked at for memory to be judged."""
MORE_FILES = 8
MORE_THREADS = 4


@dataclass(frozen=True, slots=True)
class Trend:
    """What one measure of one process did.

    Attributes:
        process: Whose.
        measure: Which.
        begun: Its median over the first tenth looked at.
        ended: Its median over the last tenth.
        peak: The highest ever.
        hourly: Slope of the line through all, an hour.
        bound: How much ``ended`` may be above ``begun``; infinite where that cannot be told yet.
    """

    process: str
    measure: str
    begun: float
    ended: float
    peak: float
    hourly: float
    bound: float

    @property
    def flat(self) -> bool:
        return self.ended - self.begun <= self.bound

    @property
    def told(self) -> str:
        if self.bound == math.inf:
            return "too short to tell"
        return "yes" if self.flat else "NO"


def main() -> int:
    """Soak, print, and fail if anything is lost or grows."""
    given = _arguments()
    folder = nullcontext(given.folder) if given.folder else tempfile.TemporaryDirectory(prefix="soak-")
    with folder as where:
        soak = Soak(Path(where), rate=given.rate, seed=given.seed)
        soak.run(
            60 * given.minutes, given.every, itertools.cycle([(n, FAULTS[n]) for n in given.faults]), _say
        )
        found = soak.verify()
    _tell_faults(soak)
    trends = [trend for life in soak.lives for trend in _trends(life.name, life.looked)]
    trends += _trends("broker and load", soak.broker)
    _tell_trends(trends)
    for sentence in found.sentences:
        CONSOLE.print(sentence)
    broken = [*found.faults, *(f"{t.measure} of {t.process} grows" for t in trends if not t.flat)]
    CONSOLE.print(f"DOES NOT HOLD: {'; '.join(broken)}" if broken else "holds: nothing lost, nothing growing")
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=300, help="messages a second")
    parser.add_argument("--every", type=float, default=60, help="seconds between faults")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(LASTING), help="in turn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where files go and stay; by default a temporary one")
    return parser.parse_args()


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _trends(process: str, looked: Sequence[Looked]) -> list[Trend]:
    kept = looked[int(WARM * len(looked)) :]
    if len(kept) < 10:
        return []
    memory = [each.resident / 1e6 for each in kept]
    seconds = kept[-1].at - kept[0].at
    most = MORE_MEMORY * memory[0] if seconds >= LONG_ENOUGH else math.inf
    bounds: tuple[float, ...] = (most, MORE_FILES, MORE_THREADS)
    measures: dict[str, Sequence[float]] = {
        "memory, MB": memory,
        "open files": [e.files for e in kept],
        "threads": [e.threads for e in kept],
    }
    return [
        _trend(process, name, [each.at for each in kept], values, bound)
        for (name, values), bound in zip(measures.items(), bounds, strict=True)
    ]


def _trend(process: str, name: str, at: Sequence[float], values: Sequence[float], bound: float) -> Trend:
    tenth = max(3, len(values) // 10)
    slope = statistics.linear_regression(at, values).slope
    begun, ended = statistics.median(values[:tenth]), statistics.median(values[-tenth:])
    return Trend(process, name, begun, ended, max(values), slope * 3600, bound)


def _tell_faults(soak: Soak) -> None:
    table = Table(
        "fault",
        "times",
        "all before it settled after s, median",
        "worst",
        "waiting then, most",
        box=box.SIMPLE_HEAD,
    )
    for name in dict.fromkeys(each.fault for each in soak.outages):
        mine = [each for each in soak.outages if each.fault == name]
        back = [each.seconds for each in mine]
        most = max(each.waiting for each in mine)
        table.add_row(name, str(len(mine)), f"{statistics.median(back):.1f}", f"{max(back):.1f}", f"{most:,}")
    CONSOLE.print(table)


def _tell_trends(trends: Sequence[Trend]) -> None:
    table = Table("process", "measure", box=box.SIMPLE_HEAD)
    for name in ("at first", "at last", "peak", "slope an hour", "flat"):
        table.add_column(name, justify="right")
    for each in trends:
        numbers = (each.begun, each.ended, each.peak, each.hourly)
        table.add_row(each.process, each.measure, *(f"{number:,.1f}" for number in numbers), each.told)
    CONSOLE.print(table)


if __name__ == "__main__":
    sys.exit(main())
