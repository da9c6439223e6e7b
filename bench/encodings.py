"""How fast each encoding is read on one core: the same messages as JSON, text XML and .NET binary XML.

Parsing alone, side by side with what a C parser of XML needs for the same
elements, then flattening.  Every round runs all candidates in turn.

    python bench/encodings.py --messages 2000 --rounds 7
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from flatten import known_types
from rich.console import Console
from rich.table import Table

from cdsbridge.emulator.dataverse import Organization, traffic
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Outcome
from cdsbridge.transforms.flattener import Flattener
from cdsbridge.transforms.nbfx_reader import read_nbfx
from cdsbridge.transforms.rules import Limits
from cdsbridge.transforms.xml_reader import read_xml

LIMITS = Limits()
GOAL = 0.9


def bodies(encoding: str, messages: int) -> list[bytes]:
    """Return simulated traffic in one encoding; the same events in each."""
    organization = Organization(seed=7, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
    posts = traffic(organization, messages, poison=0, duplicates=0, reorder=0, late=0, encodings=(encoding,))
    return [post.body for post in posts]


def walked(body: bytes) -> list[tuple[str, str | None, str | None]]:
    """Return name, type and text of every element, by the C parser of the standard library."""
    kind = "{http://www.w3.org/2001/XMLSchema-instance}type"
    return [(each.tag, each.get(kind), each.text) for each in ElementTree.fromstring(body).iter()]


def flattening(flattener: Flattener) -> Callable[[Sequence[bytes]], Any]:
    """Return a job that flattens bodies in batches of 1,000."""

    def job(some: Sequence[bytes]) -> None:
        for start in range(0, len(some), 1_000):
            envelopes = [
                Envelope(body, "bench", start + at) for at, body in enumerate(some[start : start + 1_000])
            ]
            flat = flattener.flatten(MicroBatch("bench", tuple(envelopes)))
            if any(verdict.outcome is Outcome.REJECTED for verdict in flat.verdicts):
                raise SystemExit("a message was not flattened")

    return job


def each_by(read: Callable[[bytes], object]) -> Callable[[Sequence[bytes]], Any]:
    """Return a job that reads bodies one by one."""
    return lambda some: [read(body) for body in some] and None


def main() -> int:
    """Run and print two tables; fail if binary XML misses its goal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    sent = {name: bodies(name, given.messages) for name in ("json", "xml", "binary")}
    flatten = flattening(Flattener(known_types()))
    jobs: dict[str, tuple[str, Callable[[Sequence[bytes]], Any]]] = {
        "text XML to elements, through expat": ("xml", each_by(lambda body: read_xml(body, LIMITS))),
        "text XML, ElementTree and a walk": ("xml", each_by(walked)),
        ".NET binary XML to elements": ("binary", each_by(lambda body: read_nbfx(body, LIMITS))),
        "flatten JSON": ("json", flatten),
        "flatten text XML": ("xml", flatten),
        "flatten .NET binary XML": ("binary", flatten),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(given.rounds + 1):
        for name, (encoding, job) in jobs.items():
            start = time.process_time()
            job(sent[encoding])
            if number:
                times[name].append(time.process_time() - start)
    report(jobs, sent, times)
    parsing, flattened = (
        statistics.median(times[xml]) / statistics.median(times[binary])
        for xml, binary in (
            ("text XML to elements, through expat", ".NET binary XML to elements"),
            ("flatten text XML", "flatten .NET binary XML"),
        )
    )
    Console().print(
        f"binary / text XML through a C parser: to elements {parsing:.2f}, flattened {flattened:.2f}"
    )
    Console().print(f"goal {GOAL}: {'met' if min(parsing, flattened) >= GOAL else 'NOT met'}")
    return 0 if min(parsing, flattened) >= GOAL else 1


def report(
    jobs: dict[str, tuple[str, Any]], sent: dict[str, list[bytes]], times: dict[str, list[float]]
) -> None:
    table = Table(title=f"one core, CPU time, medians of {len(next(iter(times.values())))} rounds")
    for name in ("candidate", "KiB a message", "messages/s", "us/message", "MB/s"):
        table.add_column(name, justify="left" if name == "candidate" else "right")
    for name, (encoding, _) in jobs.items():
        some, taken = sent[encoding], statistics.median(times[name])
        size = sum(map(len, some))
        table.add_row(
            name,
            f"{size / len(some) / 1024:.1f}",
            f"{len(some) / taken:,.0f}",
            f"{taken / len(some) * 1e6:.0f}",
            f"{size / taken / 1e6:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    raise SystemExit(main())
