"""Subscriptions, sessions and the sub-queues of each, read over TCP, several in one bridge."""

import random
from collections import defaultdict
from collections.abc import Callable

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker
from cdsbridge.model.counters import counters
from cdsbridge.model.envelope import Envelope
from cdsbridge.model.errors import ConfigError
from cdsbridge.model.verdict import Reason, Verdict
from cdsbridge.sources import Ending, ServiceBusSource
from cdsbridge.sources.intake import Reading, reading_from

from .reading import batches, depth, dispositions, settle_all, take, wait_until

SourceOf = Callable[..., ServiceBusSource]
MakeQueue = Callable[..., str]
Send = Callable[[str, int], None]

SESSIONS, EACH = 6, 5


@pytest.fixture(autouse=True)
def _fresh_counters() -> None:
    counters.reset()


@pytest.fixture
def topic(bus: RunningBroker, make_queue: MakeQueue) -> str:
    """A topic with the subscriptions plain and ordered, the second of which requires sessions."""
    name = make_queue().replace("queue", "topic")
    bus.call(lambda namespace: namespace.create_topic(name))
    bus.call(lambda namespace: namespace.create_subscription(name, "plain"))
    settings = QueueSettings(requires_session=True, lock_duration=5.0)
    bus.call(lambda namespace: namespace.create_subscription(name, "ordered", settings))
    return name


@pytest.fixture
def posted(client: ServiceBusClient, topic: str) -> str:
    """The topic, with messages of several sessions, mixed."""
    order = [session for session in range(SESSIONS) for _ in range(EACH)]
    random.Random(1).shuffle(order)
    seen: dict[int, int] = defaultdict(int)
    messages = []
    for session in order:
        messages.append(
            ServiceBusMessage(f"{seen[session]}", session_id=str(session), message_id=str(session))
        )
        seen[session] += 1
    with client.get_topic_sender(topic) as sender:
        sender.send_messages(messages)
    return topic


def by_session(envelopes: list[Envelope]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for envelope in envelopes:
        found[envelope.message_id].append(envelope.body)
    return found


def test_a_subscription_a_session_subscription_and_a_queue_are_read_by_one_bridge(
    bus: RunningBroker, posted: str, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    queue = make_queue()
    send(queue, 4)
    plain, ordered = f"{posted}/Subscriptions/plain", f"{posted}/subscriptions/ordered"
    source = source_of(plain, ordered, queue, sessions={ordered: 3}, batch=2, session_idle=0.2)
    with reading_from(Reading(source, Ending.at_mark(), None)) as intake:
        seen = settle_all(intake)
    of = defaultdict(list)
    for envelope in seen:
        of[envelope.entity].append(envelope)
    assert {entity: len(found) for entity, found in of.items()} == {
        plain: SESSIONS * EACH,
        ordered: SESSIONS * EACH,
        queue: 4,
    }
    in_order = [str(number).encode() for number in range(EACH)]
    assert by_session(of[ordered]) == {str(session): in_order for session in range(SESSIONS)}
    for entity in (plain, ordered, queue):
        assert depth(bus, entity)["active"] == depth(bus, entity)["locked"] == 0
    assert counters.read()["redelivered"] == 0


def test_a_session_whose_connection_drops_goes_on_in_its_order(
    bus: RunningBroker, posted: str, source_of: SourceOf
) -> None:
    ordered = f"{posted}/Subscriptions/ordered"
    source = source_of(ordered, sessions={ordered: 2}, batch=2, session_idle=0.2)
    with reading_from(Reading(source, Ending.never(), None)) as intake:
        seen = take(intake, 2)
        bus.drop_connections()
        while depth(bus, ordered)["active"] or depth(bus, ordered)["locked"]:
            batch = intake.take(0.1)
            if batch is not None:
                seen += batch.envelopes
                intake.settle(dispositions(batch))
    for bodies in by_session(seen).values():
        first_seen = list(dict.fromkeys(bodies))
        assert first_seen == sorted(first_seen)
        assert bodies[-1] == str(EACH - 1).encode()


@pytest.mark.parametrize("name", ["plain", "ordered"])
def test_what_a_subscription_rejects_is_read_from_its_dead_letters(
    name: str, bus: RunningBroker, posted: str, source_of: SourceOf
) -> None:
    entity = f"{posted}/Subscriptions/{name}"
    sessions = {entity: 3} if name == "ordered" else {}
    source = source_of(entity, sessions=sessions, session_idle=0.2)
    with reading_from(Reading(source, Ending.at_mark(), None)) as intake:
        for batch in batches(intake):
            intake.settle(dispositions(batch, Verdict.rejected(Reason.BAD_VALUE, "a sentence")))
    dead = source.dead_letters()
    assert depth(bus, dead.entities[0])["active"] == SESSIONS * EACH
    with reading_from(Reading(dead, Ending.at_mark(), None)) as intake:
        seen = settle_all(intake)
    assert len(seen) == SESSIONS * EACH
    assert {envelope.properties["DeadLetterReason"] for envelope in seen} == {"bad-value"}
    assert depth(bus, dead.entities[0])["active"] == 0


def test_transfer_dead_letters_are_read(
    bus: RunningBroker, make_queue: MakeQueue, send: Send, source_of: SourceOf
) -> None:
    to = make_queue()
    queue = make_queue(forward_to=to)
    bus.call(lambda namespace: namespace.create_queue(to, QueueSettings(status="Disabled")))
    send(queue, 3)
    path = f"{queue}/$Transfer/$DeadLetterQueue"
    wait_until(lambda: depth(bus, path)["active"] == 3)
    with reading_from(Reading(source_of(path), Ending.at_mark(), None)) as intake:
        assert len(settle_all(intake)) == 3
    assert depth(bus, path)["active"] == 0


@pytest.mark.parametrize(
    ("name", "sessions", "told"),
    [("ordered", 0, "requires sessions; write source.sessions"), ("plain", 2, "does not require sessions")],
)
def test_sessions_that_do_not_fit_the_entity_are_told(
    name: str, sessions: int, told: str, topic: str, source_of: SourceOf
) -> None:
    entity = f"{topic}/Subscriptions/{name}"
    source = source_of(entity, sessions={entity: sessions} if sessions else {})
    with pytest.raises(ConfigError, match=told), reading_from(Reading(source, Ending.never(), None)):
        pass
