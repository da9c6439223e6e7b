"""Topics: each subscription gets a copy of its own, and lives as a queue does."""

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.settings import QueueSettings

DEAD = "t/Subscriptions/a/$DeadLetterQueue"


@pytest.fixture
def namespace(clock: ManualClock) -> Namespace:
    """A namespace with topic ``t`` and its subscriptions ``a`` and ``b``."""
    made = Namespace(clock)
    made.create_topic("t")
    made.create_subscription("t", "a", QueueSettings(max_delivery_count=2, dead_letter_on_expiry=True))
    made.create_subscription("t", "b")
    return made


def contents(*ids: str) -> list[Content]:
    return [Content(message_id=each) for each in ids]


def held(queue: Queue) -> list[tuple[int, int, str]]:
    """Number, number in the topic, and id of everything in a queue."""
    return [(m.sequence_number, m.enqueued_number, m.content.message_id) for m in queue.peek(0, 99)]


def test_each_subscription_gets_a_copy_under_numbers_of_its_own(
    namespace: Namespace, clock: ManualClock
) -> None:
    assert namespace.topic("t").send(contents("before")) == [1]
    late = namespace.create_subscription("t", "late")
    clock.advance(5)
    assert namespace.topic("T").send(contents("x", "y")) == [2, 3]
    assert held(namespace.queue("t/Subscriptions/a")) == [(1, 1, "before"), (2, 2, "x"), (3, 3, "y")]
    assert held(late) == [(1, 2, "x"), (2, 3, "y")]
    assert [message.enqueued_at for message in late.peek(0, 9)] == [clock(), clock()]


def test_copies_are_settled_apart(namespace: Namespace) -> None:
    namespace.topic("t").send(contents("x"))
    first, second = namespace.queue("t/Subscriptions/a"), namespace.queue("t/Subscriptions/b")
    for _ in range(2):
        (delivery,) = first.receive(1, lock=True)
        assert delivery.token
        first.abandon([delivery.token])
    (other,) = second.receive(1, lock=True)
    assert other.message.delivery_count == 0
    assert first.depth()["dead_lettered"] == 1
    (dead,) = namespace.queue(DEAD).peek(0, 9)
    assert (dead.enqueued_number, dead.dead_letter["DeadLetterReason"]) == (1, "MaxDeliveryCountExceeded")


@pytest.mark.parametrize(
    "address", ["t/Subscriptions/a", "T/subscriptions/A", "/t/SUBSCRIPTIONS/a/", "t/subscriptions/a"]
)
def test_addresses_of_subscriptions_do_not_distinguish_case(namespace: Namespace, address: str) -> None:
    assert namespace.queue(address).name == "t/Subscriptions/a"
    assert namespace.queue(f"{address.strip('/')}/$deadletterqueue").name == DEAD


@pytest.mark.parametrize("address", ["t/Subscriptions/c", "t/a", "x/Subscriptions/a", "t/Subscriptions", "c"])
def test_what_is_not_there_is_not_found(namespace: Namespace, address: str) -> None:
    for find in (namespace.queue, namespace.target, namespace.entity):
        with pytest.raises(EntityError) as refusal:
            find(address)
        assert refusal.value.condition == "amqp:not-found"


@pytest.mark.parametrize("address", ["t/Subscriptions/a", DEAD, "q/$DeadLetterQueue"])
def test_nothing_is_sent_past_the_topic(namespace: Namespace, address: str) -> None:
    namespace.create_queue("q")
    with pytest.raises(EntityError) as refusal:
        namespace.target(address)
    assert refusal.value.condition == "amqp:not-allowed"
    with pytest.raises(EntityError) as refusal:
        namespace.queue(address).send(contents("x"))
    assert refusal.value.condition == "amqp:not-allowed"


def test_nothing_is_received_from_a_topic(namespace: Namespace) -> None:
    with pytest.raises(EntityError, match="one of its subscriptions") as refusal:
        namespace.queue("t")
    assert refusal.value.condition == "amqp:not-allowed"


def test_a_scheduled_message_waits_in_the_topic(namespace: Namespace, clock: ManualClock) -> None:
    topic, queue = namespace.topic("t"), namespace.queue("t/Subscriptions/a")
    (kept, cancelled) = topic.schedule([Content(scheduled_at=1060.0), Content(scheduled_at=1060.0)])
    topic.cancel([cancelled])
    assert topic.depth() == {"scheduled": 1}
    assert queue.size == 0
    assert namespace.expire() == 1060.0
    clock.advance(60)
    namespace.expire()
    (message,) = queue.peek(0, 9)
    assert (message.enqueued_at, message.content.scheduled_at) == (1060.0, 1060.0)
    assert message.enqueued_number > kept
    with pytest.raises(EntityError, match="no scheduled message"):
        topic.cancel([kept])


