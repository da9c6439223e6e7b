"""The live side of reading: links, buffer and endings of one source, one per process.

Beam may hold several copies of a DoFn in a worker, and each bundle may get a
new one, so what is live is kept here, by configuration, and found again.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from ..model.envelope import MicroBatch
from ..model.errors import BridgeError, ServiceUnreachable
from ..model.verdict import Disposition, DispositionBatch
from .address import Address
from .buffer import Buffer
from .caution import Caution
from .config import ServiceBusSource
from .deferred_link import DeferredLink
from .ending import Ending
from .journal import Journal
from .link import Link, Shared
from .plan import ReadPlan
from .progress import Progress
from .session_link import SessionLink
from .sifting import Handing
from .trials import Trials
from .unlocked import Unlocked

_OPEN_TIMEOUT: Final = 180.0
"""Seconds the SDK's own retries may take before the first link is open."""
_CLOSE_TIMEOUT: Final = 30.0
"""Seconds that settling what was handed in may take at the end."""
_UNTOLD: Final = 900.0
"""Seconds after which an end that nobody tells of is not waited for, at least."""


class Reading(NamedTuple):
    """What names an intake within a process."""

    source: ServiceBusSource
    ending: Ending
    journal: str | None
    plan: ReadPlan = ReadPlan()


class Intake:
    """Receives from every entity of a source on threads of its own."""

    def __init__(self, reading: Reading) -> None:
        """Set up the threads; nothing is opened yet."""
        source = self._source = reading.source
        self._buffer = Buffer(source.max_in_flight, source.max_in_flight_bytes)
        self._stop, self._close = threading.Event(), threading.Event()
        self._journal = Journal(Path(reading.journal)) if reading.journal else None
        self._trials = _trials(reading)
        after_death = self._trials is not None and self._trials.after_death
        self._caution = Caution(source.max_deliveries, source.batch, after_death=after_death)
        self._links: dict[str, list[Link]] = {}
        self._progress = {entity: Progress(reading.ending, reading.plan) for entity in source.entities}
        for entity, progress in self._progress.items():
            shared = Shared(
                source=source,
                entity=entity,
                buffer=self._buffer,
                caution=self._caution,
                progress=progress,
                journal=self._journal,
                stop=self._stop,
                close=self._close,
                plan=reading.plan,
                handing=self._handing(entity),
            )
            self._links[entity] = _links(shared)

    def open(self) -> None:
        """Open every link and wait until each is ready.

        Raises:
            ServiceUnreachable: A link cannot be opened.
            NotPermitted: The credential does not let us.
        """
        for link in self._all():
            link.start()
        deadline = time.monotonic() + _OPEN_TIMEOUT
        for link in self._all():
            if not link.ready.wait(max(0.0, deadline - time.monotonic())):
                raise ServiceUnreachable(
                    "Service Bus did not answer in time; try again, or look at its status"
                )
            if link.error is not None:
                raise link.error

    def take(self, timeout: float) -> MicroBatch | None:
        """Return the next micro-batch, or ``None`` after at most so many seconds."""
        return self._buffer.take(timeout)

    @property
    def finished(self) -> bool:
        """Whether no further micro-batch will come."""
        ended = self._stop.is_set() or all(progress.ended for progress in self._progress.values())
        return ended and self._buffer.empty

    @property
    def careful(self) -> bool:
        """Whether what is under way has failed so often that it should be committed at once."""
        return self._caution.careful

    @property
    def blocked(self) -> list[str]:
        """The entities whose reading ended before messages that are to stay where they are."""
        return [entity for entity, progress in self._progress.items() if progress.blocked]

    @property
    def in_flight(self) -> int:
        """Messages received and not yet settled."""
        return self._buffer.in_flight

    def stop(self) -> None:
        """Receive no more.  What was received still goes through."""
        self._stop.set()
        self._buffer.wake()

    def settle(self, batch: DispositionBatch) -> None:
        """Hand dispositions to the links that hold the messages; returns at once."""
        links = self._links[batch.entity]
        if len(links) == 1:
            links[0].settle(batch.dispositions)
            return
        shares: dict[int, list[Disposition]] = {}
        for item in batch.dispositions:
            owner = next((at for at, link in enumerate(links) if link.holds(item.lock_token)), 0)
            shares.setdefault(owner, []).append(item)
        for at, share in shares.items():
            links[at].settle(tuple(share))

    def flush(self, timeout: float = _CLOSE_TIMEOUT) -> bool:
        """Wait until everything handed in is settled; tell whether it is."""
        deadline = time.monotonic() + timeout
        return all(link.flush(max(0.0, deadline - time.monotonic())) for link in self._all())

    def close(self) -> None:
        """Settle what was handed in, give back the rest, and end the threads."""
        self._stop.set()
        self.flush()
        self._close.set()
        for link in self._all():
            if link.is_alive():
                link.join(_CLOSE_TIMEOUT)
        if self._trials is not None:
            self._trials.close()
        if self._journal is not None:
            self._journal.close()

    def _handing(self, entity: str) -> Handing | None:
        if self._trials is None or not _handed_back(self._source, entity):
            return None
        return Handing(self._trials, Unlocked(max(self._source.renew_for, _UNTOLD)))

    def _all(self) -> Iterator[Link]:
        for links in self._links.values():
            yield from links


def _handed_back(source: ServiceBusSource, entity: str) -> bool:
    """Tell whether messages may be handed back while they are worked on; a session is read in its order."""
    return not (source.sessions_of(entity) or Address.parse(entity).dead_letters)


def _trials(reading: Reading) -> Trials | None:
    """Return what the process died of, where a reading can have died of it and can write it down."""
    source, plan = reading.source, reading.plan
    whole = not plan.numbers and plan.limit is None and plan.selection.everything
    if reading.journal is None or not whole or not any(_handed_back(source, e) for e in source.entities):
        return None
    return Trials(Path(reading.journal), source.max_deliveries)


def _links(shared: Shared) -> list[Link]:
    """Return the links an entity is read by, not yet started."""
    source = shared.source
    if shared.plan.numbers:
        return [DeferredLink(shared, 0)]
    if sessions := source.sessions_of(shared.entity):
        return [SessionLink(shared, number) for number in range(sessions)]
    return [Link(shared, number) for number in range(source.receivers)]


_lock = threading.Lock()
_open: dict[Reading, Intake] = {}


def intake_of(reading: Reading) -> Intake:
    """Return the process's intake of a source, opened if it is not.

    Raises:
        BridgeError: It cannot be opened.
    """
    with _lock:
        intake = _open.get(reading)
        if intake is None:
            intake = Intake(reading)
            try:
                intake.open()
            except BridgeError:
                intake.close()
                raise
            _open[reading] = intake
        return intake


def intake_holding(source: ServiceBusSource) -> Intake | None:
    """Return the process's open intake that reads a source, or ``None``."""
    with _lock:
        return next((intake for reading, intake in _open.items() if reading.source == source), None)


def stop_reading() -> None:
    """Ask every intake of the process to receive no more."""
    with _lock:
        for intake in _open.values():
            intake.stop()


def close_intakes() -> None:
    """Close every intake of the process."""
    with _lock:
        intakes = list(_open.values())
        _open.clear()
    for intake in intakes:
        intake.close()


@contextmanager
def reading_from(reading: Reading) -> Iterator[Intake]:
    """Hold the intake of a source open for the length of a block, then close all.

    Raises:
        BridgeError: It cannot be opened.
    """
    try:
        yield intake_of(reading)
    finally:
        close_intakes()
