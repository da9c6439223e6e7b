"""A process that dies again and again over one queue, in memory: the broker's rules and ours, no more."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from cdsbridge.model.envelope import Envelope
from cdsbridge.model.verdict import Disposition
from cdsbridge.sources.caution import Caution
from cdsbridge.sources.choice import Choice, choose
from cdsbridge.sources.convert import Received
from cdsbridge.sources.sifting import PAUSE
from cdsbridge.sources.trials import Trials, name_of
from cdsbridge.sources.unlocked import Unlocked

from .reading import COMMITTED

MOST = 10
"""MaxDeliveryCount."""


class Moment(Enum):
    """When a process dies."""

    RECEIVING = "between receive and hand back"
    WORKING = "while it flattens or commits"
    SETTLING = "between receive and settle"


@dataclass(frozen=True)
class Death:
    """The process dies at a moment, when it has passed so many of the kind; or while it waits before that."""

    after: int
    moment: Moment = Moment.WORKING


class Died(Exception):
    """The process is dead."""


@dataclass
class Dying:
    """A queue, and how everything in it ends."""

    folder: Path
    counts: dict[int, int]
    """Delivery counts of the messages in the queue, by number."""
    poison: AbstractSet[int] = frozenset()
    """Messages of which the process dies each time."""
    batch: int = 1000
    settled: set[int] = field(default_factory=set)
    dead: set[int] = field(default_factory=set)
    deaths: int = 0

    def live(self, death: Death | None) -> None:
        """Run one life of the process, until the queue is empty or it dies."""
        life = _Life(self, death)
        try:
            while self.counts:
                life.step()
            life.end()
        except Died:
            self.deaths += 1

    def run(self, deaths: Iterable[Death]) -> None:
        """Run lives that end by deaths from outside, then lives that only a message can end."""
        for death in deaths:
            self.live(death)
        for _ in range(100 + 100 * len(self.poison)):
            if not self.counts:
                return
            self.live(None)
        raise AssertionError(f"{len(self.counts)} messages never end")

    def fail(self, numbers: Iterable[int]) -> None:
        """Let locks lapse, as the broker does."""
        for number in numbers:
            self.counts[number] += 1
            if self.counts[number] >= MOST:
                del self.counts[number]
                self.dead.add(number)


class _Life:
    def __init__(self, queue: Dying, death: Death | None) -> None:
        self._queue, self._death = queue, death
        self._left = death.after if death else -1
        self._trials = Trials(queue.folder, MOST)
        self._caution = Caution(MOST, queue.batch, after_death=self._trials.after_death)
        self._unlocked = Unlocked(900)
        self._waited = 0.0

    def step(self) -> None:
        asked = self._caution.ask(self._queue.batch, self._trials.suspects("q"))
        assert asked > 0
        found = [_received(number, count) for number, count in list(self._queue.counts.items())[:asked]]
        self._reach(Moment.RECEIVING, found)
        choice = choose(found, self._caution, self._trials, self._unlocked, waited=self._waited)
        self._waited = PAUSE if choice.wait else 0.0
        if choice.wait:
            there = [_received(number, count).envelope for number, count in self._queue.counts.items()]
            assert all(self._trials.suspected(envelope) for envelope in there), "it waits beside work"
        if choice.wait and self._death:
            raise Died
        if choice.ended:
            self._settle([item for item, _ in choice.ended])
        elif choice.going:
            self._work(choice)

    def end(self) -> None:
        self._trials.close()

    def _work(self, choice: Choice) -> None:
        token = None if choice.unlocked else b"lock"
        going = [_received(_number(item), self._queue.counts[_number(item)], token) for item in choice.going]
        envelopes = [item.envelope for item in going]
        if self._caution.careful:
            self._trials.begin(envelopes)
        if choice.unlocked:
            self._unlocked.pass_on(envelopes)
        under_lock = [] if choice.unlocked else going
        if self._queue.poison & {_number(item) for item in going}:
            self._die(under_lock)
        self._reach(Moment.WORKING, under_lock)
        self._trials.end([name_of(envelope) for envelope in envelopes])
        if choice.unlocked:
            ends = [Disposition(e.sequence_number, e.enqueued_at, None, COMMITTED) for e in envelopes]
            self._caution.ended(self._unlocked.end(ends).messages)
        else:
            self._settle(going)

    def _settle(self, found: Sequence[Received]) -> None:
        self._reach(Moment.SETTLING, found)
        self._unlocked.forget(item.envelope for item in found)
        for item in found:
            del self._queue.counts[_number(item)]
            self._queue.settled.add(_number(item))
        self._caution.ended(len(found))

    def _reach(self, moment: Moment, under_lock: Sequence[Received]) -> None:
        if self._death is not None and self._death.moment is moment:
            if self._left == 0:
                self._die(under_lock)
            self._left -= 1

    def _die(self, under_lock: Sequence[Received]) -> None:
        self._queue.fail([_number(item) for item in under_lock])
        raise Died


def _received(number: int, count: int, token: bytes | None = b"lock") -> Received:
    return Received(Envelope(b"", "q", number, delivery_count=count, lock_token=token), None, None)


def _number(item: Received) -> int:
    return item.envelope.sequence_number