@pytest.mark.parametrize(
    ("topic", "subscription", "message", "lifetime"),
    [
        (None, None, None, None),
        (50.0, None, None, 50.0),
        (50.0, 20.0, None, 20.0),
        (20.0, 50.0, 90.0, 20.0),
        (50.0, 40.0, 30.0, 30.0),
        (None, None, 30.0, 30.0),
    ],
)
def test_the_shortest_time_to_live_counts(
    clock: ManualClock,
    topic: float | None,
    subscription: float | None,
    message: float | None,
    lifetime: float | None,
) -> None:
    namespace = Namespace(clock)
    sent = namespace.create_topic("t", QueueSettings(default_ttl=topic))
    copies = namespace.create_subscription("t", "s", QueueSettings(default_ttl=subscription))
    sent.send([Content(ttl=message)])
    assert copies.peek(0, 1)[0].expires_at == (None if lifetime is None else clock() + lifetime)
    if lifetime is not None:
        clock.advance(lifetime)
        assert copies.receive(1, lock=True) == []


def test_expired_copies_go_where_the_subscription_says(namespace: Namespace, clock: ManualClock) -> None:
    namespace.topic("t").send([Content(ttl=10)])
    clock.advance(10)
    assert namespace.queue("t/Subscriptions/a").depth()["dead_lettered"] == 1
    assert namespace.queue("t/Subscriptions/b").depth()["dead_lettered"] == 0


def test_who_waits_on_a_subscription_is_told(namespace: Namespace, clock: ManualClock) -> None:
    told: list[str] = []
    namespace.queue("t/Subscriptions/a").subscribe(lambda: told.append("a"))
    namespace.topic("t").send(contents("x"))
    assert told == ["a"]
    namespace.topic("t").send([Content(scheduled_at=clock() + 5)])
    assert told == ["a"]
    clock.advance(5)
    namespace.expire()
    assert told == ["a", "a"]


def test_a_message_too_large_reaches_no_subscription(clock: ManualClock) -> None:
    namespace = Namespace(clock)
    topic = namespace.create_topic("t", QueueSettings(max_message_size=10))
    queue = namespace.create_subscription("t", "s")
    with pytest.raises(EntityError) as refusal:
        topic.send([Content(), Content(body=b"x" * 11)])
    assert refusal.value.condition == "amqp:link:message-size-exceeded"
    assert queue.size == 0


def test_a_deleted_subscription_gets_nothing_more(namespace: Namespace) -> None:
    gone = namespace.queue("t/Subscriptions/a")
    namespace.delete_subscription("T", "A")
    namespace.topic("t").send(contents("x"))
    assert namespace.queue("t/Subscriptions/b").size == 1
    with pytest.raises(EntityError):
        gone.receive(1, lock=True)
    with pytest.raises(EntityError):
        namespace.delete_subscription("t", "a")


def test_a_deleted_topic_takes_its_subscriptions_along(namespace: Namespace) -> None:
    topic = namespace.topic("t")
    namespace.delete_topic("t")
    assert namespace.topics() == []
    for address in ("t", "t/Subscriptions/a"):
        with pytest.raises(EntityError):
            namespace.entity(address)
    with pytest.raises(EntityError):
        topic.send(contents("x"))
    assert namespace.create_topic("t").subscriptions == {}


def test_a_queue_and_a_topic_cannot_share_a_name(namespace: Namespace) -> None:
    namespace.create_queue("q")
    for create in (lambda: namespace.create_queue("T"), lambda: namespace.create_topic("Q")):
        with pytest.raises(EntityError) as refusal:
            create()
        assert refusal.value.condition == "com.microsoft:entity-already-exists"


@pytest.mark.parametrize("name", ["", "a/b", "$Default", "x" * 51, " a"])
def test_names_of_subscriptions_are_checked(namespace: Namespace, name: str) -> None:
    with pytest.raises(EntityError) as refusal:
        namespace.create_subscription("t", name)
    assert refusal.value.condition == "amqp:invalid-field"


@pytest.mark.parametrize("name", ["t/Subscriptions/x", "subscriptions", "x" * 261])
def test_a_name_that_would_read_as_a_subscription_is_refused(namespace: Namespace, name: str) -> None:
    with pytest.raises(EntityError):
        namespace.create_topic(name)


def test_a_subscription_without_a_topic_is_refused(namespace: Namespace) -> None:
    with pytest.raises(EntityError) as refusal:
        namespace.create_subscription("x", "a")
    assert refusal.value.condition == "amqp:not-found"


def test_creating_again_takes_the_settings_and_keeps_the_messages(namespace: Namespace) -> None:
    namespace.topic("t").send(contents("x"))
    subscription = namespace.create_subscription("T", "A", QueueSettings(lock_duration=5))
    assert subscription.settings.lock_duration == 5
    assert subscription.size == 1
    assert namespace.create_topic("T", QueueSettings(max_message_size=9)) is namespace.topic("t")
    assert namespace.topic("t").settings.max_message_size == 9
    assert len(namespace.topic("t").subscriptions) == 2


