"""The broker goes away in every way it has; reading goes on and loses nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import azure.servicebus
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver

from cdsbridge.emulator.entities.clock import ShiftedClock
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import Fault, Kind, Point, RunningBroker, run_in_thread
from cdsbridge.model.counters import counters
from cdsbridge.model.envelope import MicroBatch
from cdsbridge.model.verdict import Reason, Verdict
from cdsbridge.sources import Ending, ServiceBusSource
from cdsbridge.sources.intake import Reading, reading_from

from .reading import COMMITTED, depth, dispositions, take, wait_until

SourceOf = Callable[..., ServiceBusSource]
MakeQueue = Callable[..., str]
Send = Callable[[str, int], None]

SDK = tuple(int(part) for part in azure.servicebus.__version__.split(".")[:2])


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    counters.reset()


@pytest.fixture(autouse=True)
def _disarmed(bus: RunningBroker) -> Iterator[None]:
    yield
    bus.disarm()


@pytest.mark.skipif(SDK < (7, 15), reason="azure-servicebus before 7.15 reads a silent socket without end")
def test_a_connection_that_goes_silent_is_noticed_and_opened_anew(
    bus: RunningBroker,
    make_queue: MakeQueue,
    send: Send,
    source_of: SourceOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cdsbridge.sources.watchdog.PATIENCE", 1.0)
    queue = make_queue(lock_duration=2.0)
    with reading_from(Reading(source_of(queue, stalled_after=1.0), Ending.never(), None)) as intake:
        silence = bus.arm(Fault(Kind.SILENCE, Point.DELIVER, entity=queue))
        send(queue, 3)
        seen: set[int] = set()
        while len(seen) < 3:
            batch = MicroBatch(queue, tuple(take(intake, 1)))
            intake.settle(dispositions(batch))
            seen |= {envelope.sequence_number for envelope in batch.envelopes}
        wait_until(lambda: depth(bus, queue)["active"] == depth(bus, queue)["locked"] == 0)
    assert bus.hits(silence) == 1
    assert counters.read()["reconnects"] >= 1


@pytest.mark.skipif(SDK < (7, 15), reason="azure-servicebus before 7.15 reads a silent socket without end")
def test_a_connection_that_goes_silent_under_held_messages_is_opened_anew(
    bus: RunningBroker,
    make_queue: MakeQueue,
    send: Send,
    source_of: SourceOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cdsbridge.sources.settler.PATIENCE", 1.0)
    queue = make_queue(lock_duration=2.0)
    send(queue, 3)
    source = source_of(queue, retries={"total": 0})
    with reading_from(Reading(source, Ending.never(), None)) as intake:
        silence = bus.arm(Fault(Kind.SILENCE, Point.REQUEST, entity=queue))
        take(intake, 3)
        wait_until(lambda: counters.read()["reconnects"] > 0)
        seen: set[int] = set()
        while depth(bus, queue)["active"] or depth(bus, queue)["locked"]:
            batch = intake.take(0.1)
            if batch is not None:
                seen |= {envelope.sequence_number for envelope in batch.envelopes}
                intake.settle(dispositions(batch))
    assert bus.hits(silence) == 1
    assert seen == {1, 2, 3}


@pytest.mark.skipif(SDK < (7, 15), reason="azure-servicebus before 7.15 reads a silent socket without end")
def test_a_connection_that_goes_silent_while_settling_is_opened_anew(
    bus: RunningBroker,
    make_queue: MakeQueue,
    send: Send,
    source_of: SourceOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cdsbridge.sources.settlement.PATIENCE", 1.0)
    queue = make_queue(lock_duration=120.0)
    send(queue, 3)
    with reading_from(Reading(source_of(queue), Ending.never(), None)) as intake:
        silence = bus.arm(Fault(Kind.SILENCE, Point.SETTLE, entity=queue))
        intake.settle(dispositions(MicroBatch(queue, tuple(take(intake, 3)))))
        wait_until(lambda: depth(bus, queue)["active"] == depth(bus, queue)["locked"] == 0)
    assert bus.hits(silence) == 1
    assert counters.read()["reconnects"] == 1


ON_THE_LINK = {Point.SETTLE, Point.SETTLED}
OUTAGES = {
    "connection dropped": [Fault(Kind.DROP, Point.DELIVER, count=2)],
    "dropped before a settlement": [Fault(Kind.DROP, Point.SETTLE)],
    "dropped after a settlement": [Fault(Kind.DROP, Point.SETTLED)],
    "link detached": [Fault(Kind.DETACH, Point.DELIVER, count=2)],
    "detached by a settlement": [Fault(Kind.DETACH, Point.SETTLE)],
    "throttled": [
        Fault(Kind.REFUSE, Point.SETTLE),
        Fault(Kind.REFUSE, Point.REQUEST),
    ],
    "throttled on the way back": [
        Fault(Kind.DROP, Point.DELIVER),
        Fault(Kind.REFUSE, Point.ATTACH, count=2, skip=1, condition="com.microsoft:server-busy"),
    ],
    "token expired": [
        Fault(Kind.DETACH, Point.DELIVER, condition="amqp:unauthorized-access"),
        Fault(Kind.REFUSE, Point.AUTH, count=2, skip=1),
    ],
    "locks lost": [Fault(Kind.LOSE_LOCK, Point.DELIVER), Fault(Kind.LOSE_LOCK, Point.SETTLE)],
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_every_message_is_settled_after_an_outage(
    outage: str, bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    faults = [fault for fault in OUTAGES[outage] if SDK >= (7, 15) or fault.at not in ON_THE_LINK]
    if not faults:
        pytest.skip("azure-servicebus before 7.15 settles by requests, not on the link")
    queue = make_queue(lock_duration=2.0)
    source = source_of(queue, batch=5, retries={"total": 0})
    send(queue, 20)
    armed = [bus.arm(replace(fault, entity=queue)) for fault in faults]
    with reading_from(Reading(source, Ending.never(), None)) as intake:
        seen: set[int] = set()
        while depth(bus, queue)["active"] or depth(bus, queue)["locked"]:
            batch = intake.take(0.1)
            if batch is not None:
                seen |= {envelope.sequence_number for envelope in batch.envelopes}
                intake.settle(dispositions(batch))
        assert all(bus.hits(number) for number in armed)
    assert seen == set(range(1, 21))
    assert depth(bus, f"{queue}/$DeadLetterQueue")["active"] == 0


@pytest.mark.parametrize("ending", ["completed", "dead-lettered"])
def test_a_busy_broker_is_waited_out_on_the_link_that_is_open(
    ending: str,
    bus: RunningBroker,
    make_queue: MakeQueue,
    send: Send,
    source_of: SourceOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cdsbridge.sources.throttling._FIRST", 0.02)
    monkeypatch.setattr("cdsbridge.sources.throttling._MOST", 0.02)
    queue = make_queue(lock_duration=60.0)
    send(queue, 20)
    with reading_from(Reading(source_of(queue, retries={"total": 0}), Ending.never(), None)) as intake:
        envelopes = take(intake, 20)
        on_link = ending == "completed" and SDK >= (7, 15)
        points = [Point.SETTLE, Point.REQUEST] if on_link else [Point.REQUEST]
        first = {Point.SETTLE: 1}
        armed = [
            bus.arm(Fault(Kind.REFUSE, point, queue, count=5, skip=first.get(point, 0))) for point in points
        ]
        some = dispositions(
            MicroBatch(queue, (*envelopes[:5], *envelopes[8:])),
            COMMITTED if ending == "completed" else Verdict.rejected(Reason.NO_KEY, "It has no key."),
        )
        intake.settle(some)
        wait_until(lambda: depth(bus, queue)["locked"] == 3)
        assert bus.hits(armed[-1]) == 5
        bus.disarm()
        intake.settle(dispositions(MicroBatch(queue, tuple(envelopes[5:8]))))
        wait_until(lambda: depth(bus, queue)["locked"] == 0)
    told = counters.read()
    assert (told["reconnects"], told["settled"], told["given_up"]) == (0, 20, 0)
    assert told["throttled"] == 5 + on_link
    assert depth(bus, f"{queue}/$DeadLetterQueue")["active"] == (0 if ending == "completed" else 17)


def set_status(bus: RunningBroker, queue: str, status: str) -> None:
    bus.call(lambda namespace: namespace.create_queue(queue, QueueSettings(status=status)))


def test_an_entity_that_is_disabled_and_enabled_again_is_read_on(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    source = source_of(queue, retries={"total": 0})
    with reading_from(Reading(source, Ending.never(), None)) as intake:
        set_status(bus, queue, "ReceiveDisabled")
        bus.drop_connections()
        send(queue, 2)
        wait_until(lambda: counters.read()["reconnects"] > 1)
        set_status(bus, queue, "Active")
        assert len(take(intake, 2)) == 2


def test_an_entity_that_is_deleted_and_made_again_is_read_on(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    source = source_of(queue, retries={"total": 0})
    with reading_from(Reading(source, Ending.never(), None)) as intake:
        bus.call(lambda namespace: namespace.delete_queue(queue))
        wait_until(lambda: counters.read()["reconnects"] > 1)
        bus.call(lambda namespace: namespace.create_queue(queue))
        send(queue, 2)
        batch = MicroBatch(queue, tuple(take(intake, 2)))
        intake.settle(dispositions(batch))
        wait_until(lambda: depth(bus, queue)["locked"] == depth(bus, queue)["active"] == 0)


def test_a_link_that_was_idle_for_ten_minutes_is_opened_anew(source_of: SourceOf) -> None:
    clock, namespace = ShiftedClock(), Namespace()
    namespace.create_queue("q")
    with run_in_thread(namespace, clock=clock, idle_limits=True) as bus:
        source = source_of("q", connection_string=bus.connection_string)
        with reading_from(Reading(source, Ending.never(), None)) as intake:
            bus.call(lambda _: clock.advance(601))
            wait_until(lambda: counters.read()["reconnects"] > 0)
            with ServiceBusClient.from_connection_string(bus.connection_string) as other:
                with other.get_queue_sender("q") as sender:
                    sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
                assert len(take(intake, 2)) == 2


def test_a_link_that_brings_nothing_while_messages_wait_is_opened_anew_and_counted(
    bus: RunningBroker,
    make_queue: MakeQueue,
    send: Send,
    source_of: SourceOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = make_queue()
    send(queue, 3)
    receive, deaf = ServiceBusReceiver.receive_messages, set[int]()

    def receive_nothing_at_first(self: ServiceBusReceiver, *args: Any, **options: Any) -> Any:
        deaf.add(id(self))
        return receive(self, *args, **options) if len(deaf) > 1 else []

    monkeypatch.setattr(ServiceBusReceiver, "receive_messages", receive_nothing_at_first)
    with reading_from(Reading(source_of(queue, stalled_after=0.5), Ending.never(), None)) as intake:
        assert len(take(intake, 3)) == 3
    assert counters.read()["stalled"] == 1


def test_a_quiet_queue_is_not_taken_for_a_stalled_link(
    client: ServiceBusClient,
    make_queue: MakeQueue,
    send: Send,
    source_of: SourceOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = make_queue()
    send(queue, 2)
    with client.get_queue_receiver(queue) as other:
        for message in other.receive_messages(2, max_wait_time=5):
            other.defer_message(message)
    looked: list[object] = []
    peek = ServiceBusReceiver.peek_messages

    def look(self: ServiceBusReceiver, *args: Any, **options: Any) -> Any:
        looked.append(options)
        return peek(self, *args, **options)

    monkeypatch.setattr(ServiceBusReceiver, "peek_messages", look)
    with reading_from(Reading(source_of(queue, stalled_after=0.2), Ending.never(), None)):
        wait_until(lambda: len(looked) > 1)
    assert counters.read()["stalled"] == counters.read()["reconnects"] == 0


def test_messages_that_failed_often_are_under_way_alone_and_nothing_is_refused_for_long(
    bus: RunningBroker, client: ServiceBusClient, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue(max_delivery_count=3)
    send(queue, 6)
    with client.get_queue_receiver(queue) as other:
        for _ in range(2):
            for message in other.receive_messages(3, max_wait_time=5):
                other.abandon_message(message)
    with reading_from(Reading(source_of(queue, max_deliveries=3), Ending.never(), None)) as intake:
        alone = []
        for _ in range(3):
            (envelope,) = take(intake, 1)
            assert depth(bus, queue)["locked"] == 1
            alone.append((envelope.sequence_number, envelope.delivery_count))
            intake.settle(dispositions(MicroBatch(queue, (envelope,))))
        rest = take(intake, 3)
        intake.settle(dispositions(MicroBatch(queue, tuple(rest))))
        wait_until(lambda: counters.read()["settled"] == 6)
    assert alone == [(1, 2), (2, 2), (3, 2)]
    assert {envelope.delivery_count for envelope in rest} == {0}


def test_nothing_is_sent_to_a_bridge_that_holds(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    send(queue, 2)
    source = source_of(queue, max_in_flight_bytes=1)
    with reading_from(Reading(source, Ending.never(), None)) as intake:
        held = take(intake, 2)
        (link,) = intake._links[queue]
        wait_until(lambda: link._settler._receiver._handler._link.current_link_credit == 0)
        send(queue, 3)
        assert depth(bus, queue)["locked"] == 2
        intake.settle(dispositions(MicroBatch(queue, tuple(held))))
        assert len(take(intake, 3)) == 3
