"""Receiving, renewing, settling and ending, through the real SDK over TCP."""

import math
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import azure.servicebus
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceiver

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.counters import counters
from cdsbridge.model.envelope import MicroBatch
from cdsbridge.model.errors import NotPermitted, ServiceUnreachable
from cdsbridge.model.verdict import Reason, Verdict
from cdsbridge.sources import Ending, ServiceBusSource
from cdsbridge.sources.intake import Reading, reading_from
from cdsbridge.sources.journal import Journal, read_journal

from .reading import COMMITTED, batches, depth, dispositions, take, wait_until

SourceOf = Callable[..., ServiceBusSource]
MakeQueue = Callable[..., str]
Send = Callable[[str, int], None]

SDK = tuple(int(part) for part in azure.servicebus.__version__.split(".")[:2])
"""Before 7.15 the SDK keeps what it had buffered locked when a receiver is closed."""


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    counters.reset()


def test_a_drain_ends_at_the_mark_with_everything_settled(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf, tmp_path: Path
) -> None:
    queue = make_queue()
    send(queue, 30)
    seen: list[int] = []
    with reading_from(Reading(source_of(queue, batch=7), Ending.at_mark(), str(tmp_path))) as intake:
        for batch in batches(intake):
            seen += [envelope.sequence_number for envelope in batch.envelopes]
            intake.settle(dispositions(batch))
    assert sorted(seen) == list(range(1, 31))
    assert depth(bus, queue)["active"] == depth(bus, queue)["locked"] == 0
    for event in ("received", "settled"):
        assert sorted(number for _, number, _ in read_journal(tmp_path, event)) == sorted(seen)


def test_an_empty_queue_is_drained_at_once(make_queue: MakeQueue, source_of: SourceOf) -> None:
    with reading_from(Reading(source_of(make_queue()), Ending.at_mark(), None)) as intake:
        assert list(batches(intake)) == []


