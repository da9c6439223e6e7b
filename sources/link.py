"""One receiving link: receives, renews and settles, all on a thread of its own.

The SDK's receiver may be used by one thread only, and the link that received
a message is the best one to settle it, so both happen here.  Other threads
hand in what is to be settled and wait for nothing.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

from azure.servicebus import ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusServerBusyError

from ..model.counters import counters
from ..model.envelope import Envelope, MicroBatch
from ..model.errors import BridgeError, SinkUnavailable
from ..model.failpoints import reach
from ..model.verdict import Disposition, Verdict
from .buffer import Buffer
from .caution import Caution
from .config import ServiceBusSource
from .connect import open_client, open_receiver
from .convert import Received, from_message, from_transfer, leave_transfers_unbuilt, now_us
from .explain import explain
from .journal import Journal, Key
from .keep_alive import listen_alone
from .plan import ReadPlan
from .progress import Progress
from .settlement import Held
from .settler import Settler
from .sifting import Handing, Sifting
from .throttling import Waits
from .unlocked import Gone
from .watchdog import Watchdog

_log = logging.getLogger(__name__)

SHORT_WAIT: Final = 0.1
"""Seconds a receive waits while something may have to be settled."""
_BACKOFF_MAX: Final = 30.0
"""Seconds between two tries to reopen a link, at most."""
_JOURNAL_PAUSE: Final = 2.0
"""Seconds without receiving after the journal could not be written; locks are renewed meanwhile."""


class Shared(NamedTuple):
    """What the links of one entity have in common."""

    source: ServiceBusSource
    entity: str
    buffer: Buffer
    caution: Caution
    progress: Progress
    journal: Journal | None
    stop: threading.Event
    """No more receiving, in the whole intake."""
    close: threading.Event
    """Settle what was handed in, then end."""
    plan: ReadPlan = ReadPlan()
    handing: Handing | None = None
    """What is needed to work on messages without a lock, where that can be done."""


class Link(threading.Thread):
    """A thread around one receiver, reopened when it breaks."""

    def __init__(self, shared: Shared, number: int) -> None:
        super().__init__(name=f"link-{shared.entity}-{number}", daemon=True)
        self._shared = shared
        self._handed: queue.SimpleQueue[tuple[Disposition, ...]] = queue.SimpleQueue()
        self._settler = self._make_settler()
        self._sifting = Sifting(
            shared.entity, shared.plan, shared.progress, self._settler, shared.caution, shared.handing
        )
        self._watchdog = Watchdog(shared.source.stalled_after)
        self._waits = Waits()
        self._reduce: Callable[[Any, str, int], Received] = from_message
        self._idle = threading.Event()
        self._held_up_until = 0.0
        self.ready = threading.Event()
        self.error: BridgeError | None = None
        """Why the link could not be opened the first time."""

    def _make_settler(self) -> Settler:
        return Settler(self._shared.source, self._shared.entity, self._drop)

    def settle(self, dispositions: tuple[Disposition, ...]) -> None:
        """Hand in dispositions, to be settled soon."""
        self._handed.put(dispositions)
        self._idle.clear()

    def holds(self, token: bytes | None) -> bool:
        """Tell whether this link received the message with this lock."""
        return token is not None and self._settler.holds(token)

    def flush(self, timeout: float) -> bool:
        """Wait until everything handed in is settled or given up; tell whether it is."""
        return self._idle.wait(timeout)

    def run(self) -> None:
        """Open, serve, reopen; end when told to close, or when the first opening fails."""
        pause = 0.5
        while not self._done():
            begun = time.monotonic()
            try:
                self._connect_and_serve()
            except Exception as error:  # noqa: BLE001 - a thread that dies in silence would end the stream
                told = explain(error, self._shared.source, self._shared.entity)
                _log.debug("link of %s broke", self._shared.entity, exc_info=error)
                if not self.ready.is_set():
                    self.error = told
                    self.ready.set()
                    break
                counters.add("reconnects")
                served = time.monotonic() - begun > _BACKOFF_MAX
                pause = 0.5 if served or self._held_up() else pause
                _log.warning("%s; trying again in %.1f s", told, pause)
                self._shared.close.wait(pause)
                pause = min(2 * pause, _BACKOFF_MAX)
        self._idle.set()
        self._shared.buffer.wake()

    def _done(self) -> bool:
        return self._shared.close.is_set() and self._handed.empty()

    def _connect_and_serve(self) -> None:
        source, entity = self._shared.source, self._shared.entity
        with open_client(source) as client, ExitStack() as receivers:
            receivers.callback(self._settler.staying.closed)
            receiver = receivers.enter_context(open_receiver(client, entity, source))
            self._shared.progress.opened(receiver)
            self._opened(receiver)
            while not self._done():
                if self._settler.staying.full:
                    self._settler.pause()
                    receiver = receivers.enter_context(open_receiver(client, entity, source))
                    self._opened(receiver)
                if self._ask(receiver):
                    self._receive_or_wait(receiver)
            self._settler.let_go()

    def _ask(self, receiver: ServiceBusReceiver) -> bool:
        """Ask the broker for all that is due but messages; wait a while, and tell, if it is busy.

        Renewing comes first: a lock does not wait until the broker has time to settle.
        """
        try:
            self._settler.renew_due(self._shared.source.renew_for)
            self._settle_handed()
            if self._receiving():
                self._look(receiver)
        except ServiceBusServerBusyError as error:
            self._wait_out(error)
            return False
        self._waits.over()
        return True

    def _look(self, receiver: ServiceBusReceiver) -> None:
        """Find out whether the ending has come, or messages wait in vain."""
        self._shared.progress.check(receiver)
        self._watchdog.look(receiver, self._shared.progress.first_unknown(len(self._settler.staying)))

    def _wait_out(self, error: ServiceBusServerBusyError) -> None:
        """Give a broker that is busy time, on the link that is open."""
        pause = self._waits.next()
        counters.add("throttled")
        told = explain(error, self._shared.source, self._shared.entity)
        _log.warning("%s; asking again in %.1f s", told, pause)
        self._settler.pause()
        self._shared.close.wait(pause)
        self._watchdog.rest()

    def _opened(self, receiver: ServiceBusReceiver) -> None:
        """Use a receiver that has connected."""
        self._settler.opened(receiver)
        self._watchdog.rest()
        unbuilt = not self._settler.needs_messages and leave_transfers_unbuilt(receiver)
        self._reduce = from_transfer if unbuilt else from_message
        self.ready.set()

    def _receive_or_wait(self, receiver: ServiceBusReceiver) -> int:
        """Receive what the bounds allow, or wait for something to settle; return how many came."""
        booked = granted = came = 0
        if self._receiving() and (asked := self._sifting.at_once(self._shared.source.batch)):
            booked = self._shared.progress.book(asked)
            granted = self._shared.buffer.reserve(booked)
        if not granted:
            self._shared.progress.took(booked, 0)
            self._await_work()
            return 0
        try:
            came = self._receive(receiver, granted)
        finally:
            self._shared.progress.took(booked, came)
        return came

    def _receiving(self) -> bool:
        shared = self._shared
        ended = shared.stop.is_set() or shared.close.is_set() or shared.progress.ended
        return not (ended or self._held_up())

    def _held_up(self) -> bool:
        """Tell whether receiving waits for the journal."""
        return time.monotonic() < self._held_up_until

    def _await_work(self) -> None:
        """Wait a moment for something to settle; at the bound or at the end nothing else can happen."""
        self._watchdog.rest()
        self._settler.pause()
        try:
            self._handed.put(self._handed.get(timeout=SHORT_WAIT))
        except queue.Empty:
            return

    def _receive(self, receiver: ServiceBusReceiver, granted: int) -> int:
        listen_alone(receiver, alone=True)
        wait = SHORT_WAIT if self._settler.held else self._shared.source.wait
        envelopes: tuple[Envelope, ...] = ()
        arrived = Gone(0, 0)
        try:
            envelopes, arrived = self._take_over(self._messages(receiver, granted, wait))
        finally:
            self._shared.buffer.arrived(granted, *arrived)
        if envelopes:
            self._write_down(envelopes)
            self._count(envelopes)
            reach("received")
            self._shared.buffer.put(MicroBatch(self._shared.entity, envelopes))
        return len(envelopes)

    def _messages(self, receiver: ServiceBusReceiver, count: int, wait: float) -> Sequence[Any]:
        """Return what the SDK receives, at most so many."""
        return receiver.receive_messages(count, max_wait_time=wait)

    def _take_over(self, messages: Sequence[Any]) -> tuple[tuple[Envelope, ...], Gone]:
        """Reduce messages to envelopes; return those that go on, and how much is under way now.

        Those that ended before are only settled.
        """
        shared, now = self._shared, now_us()
        if messages:
            self._watchdog.came()
        sifted = self._sifting.sift([self._reduce(message, shared.entity, now) for message in messages])
        taken = [*sifted.going, *(item for item, _ in sifted.ended)]
        self._settler.hold(taken)
        self._settler.take([_disposition(item.envelope, verdict) for item, verdict in sifted.ended])
        shared.progress.received([item.envelope.sequence_number for item in taken])
        arrived = Gone(len(taken), sum(len(item.envelope.body) for item in taken))
        return tuple(item.envelope for item in sifted.going), arrived

    @staticmethod
    def _count(envelopes: Sequence[Envelope]) -> None:
        counters.add("received", len(envelopes))
        counters.add("redelivered", sum(envelope.delivery_count > 0 for envelope in envelopes))
        counters.add("received_bytes", sum(len(envelope.body) for envelope in envelopes))

    def _write_down(self, envelopes: Sequence[Envelope]) -> None:
        """Enter messages in the journal; if that fails, give them back untouched."""
        journal = self._shared.journal
        if journal is None:
            return
        try:
            for entity, keys in _by_entity(envelopes).items():
                journal.write("received", entity, keys)
            self._sifting.begin(envelopes)
        except OSError as error:
            self._settler.give_back([envelope.lock_token for envelope in envelopes])
            self._uncount(self._sifting.give_up(envelopes))
            self._held_up_until = time.monotonic() + _JOURNAL_PAUSE
            raise SinkUnavailable(
                f"the journal cannot be written: {error}; receiving waits for it"
            ) from error

    def _settle_handed(self) -> None:
        self._uncount(self._sifting.overdue())
        while True:
            try:
                dispositions = self._handed.get_nowait()
            except queue.Empty:
                if self._settler.settle_pending():
                    self._idle.set()
                return
            self._uncount(self._sifting.note(dispositions))
            self._settler.take(self._sifting.to_settle(dispositions))

    def _uncount(self, gone: Gone) -> None:
        """Take messages out of the count."""
        if gone.messages:
            self._shared.progress.dropped(gone.messages)
            self._sifting.ended(gone.messages)
            self._shared.buffer.ended(*gone)

    def _drop(self, held: Sequence[Held], settled: bool) -> None:
        """Take messages out of the count, whatever became of them."""
        self._uncount(Gone(len(held), sum(item.size for item in held)))
        if not settled:
            self._sifting.lay_down([(item.entity, item.sequence_number, item.enqueued_at) for item in held])
        if settled and self._shared.journal is not None:
            self._note_settled(self._shared.journal, held)

    def _note_settled(self, journal: Journal, held: Sequence[Held]) -> None:
        try:
            for entity, keys in _by_entity(held).items():
                journal.write("settled", entity, keys)
        except OSError as error:
            _log.warning("the journal cannot be written: %s; it lacks %d settled messages", error, len(held))


def _disposition(envelope: Envelope, verdict: Verdict) -> Disposition:
    return Disposition(envelope.sequence_number, envelope.enqueued_at, envelope.lock_token, verdict)


def _by_entity(messages: Sequence[Envelope] | Sequence[Held]) -> dict[str, list[Key]]:
    """Return what names messages in the journal, by the entity their envelopes name."""
    found: dict[str, list[Key]] = {}
    for each in messages:
        found.setdefault(each.entity, []).append((each.sequence_number, each.enqueued_at))
    return found
