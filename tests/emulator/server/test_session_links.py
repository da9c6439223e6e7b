"""Links to entities with sessions, as a client made of frames sees them."""

from collections.abc import Callable
from typing import Any

import pytest

from cdsbridge.emulator.amqp.endpoints import Source, Target
from cdsbridge.emulator.amqp.performatives import Attach, Detach, Transfer
from cdsbridge.emulator.amqp.types import Described, Symbol, UInt
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread

from .session_messages import put

FILTER = "com.microsoft:session-filter"
Connect = Callable[[int], Any]


def attach(wire: Any, queue: str, filters: dict[Any, Any], properties: dict[Any, Any] | None = None) -> None:
    wire.say(Attach("in", 0, True, 0, 1, Source(queue, filter=filters), Target("me"), properties=properties))


def test_the_wait_for_the_next_session_ends_though_nothing_else_happens(connect: Connect) -> None:
    namespace = Namespace()
    namespace.create_queue("q", QueueSettings(requires_session=True))
    with run_in_thread(namespace) as broker:
        wire = connect(broker.port)
        wire.begin()
        attach(wire, "q", {Symbol(FILTER): None}, {Symbol("com.microsoft:timeout"): UInt(100)})
        assert wire.hear(Attach).source is None


@pytest.mark.parametrize(
    ("properties", "patience"), [(None, 65), ({Symbol("com.microsoft:timeout"): UInt(2000)}, 2)]
)
def test_the_wait_for_the_next_session_ends_by_the_brokers_clock(
    trains: RunningBroker,
    connect: Connect,
    own_queue: str,
    trains_wait: Callable[[float], None],
    properties: dict[Any, Any] | None,
    patience: float,
) -> None:
    wire = connect(trains.port)
    wire.begin()
    attach(wire, own_queue, {Symbol(FILTER): None}, properties)
    wire.send_to("plain")
    trains_wait(patience - 0.5)
    assert wire.send_to("plain", handle=2).target is not None
    trains_wait(0.5)
    assert wire.hear(Attach).source is None
    detach = wire.hear(Detach)
    assert detach.error is not None
    assert detach.error.condition == "com.microsoft:timeout"


def test_a_waiting_link_gets_the_session_whose_receiver_vanishes(
    trains: RunningBroker, connect: Connect, own_queue: str
) -> None:
    put(trains, own_queue, "a1")
    first, second = connect(trains.port), connect(trains.port)
    for wire in (first, second):
        wire.begin()
    attach(first, own_queue, {Symbol(FILTER): "a"})
    assert first.hear(Attach).source.filter == {FILTER: "a"}
    attach(second, own_queue, {Symbol(FILTER): Described(Symbol(FILTER), None)})
    second.credit(1)
    second.send_to("plain")
    first.socket.close()
    assert second.hear(Attach).source.filter == {FILTER: Described(FILTER, "a")}
    assert second.hear(Transfer).handle == 0


def test_one_who_receives_and_deletes_is_not_parted_with_at_the_very_lapse(
    trains: RunningBroker, connect: Connect, session_id: str, trains_wait: Callable[[float], None]
) -> None:
    wire = connect(trains.port)
    wire.begin()
    source = Source("trains", filter={Symbol(FILTER): session_id})
    wire.say(Attach("in", 0, True, 1, 0, source, Target("me")))
    wire.hear(Attach)
    trains_wait(60)
    assert wire.send_to("plain").target is not None
    assert trains.call(lambda namespace: namespace.queue("trains").accept_session(session_id)) is not None
    error = wire.hear(Detach).error
    assert error is not None
    assert error.condition == "com.microsoft:session-lock-lost"


def test_links_of_an_entity_that_is_deleted_are_told_so(trains: RunningBroker, connect: Connect) -> None:
    settings = QueueSettings(requires_session=True)
    trains.call(lambda namespace: namespace.create_queue("short", settings))
    holding, waiting = connect(trains.port), connect(trains.port)
    for wire, wanted in ((holding, "a"), (waiting, None)):
        wire.begin()
        attach(wire, "short", {Symbol(FILTER): wanted})
        wire.credit(1)
        wire.send_to("plain") if wanted is None else wire.hear(Attach)
    trains.call(lambda namespace: namespace.delete_queue("short"))
    assert waiting.hear(Attach).source is None
    for wire in (holding, waiting):
        error = wire.hear(Detach).error
        assert error is not None
        assert error.condition == "amqp:not-found"


def test_a_link_that_goes_waits_no_more(trains: RunningBroker, connect: Connect, own_queue: str) -> None:
    wire = connect(trains.port)
    wire.begin()
    attach(wire, own_queue, {Symbol(FILTER): None})
    wire.say(Detach(0, closed=True))
    wire.hear(Detach)
    put(trains, own_queue, "a1")
    assert trains.call(lambda namespace: namespace.queue(own_queue).accept_session("a")) is not None


@pytest.mark.parametrize(
    ("address", "wanted", "condition"),
    [("trains", 7, "amqp:invalid-field"), ("trains/$DeadLetterQueue", "a", "amqp:not-allowed")],
    ids=["a number", "a dead-letter queue"],
)
def test_a_session_that_cannot_be_is_refused(
    trains: RunningBroker, connect: Connect, address: str, wanted: object, condition: str
) -> None:
    wire = connect(trains.port)
    wire.begin()
    attach(wire, address, {Symbol(FILTER): wanted})
    assert wire.hear(Attach).source is None
    detach = wire.hear(Detach)
    assert detach.error is not None
    assert detach.error.condition == condition
