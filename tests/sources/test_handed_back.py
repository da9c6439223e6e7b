"""What failed often is worked on without a lock, so that a process that dies burns no delivery of it."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from cdsbridge.emulator.entities.clock import ShiftedClock
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.counters import counters
from cdsbridge.model.envelope import MicroBatch
from cdsbridge.model.verdict import Reason, Verdict
from cdsbridge.sources import Ending, ServiceBusSource
from cdsbridge.sources.intake import Reading, reading_from
from cdsbridge.sources.journal import read_journal
from cdsbridge.sources.plan import ReadPlan

from .reading import batches, depth, dispositions, settle_all, take, wait_until

SourceOf = Callable[..., ServiceBusSource]
MakeQueue = Callable[..., str]
Send = Callable[[str, int], None]

POISON = b"body 7"
LOCK = 30.0


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    counters.reset()


def fail(bus: RunningBroker, queue: str, times: int) -> None:
    """Let everything in a queue be received and its locks lapse, so often."""

    def on(namespace: Namespace) -> None:
        entity = namespace.queue(queue)
        for _ in range(times):
            entity.lapse([got.token for got in entity.receive(1000, lock=True) if got.token])

    bus.call(on)


def delivery_counts(bus: RunningBroker, queue: str) -> list[int]:
    return bus.call(lambda namespace: [m.delivery_count for m in namespace.queue(queue).peek(1, 1000)])


@pytest.mark.parametrize("receivers", [1, 2])
def test_what_failed_often_is_not_held_while_it_is_worked_on_and_is_settled_by_its_verdict(
    receivers: int,
    bus: RunningBroker,
    make_queue: MakeQueue,
    send: Send,
    source_of: SourceOf,
    tmp_path: Path,
) -> None:
    queue = make_queue()
    send(queue, 3)
    fail(bus, queue, 5)
    source = source_of(queue, receivers=receivers)
    with reading_from(Reading(source, Ending.at_mark(), str(tmp_path))) as intake:
        found = take(intake, 3)
        assert [envelope.lock_token for envelope in found] == [None] * 3
        wait_until(lambda: (depth(bus, queue)["active"], depth(bus, queue)["locked"]) == (3, 0))
        assert intake.take(0.5) is None, "they go in a circle"
        intake.settle(dispositions(MicroBatch(queue, tuple(found[:2]))))
        rejected = Verdict.rejected(Reason.NO_KEY, "it has no key")
        intake.settle(dispositions(MicroBatch(queue, tuple(found[2:])), rejected))
        assert settle_all(intake) == []
        wait_until(lambda: intake.in_flight == 0)
    assert (depth(bus, queue)["active"], depth(bus, queue)["locked"]) == (0, 0)
    (dead,) = bus.call(lambda namespace: namespace.queue(f"{queue}/$DeadLetterQueue").peek(1, 10))
    assert (dead.sequence_number, dead.dead_letter["DeadLetterReason"]) == (3, "no-key")
    for event in ("received", "settled"):
        assert sorted(number for _, number, _ in read_journal(tmp_path, event)) == [1, 2, 3]


def test_what_another_consumer_settled_meanwhile_holds_nothing_up(
    bus: RunningBroker,
    client: ServiceBusClient,
    make_queue: MakeQueue,
    send: Send,
    source_of: SourceOf,
    tmp_path: Path,
) -> None:
    queue = make_queue()
    send(queue, 2)
    fail(bus, queue, 5)
    with reading_from(Reading(source_of(queue), Ending.never(), str(tmp_path))) as intake:
        found = take(intake, 2)
        with client.get_queue_receiver(queue) as other:
            for message in other.receive_messages(2, max_wait_time=5):
                other.complete_message(message)
        intake.settle(dispositions(MicroBatch(queue, tuple(found))))
        send(queue, 1)
        (envelope,) = take(intake, 1)
        assert envelope.lock_token is not None
        intake.settle(dispositions(MicroBatch(queue, (envelope,))))
        wait_until(lambda: depth(bus, queue)["active"] == depth(bus, queue)["locked"] == 0)


def test_a_bridge_that_ends_in_order_leaves_no_death_behind(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf, tmp_path: Path
) -> None:
    queue = make_queue()
    send(queue, 1)
    fail(bus, queue, 9)
    for _ in range(2):
        with reading_from(Reading(source_of(queue), Ending.never(), str(tmp_path))) as intake:
            (envelope,) = take(intake, 1)
            assert envelope.lock_token is None
    assert delivery_counts(bus, queue) == [9]


def test_dead_letters_limited_passes_and_bridges_without_a_state_keep_what_they_read(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf, tmp_path: Path
) -> None:
    queue = make_queue()
    dead_letters = f"{queue}/$DeadLetterQueue"
    send(queue, 1)
    fail(bus, queue, 10)
    send(queue, 1)
    fail(bus, queue, 5)
    fail(bus, dead_letters, 5)
    for entity, journal, plan in (
        (dead_letters, str(tmp_path), ReadPlan()),
        (queue, str(tmp_path), ReadPlan(limit=1)),
        (queue, None, ReadPlan()),
    ):
        with reading_from(Reading(source_of(entity), Ending.never(), journal, plan)) as intake:
            (envelope,) = take(intake, 1)
        assert envelope.delivery_count >= 5
        assert envelope.lock_token is not None
    assert not (tmp_path / "under-way.json").exists()


def live(connection: str, folder: str, dies_after: int | None) -> None:
    """Read queue ``q`` in this process until it is empty, or the process dies."""
    source = ServiceBusSource.model_validate(
        {"connection_string": connection, "entities": ["q"], "wait": 0.2, "batch": 5}
    )
    with reading_from(Reading(source, Ending.at_mark(), folder)) as intake:
        for passed, batch in enumerate(batches(intake)):
            if passed == dies_after or POISON in {envelope.body for envelope in batch.envelopes}:
                os.kill(os.getpid(), signal.SIGKILL)
            with Path(folder, "committed").open("a") as file:
                file.writelines(f"{envelope.sequence_number}\n" for envelope in batch.envelopes)
            intake.settle(dispositions(batch))


class Mortal:
    """A bus with one queue, and a process that reads it and dies."""

    def __init__(self, bus: RunningBroker, clock: ShiftedClock, folder: Path) -> None:
        self.bus = bus
        self._clock = clock
        self._folder = folder
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload([__name__])

    def send(self, bodies: list[str]) -> None:
        with (
            ServiceBusClient.from_connection_string(self.bus.connection_string) as client,
            client.get_queue_sender("q") as sender,
        ):
            sender.send_messages([ServiceBusMessage(body) for body in bodies])

    def live(self, dies_after: int | None) -> bool:
        """Run one life, until the queue is empty or the process is killed; tell whether it was."""
        process = self._processes.Process(
            target=live, args=(self.bus.connection_string, str(self._folder), dies_after)
        )
        process.start()
        process.join(60)
        if process.exitcode not in (0, -signal.SIGKILL):
            raise AssertionError(f"the process ended with {process.exitcode}")
        self.bus.call(lambda _: self._clock.advance(LOCK + 1))
        return process.exitcode != 0

    @property
    def committed(self) -> set[int]:
        return {int(line) for line in (self._folder / "committed").read_text().split()}

    @property
    def dead_letters(self) -> list[bytes]:
        if depth(self.bus, "q")["dead_lettered"] == 0:
            return []
        with (
            ServiceBusClient.from_connection_string(self.bus.connection_string) as client,
            client.get_queue_receiver("q", sub_queue="deadletter") as receiver,
        ):
            return [b"".join(message.body) for message in receiver.peek_messages(100)]


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Mortal]:
    clock = ShiftedClock()
    namespace = Namespace(clock)
    with run_in_thread(namespace, clock=clock) as bus:
        settings = QueueSettings(lock_duration=LOCK, max_delivery_count=10)
        bus.call(lambda on: on.create_queue("q", settings))
        yield Mortal(bus, clock, tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_forty_kills_in_a_row_before_any_commit_make_no_dead_letter(mortal: Mortal) -> None:
    mortal.send([f"good {n}" for n in range(60)])
    for _ in range(40):
        assert mortal.live(dies_after=0)
    assert not mortal.live(dies_after=None)
    assert mortal.dead_letters == []
    assert mortal.committed == set(range(1, 61))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_message_that_kills_the_process_each_time_is_dead_lettered_alone(mortal: Mortal) -> None:
    mortal.send([f"body {n}" for n in range(600)])
    kills = 0
    while mortal.live(dies_after=None):
        kills += 1
        assert kills < 20
    assert mortal.dead_letters == [POISON]
    assert mortal.committed == set(range(1, 601)) - {8}
