"""Sessions of a queue, asked without a client: who holds which, what it then gets, what remains."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.sessions import HeldSession
from cdsbridge.emulator.entities.settings import QueueSettings

START = 1000.0
LOST = "com.microsoft:session-lock-lost"


@pytest.fixture
def queue(make: Callable[..., Queue]) -> Queue:
    return make(requires_session=True, lock_duration=30, max_delivery_count=3)


def send(queue: Queue, *labels: str) -> None:
    """Send messages whose first letter names the session."""
    queue.send([Content(message_id=label, session_id=label[0]) for label in labels])


def accept(queue: Queue, session_id: str | None = None) -> HeldSession:
    session = queue.accept_session(session_id)
    assert session is not None
    return session


def receive(session: HeldSession, count: int = 10) -> dict[str, UUID]:
    """Tokens by label, in the order of delivery."""
    deliveries = session.receive(count, lock=True)
    return {each.message.content.message_id: each.token for each in deliveries if each.token is not None}


def refusal(operation: Callable[[], object]) -> str:
    with pytest.raises(EntityError) as refused:
        operation()
    return refused.value.condition


def test_a_subscription_that_ended_hears_nothing_of_its_session(queue: Queue) -> None:
    session = accept(queue, "a")
    heard: list[str] = []

    def one() -> None:
        heard.append("one")

    def other() -> None:
        heard.append("other")

    session.subscribe(one)
    session.subscribe(other)
    session.unsubscribe(one)
    session.unsubscribe(one)
    send(queue, "a1")
    assert heard == ["other"]


def test_a_session_gives_its_own_messages_in_the_order_they_were_sent(queue: Queue) -> None:
    send(queue, "a1", "b1", "a2", "b2")
    first, second = accept(queue, "b"), accept(queue, "a")
    assert list(receive(first, 1)) == ["b1"]
    assert list(receive(second)) == ["a1", "a2"]
    assert list(receive(first)) == ["b2"]


def test_a_session_has_one_holder(queue: Queue) -> None:
    held = accept(queue, "a")
    assert refusal(lambda: queue.accept_session("a")) == "com.microsoft:session-cannot-be-locked"
    held.close()
    assert accept(queue, "a").id == "a"


def test_the_next_session_is_the_one_that_has_waited_longest_without_a_holder(queue: Queue) -> None:
    send(queue, "c1", "a1", "b1", "c2")
    held = [accept(queue), accept(queue)]
    assert [session.id for session in held] == ["c", "a"]
    held[0].close()
    assert accept(queue).id == "b"
    assert accept(queue).id == "c"
    assert queue.accept_session(None) is None


def test_a_session_whose_messages_are_all_taken_deferred_or_scheduled_is_not_the_next(queue: Queue) -> None:
    send(queue, "a1", "b1")
    queue.send([Content(message_id="c1", session_id="c", scheduled_at=START + 5)])
    deferring, completing = accept(queue), accept(queue)
    deferring.defer(list(receive(deferring).values()))
    completing.complete(list(receive(completing).values()))
    deferring.close()
    completing.close()
    assert queue.accept_session(None) is None


def test_whoever_waits_for_a_session_is_told_when_there_is_one(queue: Queue, clock: ManualClock) -> None:
    taken: list[str] = []

    def take() -> None:
        session = queue.accept_session(None)
        taken.extend([session.id] if session else [])

    queue.subscribe(take)
    send(queue, "a1")
    assert taken == ["a"]
    queue.remind(START + 5)
    assert queue.expire() == START + 5
    queue.unsubscribe(take)
    called: list[float] = []
    queue.subscribe(lambda: called.append(clock()))
    clock.advance(5)
    queue.expire()
    assert called == [START + 5]


def test_an_abandoned_message_keeps_its_place_in_the_session(queue: Queue) -> None:
    send(queue, "a1", "a2", "a3")
    session = accept(queue)
    tokens = receive(session, 2)
    session.abandon([tokens["a1"]])
    assert list(receive(session)) == ["a1", "a3"]


def test_closing_gives_messages_back_uncounted(queue: Queue) -> None:
    send(queue, "a1", "a2")
    session = accept(queue)
    receive(session)
    session.close()
    again = accept(queue)
    assert [
        (each.message.content.message_id, each.message.delivery_count) for each in again.receive(9, lock=True)
    ] == [
        ("a1", 0),
        ("a2", 0),
    ]


def test_a_lapsed_lock_counts_every_message_that_was_not_settled(queue: Queue, clock: ManualClock) -> None:
    send(queue, "a1", "a2")
    session = accept(queue)
    token = receive(session, 1)["a1"]
    assert queue.expire() == START + 30
    clock.advance(30)
    assert refusal(lambda: session.complete([token])) == LOST
    assert refusal(lambda: session.receive(1, lock=True)) == LOST
    assert refusal(session.renew_lock) == LOST
    assert refusal(session.state) == LOST
    assert refusal(lambda: session.set_state(b"x")) == LOST
    session.close()
    again = accept(queue).receive(9, lock=True)
    assert [each.message.delivery_count for each in again] == [1, 0]


def test_the_holder_is_told_that_the_lock_lapsed(queue: Queue, clock: ManualClock) -> None:
    session = accept(queue, "a")
    told: list[bool] = []
    session.subscribe(lambda: told.append(session.lost))
    clock.advance(30)
    queue.expire()
    assert told == [True]


def test_a_renewed_lock_holds_a_whole_duration_more(queue: Queue, clock: ManualClock) -> None:
    send(queue, "a1")
    session = accept(queue)
    tokens = receive(session)
    clock.advance(20)
    assert session.renew_lock() == START + 50
    clock.advance(20)
    session.complete(list(tokens.values()))
    assert queue.size == 0


def test_a_message_of_a_session_has_no_lock_of_its_own_to_renew(queue: Queue) -> None:
    send(queue, "a1")
    session = accept(queue)
    tokens = list(receive(session).values())
    assert refusal(lambda: session.renew(tokens)) == "amqp:not-allowed"


def test_messages_delivered_too_often_are_dead_lettered_out_of_the_session(
    queue: Queue, clock: ManualClock
) -> None:
    send(queue, "a1", "a2")
    for _ in range(3):
        session = accept(queue)
        assert list(receive(session, 1)) == ["a1"]
        clock.advance(30)
        queue.expire()
    assert list(receive(accept(queue))) == ["a2"]
    dead = queue.dead_letter_queue
    assert dead is not None
    assert not dead.requires_session
    (delivery,) = dead.receive(9, lock=True)
    assert (delivery.message.content.session_id, delivery.message.delivery_count) == ("a", 3)


def test_only_the_holder_settles(queue: Queue) -> None:
    send(queue, "a1", "b1")
    mine, other = accept(queue, "a"), accept(queue, "b")
    tokens = list(receive(mine).values())
    for settle in (other.complete, other.abandon, other.defer):
        assert refusal(lambda settle=settle: settle(tokens)) == "com.microsoft:message-lock-lost"  # type: ignore[misc]
    assert refusal(lambda: queue.complete(tokens)) == "amqp:not-allowed"
    mine.complete(tokens)
    assert queue.depth()["active"] == 1


def test_deferred_messages_come_back_to_the_session_they_are_of(queue: Queue) -> None:
    send(queue, "a1", "b1", "a2")
    session, other = accept(queue, "a"), accept(queue, "b")
    session.defer([receive(session)["a1"]])
    assert refusal(lambda: other.receive_deferred([1], lock=True)) == "com.microsoft:message-not-found"
    (delivery,) = session.receive_deferred([1], lock=True)
    assert (delivery.message.delivery_count, delivery.locked_until) == (1, START + 30)
    session.close()
    (delivery,) = accept(queue, "a").receive_deferred([1], lock=False)
    assert delivery.message.content.message_id == "a1"


def test_browsing_a_session_shows_it_alone(queue: Queue) -> None:
    send(queue, *(f"{'ab'[number % 3 == 0]}{number}" for number in range(2000)))
    session = accept(queue, "b")
    first = [message.content.message_id for message in session.peek(1, 3)]
    assert first == ["b0", "b3", "b6"]
    assert [message.content.message_id for message in session.peek(1991, 9)] == ["b1992", "b1995", "b1998"]
    assert len(queue.peek(1, 5)) == 5


def test_a_message_without_a_session_is_refused_with_all_sent_beside_it(queue: Queue) -> None:
    contents = [Content(session_id="a"), Content()]
    assert refusal(lambda: queue.send(contents)) == "amqp:not-allowed"
    assert refusal(lambda: queue.schedule(contents)) == "amqp:not-allowed"
    assert queue.size == 0


def test_there_are_no_sessions_where_none_are_required(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send([Content(session_id="a")])
    assert refusal(lambda: queue.accept_session("a")) == "amqp:not-allowed"
    assert refusal(queue.session_ids) == "amqp:not-allowed"
    assert len(queue.receive(1, lock=True)) == 1


def test_a_state_outlives_messages_and_holders_until_it_is_erased(queue: Queue) -> None:
    session = accept(queue, "a")
    assert session.state() is None
    session.set_state(b"half")
    session.close()
    session = accept(queue, "a")
    assert session.state() == b"half"
    assert refusal(lambda: session.set_state(bytes(262145))) == "amqp:link:message-size-exceeded"
    session.set_state(None)
    assert session.state() is None


def test_sessions_are_listed_that_have_active_messages_or_a_state(queue: Queue, clock: ManualClock) -> None:
    send(queue, "b1", "a1", "b2")
    queue.send([Content(session_id="later", scheduled_at=START + 500)])
    accept(queue, "z").set_state(b"z")
    clock.advance(5)
    accept(queue, "a").set_state(b"a")
    assert queue.session_ids() == ["b", "a", "z"]
    assert queue.session_ids(START) == ["a"]
    assert queue.session_ids(START - 1) == ["z", "a"]


def test_states_and_sessions_survive_a_restart_and_locks_do_not(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    namespace = Namespace(clock, path)
    queue = namespace.create_queue("q", QueueSettings(requires_session=True))
    send(queue, "a1", "b1", "a2")
    for session_id, state in (("a", b"x"), ("b", b"y"), ("b", None), ("c", b"z")):
        session = accept(queue, session_id)
        session.set_state(state)
        session.close()
    receive(accept(queue, "a"))
    namespace.commit()
    namespace.close()
    namespace = Namespace(clock, path)
    queue = namespace.queue("q")
    session = accept(queue, "a")
    assert (session.state(), list(receive(session))) == (b"x", ["a1", "a2"])
    assert queue.session_ids() == ["a", "b", "c"]
    namespace.delete_queue("q")
    assert namespace.create_queue("q", QueueSettings(requires_session=True)).session_ids() == []
    namespace.close()


def test_whether_sessions_are_required_is_settled_at_the_creation(clock: ManualClock) -> None:
    namespace = Namespace(clock)
    namespace.create_queue("q", QueueSettings(requires_session=True))
    assert refusal(lambda: namespace.create_queue("q", QueueSettings())) == "amqp:not-allowed"
    namespace.create_queue("q", QueueSettings(requires_session=True, lock_duration=5))
    assert accept(namespace.queue("q"), "a").locked_until == START + 5


def test_a_subscription_has_sessions_of_its_own(clock: ManualClock) -> None:
    namespace = Namespace(clock)
    topic = namespace.create_topic("t")
    subscription = namespace.create_subscription("t", "s", QueueSettings(requires_session=True))
    namespace.create_subscription("t", "plain")
    topic.send([Content(session_id="a", message_id="1"), Content(message_id="2")])
    session = accept(subscription)
    assert (session.id, list(receive(session))) == ("a", ["1"])
    (dead,) = namespace.queue("t/Subscriptions/s/$DeadLetterQueue").peek(1, 9)
    assert (dead.content.message_id, dead.dead_letter["DeadLetterReason"]) == ("2", "Session ID is null.")
    assert len(namespace.queue("t/Subscriptions/plain").receive(9, lock=True)) == 2
