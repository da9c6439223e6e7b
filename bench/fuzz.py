"""Spoilt messages by the million: none may stop the flattener, hang it, swell it, or touch another.

Every input is made of a number and the seed alone, so a failure can be made
again.  Each goes through ``flatten_one``, timed, and with others of its chunk
and sound neighbours through ``Flattener.flatten``, which must give the same rows
though it reads most of them in bulk or by the compiled engine.  Every other chunk is read
with metadata, and with the bytes of images kept.

    python bench/fuzz.py --count 100000 --seed 1
    python bench/fuzz.py --seconds 600 --only binary
    python bench/fuzz.py --atheris --seconds 60     # guided by coverage; installs atheris into .cache

Exit code 1 if any input failed; failing inputs lie in the folder ``--keep``.
"""

import argparse
import logging
import multiprocessing
import os
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from fuzz_seeds import KINDS, good, known, seeds
from mutations import spoilt
from rich.console import Console
from rich.table import Table

from cdsbridge.model.batch import FlattenedBatch, TableBatch
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Outcome, Reason, Verdict
from cdsbridge.tables.types import ColumnTypes
from cdsbridge.transforms.assembly import assemble
from cdsbridge.transforms.flattener import Flattener
from cdsbridge.transforms.rows import Row
from cdsbridge.transforms.rules import FlattenRules
from cdsbridge.transforms.thorough import flatten_one

End = tuple[Verdict, Sequence[Row]]
"""How an input ended that was read alone."""

CHUNK: Final = 40
SLOWEST: Final = 1.0
"""Seconds of processor time an input may take."""
LONGEST: Final = 500
"""Characters of a sentence."""
SAMPLE: Final = 50
"""Of so many inputs the memory of one is measured."""
TIMES: Final = 100
MORE: Final = 4 << 20
"""Bytes held at once, at most: so many times the body, and so many more."""
SLACK: Final = 1 << 20
"""Bytes that are left out where the table tells how many times the body were held."""

ENDS: Final = (
    *("committed", "bad-value", "not-a-context", "no-key", "no-table", "too-large", "undecodable"),
    "unknown-encoding",
)
"""How inputs end, for the table."""


@dataclass
class Failure:
    """An input that did what none may."""

    name: str
    body: bytes
    what: str


@dataclass
class Tally:
    """What became of some inputs of one kind."""

    inputs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    largest: float = 0.0
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.inputs += other.inputs
        self.ends += other.ends
        self.slowest = max(self.slowest, other.slowest)
        self.largest = max(self.largest, other.largest)
        self.failures += other.failures


class Way:
    """A way to flatten: what is known about columns, the rules, and a flattener that remembers.

    Args:
        types: What is known about columns.
        rules: The rules.
    """

    def __init__(self, types: ColumnTypes, rules: FlattenRules) -> None:
        self.types = types
        self.rules = rules
        self._flattener = Flattener(types, rules)

    def flatten(self, bodies: Iterable[bytes]) -> FlattenedBatch:
        envelopes = tuple(envelope(0, body) for body in bodies)
        return self._flattener.flatten(MicroBatch("q", envelopes))


