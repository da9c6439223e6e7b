"""A committer in a process of its own, killed again and again, and what its sink holds in the end.

There is no broker here: what was not committed comes again, in other batches
and another order, and some of what was comes again too.  The parent loads the
libraries once and uses none of them, so that a forked child starts at once.
"""

import contextlib
import itertools
import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdsbridge.emulator.dataverse import Encoding, Organization, metadata, traffic
from cdsbridge.model import failpoints
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.pipelines.truth import compare
from cdsbridge.sinks import ParquetSink
from cdsbridge.sinks.base import Sink
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.content import content
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.tables.types import ColumnTypes
from cdsbridge.transforms.flattener import Flattener

POINTS = ("staged", "history_written", "all_written", "committed")
"""Named points a commit passes; see :data:`cdsbridge.model.failpoints.POINTS`."""
RANDOM = "random"
QUEUE = "dataverse"
_TAKEN_AGAIN = 0.1
"""Share of committed messages that come again after a kill."""
_MOMENT = 0.8
"""Seconds within which a random kill comes."""


@dataclass(frozen=True)
class Load:
    """What was sent: by a simulated Dataverse that knows the truth."""

    organization: Organization
    envelopes: Sequence[Envelope]
    types: ColumnTypes


@dataclass(frozen=True)
class Verdict:
    """What was found after all kills.

    Attributes:
        kills: How many came to pass.
        flushes: Commits that ended before their process did.
        again: Messages that were handed in more than once.
        faults: What does not hold, a sentence each.
    """

    kills: int
    flushes: int
    again: int
    faults: list[str]


def load_of(seed: int, events: int, folder: Path, encodings: Sequence[str] = tuple(Encoding)) -> Load:
    """Return what a simulated Dataverse sends: late, twice, in some encodings, with rarer messages."""
    organization = Organization(seed=seed, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
    posts = traffic(
        organization,
        events,
        duplicates=0.1,
        reorder=40,
        late=0.01,
        poison=0.01,
        rare=0.05,
        encodings=encodings,
    )
    envelopes = [
        Envelope(
            post.body,
            QUEUE,
            number,
            enqueued_at=number * 1_000,
            received_at=number * 1_000,
            message_id=post.message_id,
            correlation_id=post.correlation_id,
            content_type=post.content_type,
            properties=dict(post.properties),
        )
        for number, post in enumerate(posts, 1)
    ]
    path = folder / "metadata.json"
    path.write_text(json.dumps(metadata()), encoding="utf-8")
    return Load(organization, envelopes, load_metadata(path).types)


def battle(load: Load, sink: Sink, folder: Path, seed: int, points: Sequence[str]) -> Verdict:
    """Commit everything, killed once at each point, and compare what the sink holds with the truth."""
    rng = random.Random(f"{seed}/kills")
    journal = folder / "acknowledged"
    journal.touch()
    kills = 0
    for turn, point in enumerate([*rng.sample(points, len(points)), ""]):
        child = _forked(_committing, load, sink, journal, rng.random(), point)
        if point == RANDOM:
            time.sleep(rng.uniform(0.02, _MOMENT))
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            kills += 1
        elif os.WEXITSTATUS(status):
            raise AssertionError(
                f"turn {turn}, {point or 'the last'}: the committer broke; see {folder}/trouble"
            )
    flushes = [json.loads(line) for line in journal.read_text().splitlines()]
    counted = [number for flush in flushes for number in flush]
    return Verdict(
        kills, len(flushes), len(counted) - len(set(counted)), _faults(load, sink, folder, counted)
    )


def _forked(work: Callable[..., None], *arguments: Any) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work(*arguments)
    except BaseException as error:  # noqa: BLE001 - a child tells by its exit, and ends here
        import traceback  # noqa: PLC0415

        trouble = next(each for each in arguments if isinstance(each, Path)).parent / "trouble"
        trouble.write_text("".join(traceback.format_exception(error)))
        os._exit(1)
    os._exit(0)


def _committing(load: Load, sink: Sink, journal: Path, chance: float, point: str) -> None:
    """Commit what is not yet acknowledged, and some of what is; die at the point."""
    rng = random.Random(chance)
    if point in POINTS:
        # a child is armed anew, which the environment could not do after the import
        failpoints._armed, failpoints._left = point, rng.randint(1, 4)
    done = {number for line in journal.read_text().splitlines() for number in json.loads(line)}
    todo = [each for each in load.envelopes if each.sequence_number not in done]
    todo += [each for each in load.envelopes if each.sequence_number in done and rng.random() < _TAKEN_AGAIN]
    window = rng.choice([1, 30, len(todo) + 1])
    todo.sort(key=lambda each: each.sequence_number + rng.uniform(0, window))
    flattener = Flattener(load.types)
    with closing(Committer([sink])) as committer, journal.open("a") as told:
        for batch in _cut(todo, rng):
            committer.add(flattener.flatten(MicroBatch(QUEUE, tuple(batch))))
            ended = committer.flush()
            numbers = [each.sequence_number for some in ended for each in some.dispositions]
            told.write(json.dumps(numbers) + "\n")
            told.flush()


def _cut(envelopes: Sequence[Envelope], rng: random.Random) -> Iterator[list[Envelope]]:
    rest = iter(envelopes)
    while some := list(itertools.islice(rest, rng.randint(8, 60))):
        yield some


def _faults(load: Load, sink: Sink, folder: Path, counted: Sequence[int]) -> list[str]:
    """Compare in a child, so that this process goes on using no library."""
    found = folder / "faults.json"
    child = _forked(_comparing, load, sink, found, set(counted))
    if os.waitpid(child, 0)[1]:
        return [f"the comparison broke: {(folder / 'trouble').read_text()[-2000:]}"]
    faults: list[str] = json.loads(found.read_text())
    return faults


def _comparing(load: Load, sink: Sink, found: Path, acknowledged: set[int]) -> None:
    reference = ParquetSink(url=str(found.parent / "reference"))
    with closing(Committer([reference])) as committer:
        committer.add(Flattener(load.types).flatten(MicroBatch(QUEUE, tuple(load.envelopes))))
        committer.flush()
    faults = [f"{len(load.envelopes) - len(acknowledged)} messages were never acknowledged"]
    faults = faults if len(acknowledged) != len(load.envelopes) else []
    with closing(reference.read()) as true, closing(sink.read()) as held:
        wanted, there = dict(true.rows()), dict(held.rows())
        if wanted != there:
            faults.append(f"distinct events are {there}, not {wanted}")
        for table in sorted(wanted.keys() - {"_quarantine"}):
            said, holds = content(true.history(table)), content(held.history(table))
            if said.digest != holds.digest:
                faults.append(f"{table} differs from what was sent: {holds.rows} events, not {said.rows}")
            rows = sum(piece.num_rows for piece in held.history(table))
            if sink.state and rows != holds.rows:
                faults.append(f"{table} holds {rows - holds.rows} events twice")
        ledger = {number for piece in held.ledger() for number in piece["sequence_number"].to_pylist()}
        if len(ledger) != len(load.envelopes):
            faults.append(f"the ledger has {len(ledger)} messages, not {len(load.envelopes)}")
    if sink.state:
        faults += compare(load.organization, sink, load.types).differences[:5]
    found.write_text(json.dumps(faults))