def each(namespace: Namespace, addresses: Iterable[str]) -> list[object]:
    return [namespace.queue(address).peek(0, 99) for address in addresses]


def test_topics_outlive_the_program(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    namespace = Namespace(clock, path)
    namespace.create_topic("T", QueueSettings(max_message_size=5000))
    namespace.create_queue("q")
    namespace.create_subscription("t", "A", QueueSettings(lock_duration=5))
    namespace.create_subscription("t", "gone")
    namespace.topic("t").send([*contents("x", "y"), Content(scheduled_at=1050.0)])
    queue = namespace.queue("t/Subscriptions/A")
    (delivery,) = queue.receive(1, lock=True)
    assert delivery.token
    queue.dead_letter([delivery.token], "r", "d")
    namespace.delete_subscription("t", "gone")
    addresses = ("t/subscriptions/a", "t/subscriptions/a/$deadletterqueue")
    before = each(namespace, addresses)
    namespace.close()
    again = Namespace(clock, path)
    assert each(again, addresses) == before
    assert (again.topics(), again.names()) == (["T"], ["q"])
    assert again.topic("t").settings.max_message_size == 5000
    assert list(again.topic("t").subscriptions) == ["a"]
    assert again.queue("t/Subscriptions/A").settings.lock_duration == 5
    clock.advance(50)
    assert again.topic("t").send(contents("z")) == [5]
    assert held(again.queue("t/Subscriptions/A"))[-2:] == [(3, 4, ""), (4, 5, "z")]
    again.delete_topic("t")
    again.close()
    last = Namespace(clock, path)
    assert (last.topics(), last.names()) == ([], ["q"])
    assert last._store is not None
    assert last._store._db.execute("SELECT count(*) FROM message").fetchone() == (0,)
    last.close()


@pytest.fixture
def first_version() -> Callable[[Path], None]:
    """A function that writes a store as the first version of the emulator did: one queue, one dead letter."""

    def write(path: Path) -> None:
        script = """
        CREATE TABLE entity (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL,
            settings TEXT NOT NULL, next_number INTEGER NOT NULL);
        CREATE TABLE message (
            id INTEGER PRIMARY KEY, dead INTEGER NOT NULL,
            enqueued_at REAL NOT NULL, delivery_count INTEGER NOT NULL, state INTEGER NOT NULL,
            expires_at REAL, dead_letter TEXT NOT NULL,
            properties BLOB NOT NULL, application BLOB NOT NULL, body BLOB NOT NULL,
            annotations BLOB NOT NULL,
            message_id TEXT NOT NULL, ttl REAL, durable INTEGER NOT NULL, priority INTEGER NOT NULL,
            scheduled_at REAL, session_id TEXT);
        INSERT INTO entity VALUES (3, 'queue', 'Old', '{"lock_duration": 5.0, "max_delivery_count": 2,
            "default_ttl": null, "dead_letter_on_expiry": false, "max_message_size": 5000}', 9);
        INSERT INTO message VALUES ((3 << 40) + 7, 0, 1000.0, 1, 0, NULL, '{}', x'', x'', x'62', x'',
            'kept', NULL, 1, 4, NULL, 's');
        INSERT INTO message VALUES ((3 << 40) + 8, 1, 1000.0, 2, 0, NULL, '{"DeadLetterReason": "r"}',
            x'', x'', x'', x'', 'dead', NULL, 1, 4, NULL, NULL);
        PRAGMA user_version=1;
        """
        database = sqlite3.connect(path)
        database.executescript(script)
        database.close()

    return write


def test_a_store_of_the_first_version_is_brought_up(
    first_version: Callable[[Path], None], clock: ManualClock, tmp_path: Path
) -> None:
    first_version(tmp_path / "bus.db")
    namespace = Namespace(clock, tmp_path / "bus.db")
    old = namespace.queue("old")
    assert old.settings == QueueSettings(5.0, 2, max_message_size=5000)
    assert held(old) == [(7, 0, "kept")]
    assert old.peek(0, 9)[0].content.session_id == "s"
    assert namespace.queue("old/$DeadLetterQueue").peek(0, 9)[0].dead_letter == {"DeadLetterReason": "r"}
    namespace.create_topic("t")
    namespace.create_subscription("t", "s")
    namespace.topic("t").send(contents("x"))
    assert old.send(contents("new")) == [9]
    namespace.close()
    again = Namespace(clock, tmp_path / "bus.db")
    assert held(again.queue("old")) == [(7, 0, "kept"), (9, 0, "new")]
    assert held(again.queue("t/Subscriptions/s")) == [(1, 1, "x")]
    again.close()
