"""Passes over dead letters and deferred messages take what they are to take, and leave the rest as it was."""

from collections.abc import Callable
from typing import Any

import azure.servicebus
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceiver

from cdsbridge.emulator.server import Fault, Kind, Point, RunningBroker
from cdsbridge.model.counters import counters
from cdsbridge.model.verdict import Reason, Verdict
from cdsbridge.sources import Ending, ServiceBusSource
from cdsbridge.sources.connect import open_receiver
from cdsbridge.sources.intake import Reading, reading_from
from cdsbridge.sources.plan import Again, ReadPlan, Selection
from cdsbridge.sources.staying import DESCRIPTION_NOW, REASON_NOW

from .reading import batches, depth, dispositions, settle_all

SourceOf = Callable[..., ServiceBusSource]
MakeQueue = Callable[..., str]
Send = Callable[[str, int], None]

SDK = tuple(int(part) for part in azure.servicebus.__version__.split(".")[:2])
AGAIN = Verdict.rejected(Reason.BAD_VALUE, "a sentence of today")


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    counters.reset()


@pytest.fixture
def dead_letters(client: ServiceBusClient, make_queue: MakeQueue, send: Send) -> str:
    """Six dead letters, those with even numbers for another reason."""
    queue = make_queue()
    send(queue, 6)
    with client.get_queue_receiver(queue) as receiver:
        for message in receiver.receive_messages(6, max_wait_time=5):
            reason = "even" if (message.sequence_number or 0) % 2 == 0 else "odd"
            receiver.dead_letter_message(message, reason=reason, error_description="of old")
    return f"{queue}/$DeadLetterQueue"


def test_a_selection_takes_its_own_and_leaves_the_others_as_they_were(
    bus: RunningBroker, dead_letters: str, source_of: SourceOf
) -> None:
    plan = ReadPlan(selection=Selection(reasons=frozenset({"even"})))
    with reading_from(Reading(source_of(dead_letters, batch=2), Ending.at_mark(), None, plan)) as intake:
        seen = settle_all(intake)
    assert [envelope.sequence_number for envelope in seen] == [2, 4, 6]
    left = bus.call(lambda namespace: namespace.queue(dead_letters).peek(1, 10))
    assert [(m.sequence_number, m.locked_until, m.delivery_count) for m in left] == [
        (1, 0.0, 0),
        (3, 0.0, 0),
        (5, 0.0, 0),
    ]
    assert counters.read()["passed_by"] == 3


