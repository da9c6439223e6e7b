from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.entity import Source, Target
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content, State
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.settings import QueueSettings

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


def test_a_queue_can_be_sent_to_and_received_from(make: Callable[..., Queue]) -> None:
    target: Target = make()
    source: Source = make()
    assert (target.name, source.name) == ("q", "q")


def test_messages_are_numbered_from_one_and_delivered_in_that_order(make: Callable[..., Queue]) -> None:
    queue = make()
    assert queue.send(bodies(3)) == [1, 2, 3]
    assert queue.send(bodies(1)) == [4]
    assert numbers(queue, 2) == [1, 2]
    assert numbers(queue) == [3, 4]
    assert numbers(queue) == []


def test_a_delivery_carries_what_the_sender_gave_and_when(make: Callable[..., Queue]) -> None:
    content = Content(b"p", b"a", b"b", b"n", "id", None, False, 7, None, "s")
    queue = make(lock_duration=30)
    queue.send([content])
    (delivery,) = queue.receive(1, lock=True)
    assert delivery.message.content is content
    assert delivery.message.enqueued_at == START
    assert delivery.message.delivery_count == 0
    assert delivery.locked_until == START + 30


def test_a_message_received_without_a_lock_is_gone(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(2))
    deliveries = queue.receive(1, lock=False)
    assert [(each.token, each.locked_until) for each in deliveries] == [(None, 0.0)]
    assert queue.depth()["active"] == queue.size == 1


def test_an_abandoned_message_returns_to_its_place_with_a_higher_count(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(3))
    second = tokens(queue, 2)[1]
    queue.abandon([second])
    deliveries = queue.receive(2, lock=True)
    assert [(each.message.sequence_number, each.message.delivery_count) for each in deliveries] == [
        (2, 1),
        (3, 0),
    ]


def test_a_released_message_returns_with_the_same_count(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(1))
    queue.release([*tokens(queue), uuid4()])
    (delivery,) = queue.receive(1, lock=True)
    assert delivery.message.delivery_count == 0


@pytest.mark.parametrize("operation", ["complete", "abandon", "defer", "renew"])
def test_one_lost_lock_leaves_the_whole_request_undone(make: Callable[..., Queue], operation: str) -> None:
    queue = make()
    queue.send(bodies(2))
    held = tokens(queue)
    before = queue.depth()
    with pytest.raises(EntityError, match="1 of 3 lock tokens are not held on 'q'"):
        getattr(queue, operation)([held[0], uuid4(), held[1]])
    assert queue.depth() == before
    queue.complete(held)


def test_a_lost_lock_leaves_a_dead_lettering_undone(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(1))
    with pytest.raises(EntityError):
        queue.dead_letter([*tokens(queue), uuid4()], "bad", "it is bad")
    assert queue.depth()["dead_lettered"] == 0


def test_a_token_named_twice_settles_once(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(1))
    (token,) = tokens(queue)
    queue.abandon([token, token])
    assert queue.peek(1, 1)[0].delivery_count == 1


def test_a_message_that_keeps_failing_goes_to_the_dead_letter_queue(make: Callable[..., Queue]) -> None:
    queue = make(max_delivery_count=3)
    queue.send(bodies(2))
    for _ in range(3):
        queue.abandon(tokens(queue, 1))
    assert numbers(queue) == [2]
    (delivery,) = dead(queue).receive(5, lock=True)
    assert delivery.message.sequence_number == 1
    assert delivery.message.delivery_count == 3
    assert delivery.message.dead_letter == {
        "DeadLetterReason": "MaxDeliveryCountExceeded",
        "DeadLetterErrorDescription": "Message could not be consumed after 3 delivery attempts.",
    }


def test_a_dead_lettered_message_keeps_its_number_and_gains_the_reason(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(2))
    queue.dead_letter(tokens(queue)[1:], "Malformed", "no table")
    (message,) = dead(queue).peek(0, 10)
    assert message.sequence_number == 2
    assert message.delivery_count == 0
    assert message.dead_letter == {
        "DeadLetterReason": "Malformed",
        "DeadLetterErrorDescription": "no table",
    }
    assert queue.depth() == {"active": 0, "locked": 1, "deferred": 0, "scheduled": 0, "dead_lettered": 1}


