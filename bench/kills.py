"""SIGKILL at every named point and at random moments: what was lost, doubled, redelivered.

Each row of the table is a campaign on a broker, a queue and tables of its own:
a bridge under load is killed, started again, killed again, and in the end
drains its queue.  Then everything that was sent is compared with everything
that is found (``bench/verifying.py``).  Exits with 1 if anything does not hold.

    python bench/kills.py                                      200 kills, some 20 minutes
    python bench/kills.py --kills 20 --points staged random
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from crashing import REACHED, Kill, crash_rig
from rich import box
from rich.console import Console
from rich.table import Table
from verifying import Findings

RANDOM = "random"
COLUMNS = (
    "killed at",
    "kills",
    "locked then",
    "messages",
    "events",
    "in Parquet",
    "in SQLite",
    "lost",
    "gone, not\nin ledgers",
    "doubled",
    "deliveries\nagain",
    "audit",
)


@dataclass(frozen=True, slots=True)
class Campaign:
    """Kills of one kind on one set of tables, and what was found in the end."""

    point: str
    kills: tuple[Kill, ...]
    findings: Findings

    @property
    def missing(self) -> int:
        """Messages gone from the broker but not in every ledger, when it was worst."""
        return max(self.findings.missing, *(kill.missing for kill in self.kills))

    @property
    def holds(self) -> bool:
        return not self.missing and not self.findings.faults()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", nargs="+", choices=[*REACHED, RANDOM], default=[*REACHED, RANDOM])
    arguments = parser.parse_args()
    begun = time.monotonic()
    campaigns = []
    for number, point in enumerate(arguments.points):
        share = (arguments.kills + number) // len(arguments.points)
        if share:
            campaigns.append(fight(point, share, arguments.seed + number))
            tell(campaigns[-1])
    show(campaigns)
    print(
        f"{sum(len(each.kills) for each in campaigns)} kills in {(time.monotonic() - begun) / 60:.1f} minutes"
    )
    return 0 if all(campaign.holds for campaign in campaigns) else 1


def fight(point: str, kills: int, seed: int) -> Campaign:
    """Kill a bridge so many times, let it drain, and look."""
    with tempfile.TemporaryDirectory(prefix="kills-") as folder, crash_rig(Path(folder), seed) as rig:
        for _ in range(kills):
            _ = rig.kill_at_a_moment() if point == RANDOM else rig.kill_at(point)
        rig.drain()
        return Campaign(point, tuple(rig.kills), rig.verify())


def tell(campaign: Campaign) -> None:
    said = "holds" if campaign.holds else "; ".join(["DOES NOT HOLD", *campaign.findings.faults()])
    print(f"{campaign.point}: {len(campaign.kills)} kills: {said}", file=sys.stderr, flush=True)


def show(campaigns: list[Campaign]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in {"killed at", "audit"} else "right")
    for each in campaigns:
        found = each.findings
        numbers = (
            len(each.kills),
            round(statistics.mean(kill.locked for kill in each.kills)),
            found.sent,
            found.events,
            found.rows["Parquet"],
            found.rows["SQLite"],
            found.lost,
            each.missing,
            found.doubled,
            found.redelivered,
        )
        told = "holds" if found.audit == 0 else f"exit {found.audit}"
        table.add_row(each.point, *(f"{number:,}" for number in numbers), told)
    Console(width=130).print(table)


if __name__ == "__main__":
    sys.exit(main())