def test_an_idle_ending_comes_only_when_everything_is_settled(
    make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    send(queue, 3)
    with reading_from(Reading(source_of(queue), Ending.after_idle(0.2), None)) as intake:
        batch = MicroBatch(queue, tuple(take(intake, 3)))
        waited = threading.Event()
        assert not waited.wait(1.0)
        assert not intake.finished
        intake.settle(dispositions(batch))
        wait_until(lambda: intake.finished)


def test_a_drain_waits_for_what_another_receiver_holds(
    client: ServiceBusClient, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue(lock_duration=1.0)
    send(queue, 2)
    with client.get_queue_receiver(queue) as other:
        assert len(other.receive_messages(2, max_wait_time=5)) == 2
        with reading_from(Reading(source_of(queue), Ending.at_mark(), None)) as intake:
            seen = 0
            for batch in batches(intake):
                seen += len(batch.envelopes)
                intake.settle(dispositions(batch))
    assert seen == 2


def test_locks_are_renewed_until_the_messages_are_settled(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue(lock_duration=2.0)
    send(queue, 20)
    with reading_from(Reading(source_of(queue), Ending.never(), None)) as intake:
        held = take(intake, 20)
        wait_until(lambda: counters.read()["renewed"] >= 4 * len(held))
        intake.settle(dispositions(MicroBatch(queue, tuple(held))))
        wait_until(lambda: counters.read()["settled"] == 20)
    assert {envelope.delivery_count for envelope in held} == {0}
    assert counters.read()["locks_lost"] == 0
    assert depth(bus, queue)["active"] == 0


def test_a_lock_past_its_cap_lapses_and_the_message_comes_again(
    make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue(lock_duration=1.0)
    send(queue, 1)
    with reading_from(Reading(source_of(queue, renew_for=0), Ending.never(), None)) as intake:
        first, again = take(intake, 2)
    assert (first.sequence_number, first.delivery_count) == (again.sequence_number, 0)
    assert again.delivery_count == 1


def test_a_rejected_message_is_dead_lettered_with_its_reason(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    send(queue, 4)
    with reading_from(Reading(source_of(queue), Ending.at_mark(), None)) as intake:
        for batch in batches(intake):
            intake.settle(dispositions(batch, Verdict.rejected(Reason.BAD_VALUE, "a sentence")))
    dead = bus.call(lambda namespace: namespace.queue(f"{queue}/$DeadLetterQueue").peek(1, 10))
    assert [message.dead_letter["DeadLetterReason"] for message in dead] == ["bad-value"] * 4


def test_receiving_stops_at_the_bound_and_goes_on_below_it(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    send(queue, 50)
    source = source_of(queue, max_in_flight=20, batch=15)
    with reading_from(Reading(source, Ending.at_mark(), None)) as intake:
        first = take(intake, 20)
        assert intake.take(1.0) is None
        assert depth(bus, queue)["locked"] == 20
        intake.settle(dispositions(MicroBatch(queue, tuple(first))))
        rest = 0
        for batch in batches(intake):
            assert intake.in_flight <= 20
            rest += len(batch.envelopes)
            intake.settle(dispositions(batch))
    assert rest == 30


def test_the_sdks_thread_reads_the_connection_only_while_nothing_is_received(
    make_queue: MakeQueue, send: Send, source_of: SourceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    intervals: list[float] = []

    def receive(receiver: ServiceBusReceiver, *args: Any, **options: Any) -> Any:
        intervals.append(receiver._handler._keep_alive_interval)
        return received(receiver, *args, **options)

    received = ServiceBusReceiver.receive_messages
    monkeypatch.setattr(ServiceBusReceiver, "receive_messages", receive)
    queue = make_queue()
    send(queue, 3)
    with reading_from(Reading(source_of(queue, max_in_flight=3), Ending.never(), None)) as intake:
        envelopes = take(intake, 3)
        (link,) = intake._links[queue]
        wait_until(lambda: link._settler._receiver._handler._keep_alive_interval == 5)
        intake.settle(dispositions(MicroBatch(queue, tuple(envelopes))))
        wait_until(lambda: len(intervals) > 2)
    assert set(intervals) == {math.inf}


def test_what_was_not_settled_goes_back_when_reading_stops(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue(lock_duration=300.0)
    send(queue, 5)
    with reading_from(Reading(source_of(queue), Ending.never(), None)) as intake:
        take(intake, 5)
    wait_until(lambda: depth(bus, queue)["locked"] == 0)
    assert depth(bus, queue)["active"] == 5


def test_a_broken_connection_is_reopened_and_nothing_is_lost(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    send(queue, 10)
    with reading_from(Reading(source_of(queue), Ending.never(), None)) as intake:
        held = take(intake, 10)
        bus.drop_connections()
        intake.settle(dispositions(MicroBatch(queue, tuple(held))))
        wait_until(lambda: depth(bus, queue)["locked"] == depth(bus, queue)["active"] == 0)
        send(queue, 3)
        assert len(take(intake, 3)) == 3


def test_several_queues_are_read_by_one_intake(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queues = [make_queue(), make_queue()]
    for queue in queues:
        send(queue, 10)
    seen: dict[str, int] = dict.fromkeys(queues, 0)
    with reading_from(Reading(source_of(*queues, receivers=2), Ending.at_mark(), None)) as intake:
        for batch in batches(intake):
            seen[batch.entity] += len(batch.envelopes)
            intake.settle(dispositions(batch))
    assert seen == dict.fromkeys(queues, 10)
    assert all(depth(bus, queue)["active"] == 0 for queue in queues)


def test_a_stop_ends_reading_with_what_was_received(
    make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    send(queue, 5)
    with reading_from(Reading(source_of(queue), Ending.never(), None)) as intake:
        wait_until(lambda: counters.read()["received"] == 5)
        intake.stop()
        assert sum(len(batch.envelopes) for batch in batches(intake)) == 5


def test_a_missing_queue_is_unreachable(source_of: SourceOf) -> None:
    with pytest.raises(ServiceUnreachable, match="'nowhere' does not exist"), _reading(source_of("nowhere")):
        pass


def test_a_wrong_key_is_not_permitted() -> None:
    namespace = Namespace()
    namespace.create_queue("q", QueueSettings())
    with run_in_thread(namespace, key="the right key") as bus:
        source = ServiceBusSource.model_validate(
            {"connection_string": bus.connection_string.replace("the right key", "wrong"), "entities": ["q"]}
        )
        with pytest.raises(NotPermitted, match="Listen") as caught, _reading(source):
            pass
    assert "wrong" not in str(caught.value)


def test_a_host_that_does_not_answer_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    connection = (
        f"Endpoint=sb://localhost:{port};SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true"
    )
    source = ServiceBusSource.model_validate({"connection_string": connection, "entities": ["q"]})
    with pytest.raises(ServiceUnreachable, match="cannot be reached"), _reading(source):
        pass


def _reading(source: ServiceBusSource):  # type: ignore[no-untyped-def]
    return reading_from(Reading(source, Ending.never(), None))


def test_a_journal_that_cannot_be_written_holds_the_receiving_and_burns_no_delivery(
    bus: RunningBroker,
    make_queue: MakeQueue,
    send: Send,
    source_of: SourceOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gives_back_all = SDK >= (7, 15)
    queue = make_queue(lock_duration=300.0 if gives_back_all else 3.0)
    send(queue, 5)
    failed = threading.Event()
    write = Journal.write

    def fail_once(self: Journal, *entry: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError(28, "No space left on device")
        write(self, *entry)

    monkeypatch.setattr(Journal, "write", fail_once)
    with reading_from(Reading(source_of(queue), Ending.never(), str(tmp_path))) as intake:
        assert failed.wait(30)
        envelopes = take(intake, 5)
        assert {envelope.delivery_count for envelope in envelopes} == {0} or not gives_back_all
        assert intake.in_flight >= 5
        intake.settle(dispositions(MicroBatch(queue, tuple(envelopes))))
        wait_until(lambda: counters.read()["settled"] == 5)
    assert depth(bus, queue)["active"] == 0


def test_a_dead_letter_that_is_rejected_again_stays(
    bus: RunningBroker, client: ServiceBusClient, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue(lock_duration=1.0)
    send(queue, 4)
    with client.get_queue_receiver(queue) as receiver:
        for message in receiver.receive_messages(4, max_wait_time=5):
            receiver.dead_letter_message(message, reason="first", error_description="a sentence")
    path = f"{queue}/$DeadLetterQueue"
    with reading_from(Reading(source_of(path), Ending.at_mark(), None)) as intake:
        for batch in batches(intake):
            for envelope in batch.envelopes:
                bad = envelope.sequence_number == 2
                verdict = Verdict.rejected(Reason.BAD_VALUE, "again") if bad else COMMITTED
                intake.settle(dispositions(MicroBatch(path, (envelope,)), verdict))
    left = bus.call(lambda namespace: namespace.queue(path).peek(1, 10))
    assert [(message.sequence_number, message.dead_letter["DeadLetterReason"]) for message in left] == [
        (2, "first")
    ]