def test_more_may_stay_than_one_receiver_holds(
    bus: RunningBroker, dead_letters: str, source_of: SourceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receivers that hold as many as they may are laid aside, open, and all is given back in the end."""
    monkeypatch.setattr("cdsbridge.sources.staying._ON_ONE_RECEIVER", 1)
    plan = ReadPlan(selection=Selection(reasons=frozenset({"even"})))
    opened: list[object] = []
    with reading_from(Reading(source_of(dead_letters, batch=1), Ending.at_mark(), None, plan)) as intake:
        monkeypatch.setattr("cdsbridge.sources.link.open_receiver", _noting(opened))
        seen = settle_all(intake)
    assert [envelope.sequence_number for envelope in seen] == [2, 4, 6]
    assert len(opened) >= 2
    left = bus.call(lambda namespace: namespace.queue(dead_letters).peek(1, 10))
    assert [(m.sequence_number, m.locked_until, m.delivery_count) for m in left] == [
        (1, 0.0, 0),
        (3, 0.0, 0),
        (5, 0.0, 0),
    ]


@pytest.mark.skipif(SDK < (7, 15), reason="azure-servicebus before 7.15 is not told whether the link settled")
def test_what_a_detached_link_brought_is_given_back_by_its_locks(
    bus: RunningBroker, dead_letters: str, source_of: SourceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver laid aside for ten minutes is detached: what it brought is back at once all the same."""
    monkeypatch.setattr("cdsbridge.sources.staying._ON_ONE_RECEIVER", 1)
    plan = ReadPlan(selection=Selection(reasons=frozenset({"even"})))
    with reading_from(Reading(source_of(dead_letters, batch=1), Ending.at_mark(), None, plan)) as intake:
        assert len(settle_all(intake)) == 3
        detached = bus.arm(Fault(Kind.DETACH, Point.SETTLE, entity=dead_letters))
    assert bus.hits(detached) == 1
    left = bus.call(lambda namespace: namespace.queue(dead_letters).peek(1, 10))
    assert [(m.sequence_number, m.locked_until) for m in left] == [(1, 0.0), (3, 0.0), (5, 0.0)]
    assert [m.delivery_count for m in left] == [1, 0, 0]


def _noting(opened: list[object]) -> Callable[..., ServiceBusReceiver]:
    def noted(*given: Any) -> ServiceBusReceiver:
        receiver = open_receiver(*given)
        opened.append(receiver)
        return receiver

    return noted


def test_a_pass_is_blocked_by_more_that_stay_than_are_held(
    dead_letters: str, source_of: SourceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdsbridge.sources.progress._LEFT_AT_MOST", 2)
    plan = ReadPlan(selection=Selection(reasons=frozenset({"no such"})))
    with reading_from(Reading(source_of(dead_letters, batch=1), Ending.at_mark(), None, plan)) as intake:
        assert settle_all(intake) == []
        assert intake.blocked == [dead_letters]


def test_a_pass_ends_at_its_limit(bus: RunningBroker, dead_letters: str, source_of: SourceOf) -> None:
    plan = ReadPlan(limit=2)
    with reading_from(Reading(source_of(dead_letters), Ending.at_mark(), None, plan)) as intake:
        seen = settle_all(intake)
    assert [envelope.sequence_number for envelope in seen] == [1, 2]
    assert depth(bus, dead_letters)["active"] == 4


@pytest.mark.parametrize("again", list(Again))
def test_what_fails_again_stays_in_its_place_or_is_set_aside(
    again: Again, bus: RunningBroker, client: ServiceBusClient, dead_letters: str, source_of: SourceOf
) -> None:
    reading = Reading(source_of(dead_letters), Ending.at_mark(), None, ReadPlan(again=again))
    with reading_from(reading) as intake:
        for batch in batches(intake):
            intake.settle(dispositions(batch, AGAIN))
    assert depth(bus, dead_letters)["deferred"] == (6 if again is Again.DEFER else 0)
    assert depth(bus, dead_letters)["active"] == (0 if again is Again.DEFER else 6)
    assert depth(bus, dead_letters)["locked"] == 0
    queue = dead_letters.partition("/")[0]
    with client.get_queue_receiver(queue, sub_queue="deadletter") as receiver:
        noted = [message.application_properties or {} for message in receiver.peek_messages(6)]
    assert len(noted) == 6
    for properties in noted:
        assert properties[b"DeadLetterErrorDescription"] == b"of old"
        assert properties[REASON_NOW.encode()] == b"bad-value"
        assert properties[DESCRIPTION_NOW.encode()] == b"a sentence of today"


def test_deferred_messages_are_read_by_their_numbers_and_those_that_are_not_there_are_counted(
    bus: RunningBroker, client: ServiceBusClient, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    send(queue, 5)
    with client.get_queue_receiver(queue) as receiver:
        for message in receiver.receive_messages(5, max_wait_time=5):
            if message.sequence_number != 3:
                receiver.defer_message(message)
            else:
                receiver.abandon_message(message)
    plan = ReadPlan(numbers=(1, 4, 5, 99))
    with reading_from(Reading(source_of(queue), Ending.never(), None, plan)) as intake:
        seen = settle_all(intake)
    assert sorted(envelope.sequence_number for envelope in seen) == [1, 4, 5]
    assert counters.read()["not_found"] == 1
    assert (depth(bus, queue)["deferred"], depth(bus, queue)["active"]) == (1, 1)