class Prover:
    """Makes inputs and watches what becomes of them.

    Args:
        seed: Of everything.
        only: Kinds of inputs to make.
        slowest: Seconds of processor time an input may take.
    """

    def __init__(self, seed: int, only: Sequence[str] = KINDS, slowest: float = SLOWEST) -> None:
        self._seed = seed
        self._only = only
        self._seeds = seeds()
        self._slowest = slowest
        self._good = good()
        self._ways = [Way(ColumnTypes(), FlattenRules()), Way(known(), FlattenRules(binaries=True))]
        self._way = self._ways[0]
        self._good_rows = [
            rows_of(way.flatten(self._good).tables, range(len(self._good))) for way in self._ways
        ]
        self._watched: list[str] = []
        handler = logging.Handler(logging.ERROR)
        handler.emit = lambda record: self._watched.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("cdsbridge.transforms")
        logger.handlers, logger.propagate = [handler], False

    def make(self, number: int) -> tuple[str, bytes]:
        """Return kind and body of an input."""
        chance = Random(f"{self._seed} {number}")
        kind = chance.choice(self._only)
        others = self._seeds[chance.choice(KINDS)]
        return kind, spoilt(kind, chance.choice(self._seeds[kind]), chance, others)

    def prove(self, numbers: Sequence[int]) -> dict[str, Tally]:
        """Flatten some inputs and look at everything."""
        tallies: dict[str, Tally] = {}
        self._way = self._ways[numbers[0] // CHUNK % 2]
        made = [(number, *self.make(number)) for number in numbers]
        ends: list[End] = []
        for number, kind, body in made:
            tally = tallies.setdefault(kind, Tally())
            end, faults = self.alone(body, measured=number % SAMPLE == 0, tally=tally)
            ends.append(end)
            tally.inputs += 1
            tally.ends[end_of(end[0])] += 1
            tally.failures += [Failure(f"{self._seed}-{number}-{kind}", body, what) for what in faults]
        bodies = [body for _, _, body in made]
        for what in self.together(bodies, ends):
            number, kind, body = made[0]
            name = f"{self._seed}-{number}-together"
            tallies[kind].failures.append(Failure(name, b"\n".join(bodies), what))
        return tallies

    def alone(self, body: bytes, *, measured: bool, tally: Tally) -> tuple[End, list[str]]:
        """Flatten one input; return how it ended, and what is wrong."""
        faults: list[str] = []
        begun = time.process_time()
        verdict, rows = flatten_one(envelope(0, body), self._way.types, self._way.rules)
        taken = time.process_time() - begun
        tally.slowest = max(tally.slowest, taken)
        if taken > self._slowest:
            faults.append(f"took {taken:.1f} s")
        if len(rows) != verdict.rows:
            faults.append(f"{len(rows)} rows, of which the verdict says {verdict.rows}")
        faults += list(wrong_in(verdict))
        if measured:
            peak = peak_of(body)
            tally.largest = max(tally.largest, (peak - SLACK) / max(len(body), 1))
            if peak > TIMES * len(body) + MORE:
                faults.append(f"held {peak} bytes at once for a body of {len(body)}")
        return (verdict, rows), faults

    def together(self, bodies: Sequence[bytes], ends: Sequence[End]) -> Iterator[str]:
        """Flatten inputs with sound neighbours; yield what is wrong."""
        self._watched.clear()
        sent = [*self._good, *bodies, *self._good]
        flat = self._way.flatten(sent)
        yield from self._watched
        size = len(self._good)
        for at, (verdict, (alone, _)) in enumerate(zip(flat.verdicts[size:-size], ends, strict=True)):
            if verdict != alone:
                yield f"input {at} of the chunk: {verdict} in a batch, {alone} alone"
        sound = [flatten_one(envelope(0, body), self._way.types, self._way.rules) for body in self._good]
        one_by_one = [*sound, *ends, *sound]
        made = assemble((at, row) for at, (_, rows) in enumerate(one_by_one) for row in rows)
        every = range(len(sent))
        read = zip(rows_of(flat.tables, every), rows_of(made, every), strict=True)
        for at, (together, apart) in enumerate(read):
            if together != apart:
                yield f"input {at - size} of the chunk has other rows in a batch than alone"
        counted = Counter(at for table in flat.tables for at in table.positions.to_pylist())
        for at, verdict in enumerate(flat.verdicts):
            if counted[at] != verdict.rows:
                yield f"input {at - size} of the chunk has {counted[at]} rows, not {verdict.rows}"
        neighbours = [*range(size), *range(len(sent) - size, len(sent))]
        if rows_of(flat.tables, neighbours) != self._good_rows[self._ways.index(self._way)] * 2:
            yield "rows of sound neighbours are not as they are without it"


def envelope(number: int, body: bytes) -> Envelope:
    return Envelope(body, "q", number)


def end_of(verdict: Verdict) -> str:
    return str(verdict.reason) if verdict.outcome is Outcome.REJECTED else verdict.outcome.value


def wrong_in(verdict: Verdict) -> Iterator[str]:
    """Yield what is wrong with a verdict."""
    if "report it" in verdict.sentence:
        yield verdict.sentence
    if len(verdict.sentence) > LONGEST or not verdict.sentence.isprintable():
        yield f"the sentence has {len(verdict.sentence)} characters or cannot be printed"
    if len(verdict.where) > LONGEST or not verdict.where.isprintable():
        yield f"the place has {len(verdict.where)} characters or cannot be printed"
    if verdict.outcome is Outcome.REJECTED and (verdict.reason not in set(Reason) or not verdict.sentence):
        yield "a rejection without a reason or a sentence"


def peak_of(body: bytes) -> int:
    """Return the bytes held at once while a body is flattened."""
    tracemalloc.start()
    try:
        Flattener().flatten(MicroBatch("q", (envelope(0, body),)))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def rows_of(tables: Iterable[TableBatch], positions: Iterable[int]) -> list[list[str]]:
    """Return the rows of some messages, in their order; cells that are null left out."""
    wanted = {position: at for at, position in enumerate(positions)}
    found: list[list[str]] = [[] for _ in wanted]
    for table in tables:
        at_rows = [(row, at) for row, at in enumerate(table.positions.to_pylist()) if at in wanted]
        for row, at in at_rows:
            cells = [
                (field, column[row])
                for field, column in zip(table.records.schema, table.records.columns, strict=True)
            ]
            told = sorted(f"{field.name} {field.type} {value}" for field, value in cells if value.is_valid)
            found[wanted[at]].append(f"{table.table}: {told}")
    return [sorted(rows) for rows in found]


_prover: list[Prover] = []


def begin(seed: int, only: Sequence[str]) -> None:
    """Make this process ready to prove."""
    _prover[:] = [Prover(seed, only)]


def prove(numbers: Sequence[int]) -> dict[str, Tally]:
    return _prover[0].prove(numbers)


def run(seed: int, count: int, seconds: float, only: Sequence[str], processes: int) -> dict[str, Tally]:
    """Prove that many inputs, or as many as the time allows."""
    ends = time.monotonic() + seconds
    chunks = (range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))
    totals = {kind: Tally() for kind in only}
    with multiprocessing.Pool(processes, begin, (seed, only)) as pool:
        for tallies in pool.imap_unordered(prove, chunks):
            for kind, tally in tallies.items():
                totals[kind].add(tally)
            if time.monotonic() > ends:
                break
        pool.terminate()
    return totals


