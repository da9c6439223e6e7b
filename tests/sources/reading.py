"""What tests of reading share."""

import threading
from collections.abc import Callable, Iterator

from cdsbridge.emulator.server import RunningBroker
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Disposition, DispositionBatch, Outcome, Verdict
from cdsbridge.sources.intake import Intake

COMMITTED = Verdict(Outcome.COMMITTED)


def dispositions(batch: MicroBatch, verdict: Verdict = COMMITTED) -> DispositionBatch:
    """Return one verdict for every message of a batch."""
    return DispositionBatch(
        batch.entity,
        tuple(Disposition(e.sequence_number, e.enqueued_at, e.lock_token, verdict) for e in batch.envelopes),
    )


def batches(intake: Intake) -> Iterator[MicroBatch]:
    """Yield what comes until reading has ended."""
    while not intake.finished:
        batch = intake.take(0.1)
        if batch is not None:
            yield batch


def take(intake: Intake, count: int) -> list[Envelope]:
    """Return so many messages."""
    found: list[Envelope] = []
    while len(found) < count:
        batch = intake.take(1.0)
        found += batch.envelopes if batch else ()
    return found


def settle_all(intake: Intake) -> list[Envelope]:
    """Settle what comes until reading has ended; return it."""
    seen: list[Envelope] = []
    for batch in batches(intake):
        seen += batch.envelopes
        intake.settle(dispositions(batch))
    return seen


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Return when a condition holds."""
    tick = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        tick.wait(0.02)
    raise AssertionError("what was waited for did not come")


def depth(bus: RunningBroker, queue: str) -> dict[str, int]:
    """Return how many messages a queue holds, by their state."""
    return bus.call(lambda namespace: dict(namespace.queue(queue).depth()))
