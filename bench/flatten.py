"""How fast flattening is on one core, and that no cell differs.

Runs the product's flattener and the naive exact one (``bench/naive.py``) on
the same simulated traffic in the same process, in turn at every batch, and
compares every cell.

    python bench/flatten.py --messages 20000 --batch 1000 --rounds 7
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import compare
import naive
from rich.console import Console
from rich.table import Table

from cdsbridge.emulator.dataverse import Organization, metadata, traffic
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Outcome
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.tables.types import ColumnTypes
from cdsbridge.transforms.flattener import Flattener


def batches(messages: int, size: int, seed: int) -> list[MicroBatch]:
    """Return simulated traffic in micro-batches."""
    organization = Organization(seed=seed, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
    posts = traffic(organization, messages, poison=0, asides=0.01)
    envelopes = [
        Envelope(post.body, "bench", number, 1, 2, post.message_id, post.correlation_id, post.content_type)
        for number, post in enumerate(posts)
    ]
    return [
        MicroBatch("bench", tuple(envelopes[start : start + size]))
        for start in range(0, len(envelopes), size)
    ]


def cpu(jobs: Mapping[str, Callable[[MicroBatch], Any]], work: Sequence[MicroBatch]) -> dict[str, float]:
    """Return the CPU seconds each job takes over all batches; the jobs take turns at every batch."""
    taken = dict.fromkeys(jobs, 0.0)
    order = list(jobs)
    for batch in work:
        order.reverse()  # whoever comes second finds the bodies in the processor's cache
        for name in order:
            start = time.process_time()
            jobs[name](batch)
            taken[name] += time.process_time() - start
    return taken


def known_types() -> ColumnTypes:
    """Return the column types of the simulated organisation."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "types.json"
        path.write_text(json.dumps(metadata()), encoding="utf-8")
        return load_metadata(path).types


def checked(flattener: Flattener, types: ColumnTypes, work: Sequence[MicroBatch]) -> tuple[int, int]:
    """Return cells compared and cells that differ."""
    compared = wrong = 0
    for batch in work:
        flat = flattener.flatten(batch)
        rejected = [v for v in flat.verdicts if v.outcome is not Outcome.COMMITTED]
        if rejected:
            raise SystemExit(f"a message was not flattened: {rejected[0]}")
        ours = compare.cells((table.table, table.records) for table in flat.tables)
        theirs = compare.cells((name, records) for name, (records, _) in naive.flatten(batch, types).items())
        found = compare.differences(ours, theirs)
        for where, one, other in found[:5]:
            print(f"differs: {where}: {one!r} naive {other!r}", file=sys.stderr)
        compared += len({*ours, *theirs})
        wrong += len(found)
    return compared, wrong


def main() -> int:
    """Run, print a table, and fail if a cell differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    work = batches(given.messages, given.batch, given.seed)
    count = sum(len(batch.envelopes) for batch in work)
    size = sum(batch.size for batch in work)
    types = known_types()
    flattener = Flattener(types)
    compared, wrong = checked(flattener, types, work)
    jobs: dict[str, Callable[[MicroBatch], Any]] = {
        "naive": lambda batch: naive.flatten(batch, types),
        "cdsbridge": flattener.flatten,
    }
    rounds = [cpu(jobs, work) for _ in range(given.rounds)]
    report({name: [taken[name] for taken in rounds] for name in jobs}, count, size, compared, wrong)
    return 1 if wrong else 0


def report(times: dict[str, list[float]], count: int, size: int, compared: int, wrong: int) -> None:
    table = Table(
        title=f"flatten, one core, CPU time: {count} messages, {size / count / 1024:.1f} KiB on average"
    )
    for name in ("flattener", "messages/s", "MB/s", "us/message", "x naive", "cells that differ"):
        table.add_column(name, justify="left" if name == "flattener" else "right")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    for name, median in medians.items():
        table.add_row(
            name,
            f"{count / median:,.0f}",
            f"{size / median / 1e6:,.0f}",
            f"{median / count * 1e6:.1f}",
            f"{medians['naive'] / median:.2f}",
            f"{wrong} of {compared:,}" if name == "cdsbridge" else "",
        )
    Console().print(table)
    ratios = [slow / fast for slow, fast in zip(times["naive"], times["cdsbridge"], strict=True)]
    Console().print(f"ratio by round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")


if __name__ == "__main__":
    raise SystemExit(main())