def report(totals: dict[str, Tally], keep: Path) -> int:
    """Print what became of the inputs, and keep those that failed; return the exit code."""
    table = Table("kind", "inputs", *ENDS, "slowest", "memory", "failures")
    for kind, tally in totals.items():
        ends = [f"{tally.ends[name]:,}" for name in ENDS]
        memory = f"{max(tally.largest, 0):.0f} x + 1 MiB"
        slowest = f"{1000 * tally.slowest:.0f} ms"
        table.add_row(kind, f"{tally.inputs:,}", *ends, slowest, memory, str(len(tally.failures)))
    Console(width=200).print(table)
    failures = [failure for tally in totals.values() for failure in tally.failures]
    for failure in failures:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / failure.name).write_bytes(failure.body)
        print(f"{keep / failure.name}: {failure.what[:300]}", file=sys.stderr)
    return 1 if failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of every random choice")
    parser.add_argument("--count", type=int, default=100_000, help="inputs")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--only", choices=KINDS, action="append", help="kinds of inputs; may be repeated")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--keep", type=Path, default=Path(".cache/fuzz-failures"), help="folder of failing inputs"
    )
    parser.add_argument("--atheris", action="store_true", help="let coverage guide the inputs")
    given = parser.parse_args()
    only = tuple(given.only or KINDS)
    if given.atheris:
        import fuzz_guided  # noqa: PLC0415 - it needs a package that is not ours

        return fuzz_guided.run(given.seed, given.seconds, only, given.keep)
    return report(run(given.seed, given.count, given.seconds, only, given.processes), given.keep)


if __name__ == "__main__":
    sys.exit(main())