def test_what_a_settlement_changes_of_properties_is_kept(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send([Content(application=b"a"), Content(application=b"b"), Content(application=b"c")])
    held = tokens(queue)
    queue.abandon(held[:1], lambda application: application + b"1")
    queue.defer(held[1:2], lambda application: application + b"2")
    queue.dead_letter(held[2:], "r", "d", lambda application: application + b"3")
    with pytest.raises(EntityError):
        queue.abandon(held[:1], lambda application: application + b"4")
    kept = [*queue.peek(1, 9), *dead(queue).peek(1, 9)]
    assert [message.content.application for message in kept] == [b"a1", b"b2", b"c3"]


def test_a_deferred_message_that_is_dead_lettered_is_received_like_any(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(1))
    queue.defer(tokens(queue))
    queue.dead_letter([each.token for each in queue.receive_deferred([1], lock=True) if each.token], "r", "d")
    assert numbers(dead(queue)) == [1]


def test_a_reason_that_was_not_given_is_not_noted(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(1))
    queue.dead_letter(tokens(queue), "", "")
    assert dead(queue).peek(0, 1)[0].dead_letter == {}


def test_dead_letters_come_in_the_order_of_their_numbers(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(4))
    held = tokens(queue)
    for token in (held[2], held[0], held[3], held[1]):
        queue.dead_letter([token], "r", "d")
    assert [message.sequence_number for message in dead(queue).peek(0, 9)] == [1, 2, 3, 4]
    assert numbers(dead(queue)) == [1, 2, 3, 4]


def test_a_dead_letter_can_fail_for_ever_and_dies_no_second_death(make: Callable[..., Queue]) -> None:
    queue = make(max_delivery_count=1)
    queue.send(bodies(1))
    queue.abandon(tokens(queue))
    for _ in range(5):
        dead(queue).abandon(tokens(dead(queue)))
    held = tokens(dead(queue))
    with pytest.raises(EntityError) as refusal:
        dead(queue).dead_letter(held, "again", "")
    assert refusal.value.condition == "amqp:not-allowed"
    dead(queue).complete(held)
    assert dead(queue).size == 0


def test_nothing_can_be_sent_to_a_dead_letter_queue(make: Callable[..., Queue]) -> None:
    with pytest.raises(EntityError) as refusal:
        dead(make()).send(bodies(1))
    assert refusal.value.condition == "amqp:not-allowed"


def test_a_deferred_message_is_delivered_only_when_asked_for(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make(lock_duration=30, max_delivery_count=9)
    queue.send(bodies(2))
    queue.defer(tokens(queue)[:1])
    assert numbers(queue) == []
    (delivery,) = queue.receive_deferred([1], lock=True)
    assert (delivery.message.state, delivery.message.delivery_count) == (State.DEFERRED, 1)
    with pytest.raises(EntityError) as refusal:
        queue.receive_deferred([1], lock=True)
    assert refusal.value.condition == "com.microsoft:message-not-found"
    clock.advance(31)
    (again,) = queue.receive_deferred([1], lock=False)
    assert again.message.delivery_count == 2
    assert queue.peek(0, 9)[0].sequence_number == 2


def test_a_number_that_is_not_deferred_leaves_the_whole_request_undone(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send(bodies(2))
    queue.defer(tokens(queue, 1))
    with pytest.raises(EntityError, match="sequence number 2 in 'q'"):
        queue.receive_deferred([1, 2], lock=True)
    assert queue.depth()["deferred"] == 1


def test_a_message_too_large_refuses_its_whole_batch(make: Callable[..., Queue]) -> None:
    queue = make(max_message_size=10)
    queue.send([Content(b"123", b"45", b"678", b"90")])
    with pytest.raises(EntityError, match="11 bytes") as refusal:
        queue.send([Content(), Content(body=b"x" * 11)])
    assert refusal.value.condition == "amqp:link:message-size-exceeded"
    assert queue.size == 1


def test_browsing_shows_every_kind_from_a_number_upwards(make: Callable[..., Queue]) -> None:
    queue = make()
    queue.send([*bodies(4), Content(scheduled_at=START + 9)])
    locked, deferred, completed = tokens(queue, 3)
    queue.defer([deferred])
    queue.complete([completed])
    assert [message.sequence_number for message in queue.peek(0, 10)] == [1, 2, 4, 5]
    assert [message.sequence_number for message in queue.peek(2, 2)] == [2, 4]
    assert queue.peek(6, 5) == []
    queue.complete([locked])


def test_settings_out_of_range_are_refused() -> None:
    for wrong in (
        {"lock_duration": 0.0},
        {"max_delivery_count": 0},
        {"default_ttl": 0.0},
        {"max_message_size": 0},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            QueueSettings(**wrong)
