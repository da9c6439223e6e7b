"""A million deliveries of a hundred thousand events, shuffled and cut at random: is the state the truth?

Every message is delivered about ten times, at random places of the whole run,
in batches of random size, to a sink of each kind.  Then the current state is
compared with the simulator's truth, column by column, and each history with
the events that happened.  Exits with 1 if anything differs.

    python bench/deliveries.py                                some 25 minutes
    python bench/deliveries.py --events 5000 --deliveries 50000 --sinks sqlite
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
from crashes import SINKS, places
from crashing_sinks import QUEUE, Load, load_of

from cdsbridge.model.envelope import MicroBatch
from cdsbridge.pipelines.truth import compare
from cdsbridge.sinks.base import Sink
from cdsbridge.sinks.commit import Committer
from cdsbridge.transforms.flattener import Flattener


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sinks", nargs="+", choices=SINKS, default=["sqlite", "delta"])
    arguments = parser.parse_args()
    faults = []
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="deliveries-") as root:
        load = load_of(arguments.seed, arguments.events, Path(root), encodings=("json",))
        print(f"{len(load.envelopes):,} messages of {arguments.events:,} events", flush=True)
        for name, made in places(arguments.sinks, stack).items():
            folder = Path(root, name)
            folder.mkdir()
            faults += deliver(name, made(folder, "deliveries"), load, arguments.deliveries, arguments.seed)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def deliver(name: str, sink: Sink, load: Load, deliveries: int, seed: int) -> list[str]:
    """Deliver everything to a sink, and return how its state differs from the truth."""
    flattener = Flattener(load.types)
    begun = time.monotonic()
    done = 0
    with closing(Committer([sink])) as committer:
        for batch in batches(load, deliveries, random.Random(seed)):
            committer.add(flattener.flatten(batch))
            committer.flush()
            done += len(batch.envelopes)
    seconds = time.monotonic() - begun
    found = compare(load.organization, sink, load.types)
    with closing(sink.read()) as reader:
        events = sum(count for table, count in reader.rows().items() if table != "_quarantine")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}: {done:,} deliveries in {seconds:,.0f} s, {done / seconds:,.0f}/s; {events:,} events in "
        f"histories; {found.rows:,} rows, {found.cells:,} columns, {found.parties:,} party lists, "
        f"{found.pairs:,} pairs compared: {len(found.differences)} differ; peak {peak:,.0f} MB",
        flush=True,
    )
    return [f"{name}: {each}" for each in found.differences[:20]]


def batches(load: Load, deliveries: int, rng: random.Random) -> Iterator[MicroBatch]:
    """Yield every message at least once, in random order and random batches."""
    count = len(load.envelopes)
    chance = np.random.default_rng(rng.randrange(2**32))
    order = np.concatenate([np.arange(count), chance.integers(0, count, max(0, deliveries - count))])
    chance.shuffle(order)
    start = 0
    while start < len(order):
        size = rng.choice([1, 50, 1_000, 5_000, 10_000])
        yield MicroBatch(QUEUE, tuple(load.envelopes[at] for at in order[start : start + size]))
        start += size


if __name__ == "__main__":
    sys.exit(main())
