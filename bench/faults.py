"""Every fault of the broker under streaming load: what was lost, and how long until the bridge had caught up.

For each fault and seed a bridge in a process of its own reads a queue that never runs empty.  The fault
strikes; the bridge has recovered when every message that lay in the queue at that moment is settled.
Then the queue is drained and everything sent is compared with everything found
(``bench/verifying.py``).  Exits with 1 if a message is lost or unexplained, or recovery took
longer than stated.

    python bench/faults.py                                 every fault, three seeds, some 20 minutes
    python bench/faults.py --seeds 1 --faults drop silence
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crashing import PATIENCE, QUEUE, CrashRig, crash_rig
from rich import box
from rich.console import Console
from rich.table import Table
from verifying import Findings

from cdsbridge.emulator.server import Fault, Kind, Point

SOON = 20.0
"""Seconds within which a bridge has caught up with a fault that it is told of."""
SILENT = 60.0
"""The same for one it must find out by itself: silence, a look that is not answered, a link anew."""
FAULTS: dict[str, tuple[list[Fault], float]] = {
    "drop": ([Fault(Kind.DROP, Point.DELIVER, QUEUE, count=2)], SOON),
    "drop before settling": ([Fault(Kind.DROP, Point.SETTLE, QUEUE)], SOON),
    "drop after settling": ([Fault(Kind.DROP, Point.SETTLED, QUEUE)], SOON),
    "detach": ([Fault(Kind.DETACH, Point.DELIVER, QUEUE, count=2)], SOON),
    "throttle": ([Fault(Kind.REFUSE, Point.SETTLE, QUEUE, count=3)], SOON),
    "lose locks": ([Fault(Kind.LOSE_LOCK, Point.SETTLE, QUEUE, count=3)], SOON),
    "delay": ([Fault(Kind.DELAY, Point.SETTLE, QUEUE, seconds=2.0)], SOON),
    "reorder": ([Fault(Kind.REORDER, Point.DELIVER, QUEUE, count=5)], SOON),
    "silence": ([Fault(Kind.SILENCE, Point.DELIVER, QUEUE)], SILENT),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault."""

    fault: str
    seed: int
    seconds: float
    stated: float
    findings: Findings

    @property
    def faults(self) -> list[str]:
        late = [] if self.seconds <= self.stated else [f"recovered after {self.seconds:.1f} s"]
        return late + self.findings.faults()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    arguments = parser.parse_args()
    outcomes = [endure(name, seed) for name in arguments.faults for seed in range(1, arguments.seeds + 1)]
    show(outcomes)
    return 0 if all(not outcome.faults for outcome in outcomes) else 1


def endure(name: str, seed: int) -> Outcome:
    """Let a fault strike a bridge at work, and see it through."""
    faults, stated = FAULTS[name]
    with tempfile.TemporaryDirectory() as folder, crash_rig(Path(folder), seed) as rig:
        with rig.bridge("--set", "source.stalled_after=5") as process:
            rig.wait_for_messages(process)
            armed = [rig._bus.arm(fault) for fault in faults]
            wait_until(lambda: all(rig._bus.hits(number) for number in armed))
            seconds = recovery(rig)
            process.terminate()
            process.wait(PATIENCE)
        rig._bus.disarm()
        rig.drain()
        outcome = Outcome(name, seed, seconds, stated, rig.verify())
    print(f"{name}, seed {seed}: {seconds:.1f} s, {outcome.faults or 'nothing lost, nothing unexplained'}")
    return outcome


def recovery(rig: CrashRig) -> float:
    """Return the seconds until every message that lies in the queue now is settled."""
    begun, mark = time.monotonic(), rig.poster.accepted

    def lowest() -> int:
        first = rig._bus.call(lambda namespace: namespace.queue(QUEUE).peek(1, 1))
        return first[0].sequence_number if first else mark + 1

    wait_until(lambda: lowest() > mark)
    return time.monotonic() - begun


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("what was waited for did not come")
        time.sleep(0.05)


def show(outcomes: list[Outcome]) -> None:
    table = Table(
        "fault", "seed", "recovered in", "stated", "messages", "deliveries again", "faults", box=box.SIMPLE
    )
    for each in outcomes:
        table.add_row(
            each.fault,
            str(each.seed),
            f"{each.seconds:.1f} s",
            f"{each.stated:.0f} s",
            f"{each.findings.sent:,}",
            f"{each.findings.redelivered:,}",
            "; ".join(each.faults) or "none",
        )
    Console(width=130, highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
