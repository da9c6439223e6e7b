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
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crashing import PATIENCE, QUEUE, CrashRig, crash_rig, oldest
from killing import at_rest, mortal_rig
from rich import box
from rich.console import Console
from rich.table import Table
from verifying import Findings

from cdsbridge.emulator.server import Fault, Kind, Point

SOON = 20.0
"""Seconds within which a bridge has caught up with a fault that it is told of."""
SILENT = 60.0
"""The same for one it must find out by itself: silence, a look that is not answered, a link anew."""
OPTIONS: Final = ("--set", "source.stalled_after=5")


class Stage:
    """A rig with a bridge at work.

    Args:
        rig: The rig.
        open_bridges: What ends the bridges that are started.
    """

    def __init__(self, rig: CrashRig, open_bridges: ExitStack) -> None:
        self.rig = rig
        self._open = open_bridges
        self.process = self._start()
        rig.wait_for_messages(self.process)

    def _start(self) -> "subprocess.Popen[bytes]":
        return self._open.enter_context(self.rig.bridge(*OPTIONS))

    def kill_bridge(self) -> float:
        """Kill the bridge and start another; return when the first was killed."""
        self.process.kill()
        killed = time.monotonic()
        self.process.wait(PATIENCE)
        self.process = self._start()
        return killed

    def kill_broker(self) -> float:
        """Kill the broker's process and start another on the same store, nothing posted meanwhile.

        Returns when the first was killed.
        """
        mortal: Any = self.rig.bus
        with self.rig.poster.held():
            killed = time.monotonic()
            mortal.kill()
        return killed


def armed(*faults: Fault) -> Callable[[Stage], float]:
    """Return what arms faults, waits until each has struck, and returns when the first did."""

    def strike(stage: Stage) -> float:
        bus = stage.rig.bus
        numbers = [bus.arm(fault) for fault in faults]
        wait_until(lambda: any(bus.hits(number) for number in numbers))
        struck = time.monotonic()
        wait_until(lambda: all(bus.hits(number) for number in numbers))
        return struck

    return strike


@dataclass(frozen=True, slots=True)
class Case:
    """A fault.

    Attributes:
        strike: Lets it happen, and returns the monotonic second.
        stated: Seconds within which the bridge must have caught up.
        rig: Where.
    """

    strike: Callable[[Stage], float]
    stated: float = SOON
    rig: Callable[[Path, int], AbstractContextManager[CrashRig]] = crash_rig


FAULTS: Final[dict[str, Case]] = {
    "drop": Case(armed(Fault(Kind.DROP, Point.DELIVER, QUEUE, count=2))),
    "drop before settling": Case(armed(Fault(Kind.DROP, Point.SETTLE, QUEUE))),
    "drop after settling": Case(armed(Fault(Kind.DROP, Point.SETTLED, QUEUE))),
    "detach": Case(armed(Fault(Kind.DETACH, Point.DELIVER, QUEUE, count=2))),
    "refuse": Case(
        armed(Fault(Kind.DROP, Point.DELIVER, QUEUE), Fault(Kind.REFUSE, Point.ATTACH, QUEUE, count=2))
    ),
    "throttle": Case(
        armed(*(Fault(Kind.REFUSE, point, QUEUE, count=5) for point in (Point.SETTLE, Point.REQUEST)))
    ),
    "lose locks": Case(armed(Fault(Kind.LOSE_LOCK, Point.SETTLE, QUEUE, count=3))),
    "delay": Case(armed(Fault(Kind.DELAY, Point.SETTLE, QUEUE, seconds=2.0))),
    "duplicate": Case(armed(Fault(Kind.DUPLICATE, Point.SEND, QUEUE, count=2))),
    "reorder": Case(armed(Fault(Kind.REORDER, Point.DELIVER, QUEUE, count=5))),
    "hold back": Case(armed(Fault(Kind.REORDER, Point.DELIVER, QUEUE, count=5, seconds=1.5, messages=20))),
    "silence": Case(armed(Fault(Kind.SILENCE, Point.DELIVER, QUEUE)), SILENT),
    "broker killed": Case(Stage.kill_broker, SOON, mortal_rig),
    "bridge killed": Case(Stage.kill_bridge),
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
    case = FAULTS[name]
    with tempfile.TemporaryDirectory() as written, ExitStack() as rest:
        folder = Path(written)
        with case.rig(folder, seed) as rig:
            with ExitStack() as bridges:
                stage = Stage(rig, bridges)
                seconds = recovery(rig, since=case.strike(stage))
                stage.process.terminate()
                stage.process.wait(PATIENCE)
            if case.rig is crash_rig:
                rig.bus.disarm()
            rig.drain()
            if case.rig is mortal_rig:
                rest.enter_context(at_rest(rig, folder))
            outcome = Outcome(name, seed, seconds, case.stated, rig.verify())
    print(f"{name}, seed {seed}: {seconds:.1f} s, {outcome.faults or 'nothing lost, nothing unexplained'}")
    return outcome


def recovery(rig: CrashRig, since: float) -> float:
    """Wait until every message that lies in the queue now is settled; return the seconds since a moment."""
    mark = rig.poster.accepted
    wait_until(lambda: not 0 < rig.bus.call(oldest) <= mark)
    return time.monotonic() - since


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
