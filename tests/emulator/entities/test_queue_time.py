from collections.abc import Callable
from uuid import UUID

import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content, State
from cdsbridge.emulator.entities.queue import Queue

START = 1000.0


def bodies(count: int) -> list[Content]:
    return [Content(body=b"%d" % number, message_id=str(number)) for number in range(count)]


def tokens(queue: Queue, count: int = 10) -> list[UUID]:
    return [delivery.token for delivery in queue.receive(count, lock=True) if delivery.token is not None]


def numbers(queue: Queue, count: int = 10) -> list[int]:
    return [delivery.message.sequence_number for delivery in queue.receive(count, lock=True)]


def dead(queue: Queue) -> Queue:
    assert queue.dead_letter_queue is not None
    return queue.dead_letter_queue


def test_a_lapsed_lock_counts_as_a_failed_delivery_and_its_token_is_lost(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make(lock_duration=30)
    queue.send(bodies(1))
    (old,) = tokens(queue)
    clock.advance(30)
    with pytest.raises(EntityError) as refusal:
        queue.complete([old])
    assert refusal.value.condition == "com.microsoft:message-lock-lost"
    (delivery,) = queue.receive(1, lock=True)
    assert delivery.message.delivery_count == 1
    assert delivery.token != old


def test_a_renewed_lock_holds_a_whole_duration_more(make: Callable[..., Queue], clock: ManualClock) -> None:
    queue = make(lock_duration=30)
    queue.send(bodies(2))
    first, second = tokens(queue)
    clock.advance(20)
    assert queue.renew([first]) == [START + 50]
    clock.advance(20)
    assert numbers(queue) == [2]
    queue.complete([first])
    with pytest.raises(EntityError):
        queue.renew([second])


def test_a_scheduled_message_appears_at_its_time_under_a_new_number(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make()
    assert queue.schedule([Content(message_id="later", scheduled_at=START + 60, ttl=100)]) == [1]
    assert queue.send(bodies(1)) == [2]
    assert queue.peek(1, 1)[0].state is State.SCHEDULED
    assert queue.expire() == START + 60
    clock.advance(60)
    assert numbers(queue) == [2, 3]
    (message,) = queue.peek(3, 1)
    assert (message.content.message_id, message.state) == ("later", State.ACTIVE)
    assert (message.enqueued_at, message.expires_at) == (START + 60, START + 160)


def test_a_schedule_in_the_past_is_an_ordinary_send(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.schedule([Content(scheduled_at=START)])
    assert numbers(queue) == [1]


def test_a_cancelled_message_never_appears(make: Callable[..., Queue], clock: ManualClock) -> None:
    queue = make()
    cancelled, kept = queue.schedule([Content(scheduled_at=START + 5), Content(scheduled_at=START + 5)])
    queue.cancel([cancelled])
    with pytest.raises(EntityError) as refusal:
        queue.cancel([kept, cancelled])
    assert refusal.value.condition == "com.microsoft:message-not-found"
    clock.advance(5)
    assert queue.depth()["active"] == 1


def test_an_expired_message_is_dropped(make: Callable[..., Queue], clock: ManualClock) -> None:
    queue = make()
    queue.send([Content(ttl=5), Content()])
    assert queue.expire() == START + 5
    clock.advance(5)
    assert numbers(queue) == [2]
    assert dead(queue).size == 0


def test_an_expired_message_is_dead_lettered_where_configured(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make(dead_letter_on_expiry=True)
    queue.send([Content(ttl=5)])
    clock.advance(6)
    assert queue.depth()["dead_lettered"] == 1
    (message,) = dead(queue).peek(1, 1)
    assert message.expires_at is None
    assert message.dead_letter == {
        "DeadLetterReason": "TTLExpiredException",
        "DeadLetterErrorDescription": "The message expired and was dead lettered.",
    }
    clock.advance(10**6)
    assert numbers(dead(queue)) == [1]


def test_the_default_time_to_live_is_also_the_longest(make: Callable[..., Queue]) -> None:
    queue = make(default_ttl=50)
    queue.send([Content(), Content(ttl=20), Content(ttl=80)])
    assert [message.expires_at for message in queue.peek(1, 3)] == [START + 50, START + 20, START + 50]


def test_a_locked_message_outlives_its_time_and_ends_with_its_lock(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make(lock_duration=30)
    queue.send([Content(ttl=5), Content(ttl=5)])
    done, returned = tokens(queue)
    clock.advance(10)
    queue.complete([done])
    assert queue.size == 1
    queue.release([returned])
    assert queue.size == 0


def test_a_message_given_back_at_the_very_end_of_its_time_is_expired(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make(lock_duration=30)
    queue.send([Content(ttl=10)])
    held = tokens(queue)
    clock.advance(10)
    queue.release(held)
    assert queue.size == 0


def test_a_deferred_message_does_not_expire(make: Callable[..., Queue], clock: ManualClock) -> None:
    queue = make()
    queue.send([Content(ttl=5)])
    queue.defer(tokens(queue))
    clock.advance(100)
    assert queue.depth()["deferred"] == 1
    queue.abandon([each.token for each in queue.receive_deferred([1], lock=True) if each.token])
    assert queue.depth()["deferred"] == 1


def test_subscribers_hear_of_every_way_a_message_becomes_available(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make(lock_duration=30, max_delivery_count=2)
    heard: list[int] = []
    queue.subscribe(lambda: heard.append(queue.depth()["active"]))
    actions: list[Callable[[], object]] = [
        lambda: queue.send(bodies(1)),
        lambda: queue.abandon(tokens(queue)),
        lambda: queue.release(tokens(queue)),
        lambda: (queue.send([*bodies(1), Content(scheduled_at=START + 60)]), tokens(queue)),
        queue.expire,
        queue.expire,
    ]
    for wait, available, action in zip((0, 0, 0, 0, 30, 30), (1, 1, 1, 2, 1, 2), actions, strict=True):
        heard.clear()
        clock.advance(wait)
        action()
        assert available in heard


def test_subscribers_are_left_alone_when_messages_only_leave(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(3))
    heard: list[int] = []
    queue.subscribe(lambda: heard.append(1))
    first, second, third = tokens(queue)
    queue.complete([first])
    queue.dead_letter([second], "r", "d")
    queue.defer([third])
    assert heard == []


def test_a_subscription_that_ended_hears_nothing(make: Callable[..., Queue]) -> None:
    queue = make()
    heard: list[int] = []

    def hear() -> None:
        heard.append(1)

    queue.subscribe(hear)
    queue.unsubscribe(hear)
    queue.unsubscribe(hear)
    queue.send(bodies(1))
    assert heard == []


def test_subscribers_of_the_dead_letter_queue_hear_of_dead_letters(make: Callable[..., Queue]) -> None:
    queue = make()
    got: list[int] = []
    dead(queue).subscribe(lambda: got.extend(numbers(dead(queue))))
    queue.send(bodies(1))
    queue.dead_letter(tokens(queue), "r", "d")
    assert got == [1]


def test_a_subscriber_sees_every_message_in_its_place(make: Callable[..., Queue], clock: ManualClock) -> None:
    queue = make(lock_duration=30, max_delivery_count=2)
    seen: list[object] = []
    dead(queue).subscribe(lambda: seen.append(dict(queue.depth())))
    queue.send([Content(), Content(ttl=30)])
    queue.abandon(tokens(queue, 1))
    assert len(tokens(queue)) == 2
    clock.advance(30)
    queue.expire()
    assert seen == [{"active": 0, "locked": 0, "deferred": 0, "scheduled": 0, "dead_lettered": 1}]


def test_a_subscriber_may_receive_while_it_is_called(make: Callable[..., Queue], clock: ManualClock) -> None:
    queue = make(lock_duration=30)
    got: list[int] = []
    queue.subscribe(lambda: got.extend(numbers(queue)))
    queue.send(bodies(2))
    clock.advance(30)
    queue.expire()
    assert got == [1, 2, 1, 2]
    assert queue.depth()["locked"] == 2


def test_nothing_is_due_in_a_queue_at_rest(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(1))
    assert queue.expire() is None
    tokens(queue)
    assert queue.expire() == START + 60


def test_what_has_left_a_long_lived_queue_takes_no_room(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make(default_ttl=1e6)
    for _ in range(500):
        queue.send(bodies(10))
        queue.schedule([Content(scheduled_at=START + 1e6)])
        queue.cancel([queue.peek(0, 11)[-1].sequence_number])
        queue.complete(tokens(queue))
    stock = queue._stock
    assert len(stock._expiry._heap) < 200
    assert len(stock._schedule._heap) < 200
    assert len(stock._register._numbers) < 200
    queue.send([Content(ttl=1) for _ in range(2000)])
    clock.advance(1)
    queue.expire()
    assert len(stock._line._fresh) < 200
