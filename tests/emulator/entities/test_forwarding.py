"""Auto-forward, statuses, and entities that are deleted when nobody uses them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.settings import QueueSettings, Status
from cdsbridge.emulator.filters.rules import Rule, SqlAction, TrueFilter

TRANSFER = "a/$Transfer/$DeadLetterQueue"


@pytest.fixture
def namespace(clock: ManualClock) -> Namespace:
    return Namespace(clock)


def chain(namespace: Namespace, *names: str) -> Queue:
    """Create queues, each but the last forwarding to the next, and return the first."""
    following: str | None = None
    for name in reversed(names):
        namespace.create_queue(name, QueueSettings(forward_to=following))
        following = name
    return namespace.queue(names[0])


def ids(namespace: Namespace, address: str) -> list[str]:
    return [each.content.message_id for each in namespace.queue(address).peek(0, 99)]


def test_messages_are_passed_on_under_new_numbers(namespace: Namespace, clock: ManualClock) -> None:
    last = namespace.create_queue("b")
    last.send([Content(message_id="own")])
    first = namespace.create_queue("a", QueueSettings(forward_to="B"))
    told: list[int] = []
    last.subscribe(lambda: told.append(1))
    clock.advance(5)
    assert first.send([Content(message_id="x"), Content(message_id="y")]) == [1, 2]
    assert first.size == 0
    assert [(m.sequence_number, m.enqueued_number, m.hops) for m in last.peek(0, 9)] == [
        (1, 0, 0),
        (2, 1, 1),
        (3, 2, 1),
    ]
    assert last.peek(2, 1)[0].enqueued_at == clock()
    assert told == [1]


def test_a_message_is_passed_on_four_times_and_not_a_fifth(namespace: Namespace) -> None:
    chain(namespace, "a", "b", "c", "d", "e").send([Content(message_id="four")])
    assert ids(namespace, "e") == ["four"]
    assert namespace.queue("e").peek(0, 1)[0].enqueued_number == 1
    namespace.create_queue("f")
    namespace.create_queue("e", QueueSettings(forward_to="f"))
    assert ids(namespace, "e") == []
    (dead,) = namespace.queue("e/$Transfer/$DeadLetterQueue").peek(0, 9)
    assert dead.dead_letter["DeadLetterReason"] == "MaxTransferHopCountExceeded"
    assert namespace.queue("e").send([Content(message_id="direct")]) == [2]
    assert ids(namespace, "f") == ["direct"]


def test_a_circle_ends_in_a_transfer_dead_letter_queue(namespace: Namespace) -> None:
    namespace.create_queue("a")
    namespace.create_queue("b", QueueSettings(forward_to="a"))
    namespace.create_queue("a", QueueSettings(forward_to="b"))
    namespace.queue("a").send([Content(message_id="x")])
    assert ids(namespace, TRANSFER) == ["x"]
    assert (namespace.queue("a").size, namespace.queue("b").size) == (0, 0)


def test_what_waits_is_passed_on_when_forwarding_is_switched_on(namespace: Namespace) -> None:
    queue = namespace.create_queue("a")
    queue.send([Content(message_id="x"), Content(message_id="later", scheduled_at=9999.0)])
    namespace.create_queue("b")
    namespace.create_queue("a", QueueSettings(forward_to="b"))
    assert ids(namespace, "b") == ["x"]
    assert queue.depth()["scheduled"] == 1


def test_a_scheduled_message_is_passed_on_when_it_is_due(namespace: Namespace, clock: ManualClock) -> None:
    first = chain(namespace, "a", "b")
    first.send([Content(message_id="x", scheduled_at=clock() + 10)])
    assert ids(namespace, "b") == []
    clock.advance(10)
    namespace.expire()
    assert ids(namespace, "b") == ["x"]


def test_an_entity_may_forward_to_itself_and_comes_to_an_end(namespace: Namespace) -> None:
    namespace.create_queue("a", QueueSettings(forward_to="A")).send([Content(message_id="x")])
    assert ids(namespace, TRANSFER) == ["x"]


def test_where_sessions_are_required_messages_are_passed_on_too(namespace: Namespace) -> None:
    namespace.create_queue("b")
    namespace.create_queue("a", QueueSettings(requires_session=True, forward_to="b")).send(
        [Content(message_id="x", session_id="s")]
    )
    assert ids(namespace, "b") == ["x"]


@pytest.mark.parametrize("gone", ["deleted", "disabled", "too small"])
def test_what_cannot_be_passed_on_is_a_transfer_dead_letter(namespace: Namespace, gone: str) -> None:
    first = chain(namespace, "a", "b")
    told: list[int] = []
    namespace.queue(TRANSFER).subscribe(lambda: told.append(1))
    if gone == "deleted":
        namespace.delete_queue("b")
    elif gone == "disabled":
        namespace.create_queue("b", QueueSettings(status=Status.SEND_DISABLED))
    else:
        namespace.create_queue("b", QueueSettings(max_message_size=1))
    first.send([Content(message_id="x", body=b"xx", ttl=10.0)])
    (dead,) = namespace.queue("A/$transfer/$deadletterqueue").receive(9, lock=True)
    assert dead.message.content.message_id == "x"
    assert "'b'" in dead.message.dead_letter["DeadLetterErrorDescription"]
    assert dead.message.expires_at is None
    assert told == [1]
    assert dead.token
    namespace.queue(TRANSFER).complete([dead.token])
    assert namespace.queue(TRANSFER).size == 0


def test_subscriptions_forward_to_queues_and_topics(namespace: Namespace) -> None:
    namespace.create_queue("q")
    namespace.create_topic("second")
    namespace.create_subscription("second", "s")
    namespace.create_topic("first")
    action = Rule("r", TrueFilter(), SqlAction("SET a = 1"))
    namespace.create_subscription("first", "one", QueueSettings(forward_to="q"), action)
    namespace.create_subscription("first", "two", QueueSettings(forward_to="second"))
    namespace.topic("first").send([Content(message_id="before")])
    namespace.topic("first").send([Content(message_id="x")])
    assert ids(namespace, "q") == ["before", "x"]
    assert ids(namespace, "second/Subscriptions/s") == ["before", "x"]
    assert [(m.enqueued_number, m.hops) for m in namespace.queue("q").peek(0, 9)] == [(1, 1), (2, 1)]
    copies = namespace.queue("second/Subscriptions/s").peek(0, 9)
    assert [(m.enqueued_number, m.hops) for m in copies] == [(1, 1), (2, 1)]


def test_dead_letters_are_passed_on_with_their_reason_and_where_they_died(namespace: Namespace) -> None:
    namespace.create_queue("morgue")
    queue = namespace.create_queue("q", QueueSettings(forward_dead_letters_to="morgue", max_delivery_count=1))
    told: list[int] = []
    namespace.queue("morgue").subscribe(lambda: told.append(1))
    queue.send([Content(message_id="a"), Content(message_id="b")])
    first, second = queue.receive(2, lock=True)
    assert first.token
    assert second.token
    queue.abandon([first.token])
    queue.dead_letter([second.token], "why", "because")
    assert namespace.queue("q/$DeadLetterQueue").size == 0
    dead = namespace.queue("morgue").peek(0, 9)
    assert [m.dead_letter["DeadLetterReason"] for m in dead] == ["MaxDeliveryCountExceeded", "why"]
    assert [(m.dead_letter_source, m.enqueued_number, m.delivery_count) for m in dead] == [
        ("q", 1, 0),
        ("q", 2, 0),
    ]
    assert told == [1, 1]


def test_duplicates_are_looked_for_where_messages_come_to(namespace: Namespace) -> None:
    namespace.create_queue("b", QueueSettings(duplicate_window=60))
    first = namespace.create_queue("a", QueueSettings(forward_to="b"))
    first.send([Content(message_id="x")])
    first.send([Content(message_id="x"), Content(message_id="y")])
    assert ids(namespace, "b") == ["x", "y"]


@pytest.mark.parametrize("to", ["none", "t/Subscriptions/s", "b/$DeadLetterQueue"])
def test_forwarding_to_what_cannot_be_sent_to_is_refused(namespace: Namespace, to: str) -> None:
    namespace.create_topic("t")
    namespace.create_subscription("t", "s")
    namespace.create_queue("b")
    namespace.create_queue("a")
    for settings in (QueueSettings(forward_to=to), QueueSettings(forward_dead_letters_to=to)):
        with pytest.raises(EntityError) as refusal:
            namespace.create_queue("a", settings)
        assert refusal.value.condition == "amqp:invalid-field"
    assert namespace.queue("a").settings.forward_to is None


def test_nothing_is_received_where_all_is_passed_on(namespace: Namespace) -> None:
    first = chain(namespace, "a", "b")
    with pytest.raises(EntityError, match="auto-forwarding enabled") as refusal:
        first.receive(1, lock=True)
    assert refusal.value.condition == "amqp:not-allowed"
    assert namespace.queue("a/$DeadLetterQueue").receive(1, lock=True) == []


def test_forwarding_outlives_the_program(clock: ManualClock, tmp_path: Path) -> None:
    namespace = Namespace(clock, tmp_path / "bus.db")
    chain(namespace, "a", "b", "c")
    namespace.queue("a").send([Content(message_id="x")])
    namespace.delete_queue("c")
    namespace.queue("a").send([Content(message_id="y")])
    namespace.create_queue("c")
    namespace.queue("b").send([Content(message_id="z")])
    before = namespace.queue("b/$Transfer/$DeadLetterQueue").peek(0, 9), namespace.queue("c").peek(0, 9)
    namespace.close()
    clock.advance(5)
    again = Namespace(clock, tmp_path / "bus.db")
    assert (again.queue("b/$Transfer/$DeadLetterQueue").peek(0, 9), again.queue("c").peek(0, 9)) == before
    assert [each.hops for each in before[0]] == [1]
    assert again.queue("a").settings.forward_to == "b"
    assert again.queue("a").created_at == 1000.0
    again.close()


@pytest.mark.parametrize(
    ("status", "sends", "receives"),
    [
        (Status.ACTIVE, True, True),
        (Status.DISABLED, False, False),
        (Status.SEND_DISABLED, False, True),
        (Status.RECEIVE_DISABLED, True, False),
    ],
)
def test_a_status_says_what_can_be_done(
    namespace: Namespace, status: Status, sends: bool, receives: bool
) -> None:
    queue = namespace.create_queue("q", QueueSettings(status=status))
    topic = namespace.create_topic("t", QueueSettings(status=status))
    wanted: list[tuple[bool, Callable[[], object]]] = [
        (sends, lambda: queue.send([])),
        (sends, lambda: topic.send([])),
        (receives, lambda: queue.receive(1, lock=True)),
    ]
    for works, do in wanted:
        if works:
            do()
        else:
            with pytest.raises(EntityError) as refusal:
                do()
            assert refusal.value.condition == "com.microsoft:entity-disabled"


def test_a_subscription_that_is_disabled_still_gets_copies(namespace: Namespace) -> None:
    namespace.create_topic("t")
    queue = namespace.create_subscription("t", "s", QueueSettings(status=Status.DISABLED))
    namespace.topic("t").send([Content()])
    with pytest.raises(EntityError):
        queue.receive(1, lock=True)
    namespace.create_subscription("t", "s")
    assert len(queue.receive(1, lock=True)) == 1


def test_what_nobody_uses_is_deleted(namespace: Namespace, clock: ManualClock) -> None:
    idle = QueueSettings(auto_delete_on_idle=300)
    for name in ("unused", "sent", "received", "watched", "scheduled"):
        namespace.create_queue(name, idle)
    namespace.create_topic("t", idle)
    namespace.create_topic("kept")
    namespace.create_subscription("t", "s")
    namespace.create_subscription("kept", "s", idle)
    namespace.create_queue("forever")
    namespace.queue("watched").subscribe(lambda: None)
    namespace.queue("scheduled").send([Content(scheduled_at=9999.0)])
    clock.advance(200)
    namespace.queue("sent").send([Content()])
    namespace.queue("received").receive(1, lock=True)
    assert namespace.expire() == 1300.0
    clock.advance(100)
    assert namespace.expire() == 1500.0
    assert namespace.names() == ["sent", "received", "watched", "scheduled", "forever"]
    assert (namespace.topics(), namespace.subscriptions("kept")) == (["kept"], [])
    clock.advance(200)
    namespace.expire()
    assert namespace.names() == ["watched", "scheduled", "forever"]


@pytest.mark.parametrize(
    "settings",
    [
        {"auto_delete_on_idle": 299.0},
        {"status": "Sleeping"},
        {"user_metadata": "x" * 1025},
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(reversed(settings)))):
        QueueSettings(**settings)  # type: ignore[arg-type]
