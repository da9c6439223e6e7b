"""Every way to settle keeps one contract, on the oldest SDK we support and on the newest."""

import os
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import azure.servicebus
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusReceiver, ServiceBusSubQueue
from azure.servicebus.exceptions import MessageLockLostError

from cdsbridge.emulator.server import Fault, Kind, Point, RunningBroker
from cdsbridge.sources.config import ServiceBusSource
from cdsbridge.sources.gather import GatherSettlement
from cdsbridge.sources.settlement import (
    Held,
    ManagementSettlement,
    PublicSettlement,
    RangeSettlement,
    Settlement,
    in_halves,
    settle_on_link,
)
from cdsbridge.sources.settler import ways
from cdsbridge.sources.throttling import Throttled

VERSION = tuple(int(part) for part in azure.servicebus.__version__.split(".")[:2])
WAYS = ("range", "management", "gather", "public")


def way_of(name: str, receiver: ServiceBusReceiver, source: ServiceBusSource, queue: str) -> Settlement:
    if name == "range" and not RangeSettlement.available(receiver):
        pytest.skip(f"azure-servicebus {azure.servicebus.__version__} cannot wait for the outcome of a range")
    made: dict[str, Settlement] = {
        "range": RangeSettlement(receiver),
        "management": ManagementSettlement(receiver),
        "gather": GatherSettlement(source, queue),
        "public": PublicSettlement(receiver),
    }
    return made[name]


def hold(receiver: Any, count: int) -> list[Held]:
    messages: list[Any] = []
    while len(messages) < count:
        messages += receiver.receive_messages(count - len(messages), max_wait_time=5)
    handler = receiver._handler
    return [
        Held(
            token=message.lock_token.bytes,
            sequence_number=message.sequence_number,
            enqueued_at=0,
            size=0,
            received=0.0,
            expires=0.0,
            delivery=(message._delivery_id, message._delivery_tag, handler),
            message=message,
        )
        for message in messages
    ]


def numbers(held: Sequence[Held]) -> set[int]:
    return {item.sequence_number for item in held}


def in_queue(bus: RunningBroker, queue: str) -> set[int]:
    return bus.call(lambda namespace: {m.sequence_number for m in namespace.queue(queue).peek(1, 1000)})


def test_the_sdk_under_test_is_the_one_meant() -> None:
    expected = os.environ.get("CDSBRIDGE_EXPECT_SDK")
    assert expected is None or azure.servicebus.__version__ == expected


def test_the_ways_found_fit_the_sdk(
    client: ServiceBusClient, make_queue: Callable[..., str], source_of: Callable[..., ServiceBusSource]
) -> None:
    queue = make_queue()
    with client.get_queue_receiver(queue) as receiver:
        receiver.peek_messages(1)
        found = [way.name for way in ways(receiver, source_of(queue), queue)]
    assert found == (["range"] if VERSION >= (7, 15) else []) + ["management", "public"]


def test_without_the_inner_parts_only_the_documented_calls_are_used(
    client: ServiceBusClient,
    make_queue: Callable[..., str],
    source_of: Callable[..., ServiceBusSource],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = make_queue()
    monkeypatch.setattr(RangeSettlement, "available", lambda _: False)
    monkeypatch.setattr(ManagementSettlement, "available", lambda _: False)
    with client.get_queue_receiver(queue) as receiver:
        assert [way.name for way in ways(receiver, source_of(queue), queue)] == ["gather", "public"]


@pytest.mark.parametrize("name", WAYS)
def test_what_is_completed_is_gone(
    name: str,
    bus: RunningBroker,
    client: ServiceBusClient,
    make_queue: Callable[..., str],
    send: Callable[[str, int], None],
    source_of: Callable[..., ServiceBusSource],
) -> None:
    queue = make_queue()
    send(queue, 20)
    with client.get_queue_receiver(queue) as receiver:
        held = hold(receiver, 20)
        way = way_of(name, receiver, source_of(queue), queue)
        assert way.complete(held[:15]) == []
        assert in_queue(bus, queue) == numbers(held[15:])
        assert way.complete(held[15:]) == []
    assert in_queue(bus, queue) == set()


@pytest.mark.parametrize("name", WAYS)
def test_a_lost_lock_is_told_and_nothing_else_is_said_to_be_settled(
    name: str,
    bus: RunningBroker,
    client: ServiceBusClient,
    make_queue: Callable[..., str],
    send: Callable[[str, int], None],
    source_of: Callable[..., ServiceBusSource],
) -> None:
    queue = make_queue()
    send(queue, 9)
    with client.get_queue_receiver(queue) as receiver:
        held = hold(receiver, 9)
        lost = held[4]
        bus.call(lambda namespace: namespace.queue(queue).abandon([_uuid(lost.token)]))
        left = way_of(name, receiver, source_of(queue), queue).complete(held)
        outcome_is_told = name != "public" or VERSION >= (7, 15)
        assert lost in left or not outcome_is_told
        assert numbers(held) - numbers(left) - {lost.sequence_number} <= numbers(held) - in_queue(bus, queue)
        ManagementSettlement(receiver).complete([item for item in left if item is not lost])
    assert in_queue(bus, queue) == {lost.sequence_number}


@pytest.mark.parametrize("name", ["management", "gather", "public"])
def test_a_dead_letter_carries_its_reason(
    name: str,
    client: ServiceBusClient,
    make_queue: Callable[..., str],
    send: Callable[[str, int], None],
    source_of: Callable[..., ServiceBusSource],
) -> None:
    queue = make_queue()
    send(queue, 3)
    with client.get_queue_receiver(queue) as receiver:
        held = hold(receiver, 3)
        way = way_of(name, receiver, source_of(queue), queue)
        assert way.dead_letter(held, "bad-value", "a sentence") == []
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        dead = receiver.peek_messages(10)
    told = [(message.dead_letter_reason, message.dead_letter_error_description) for message in dead]
    assert told == [("bad-value", "a sentence")] * 3


def test_gaps_between_deliveries_make_runs_of_their_own(
    bus: RunningBroker,
    client: ServiceBusClient,
    make_queue: Callable[..., str],
    send: Callable[[str, int], None],
    source_of: Callable[..., ServiceBusSource],
) -> None:
    queue = make_queue()
    send(queue, 12)
    with client.get_queue_receiver(queue) as receiver:
        held = hold(receiver, 12)
        way = way_of("range", receiver, source_of(queue), queue)
        assert way.complete([item for at, item in enumerate(held) if at % 3]) == []
        assert in_queue(bus, queue) == numbers(held[::3])


def test_what_a_busy_broker_refuses_is_left_with_all_behind_it_for_one_request(
    bus: RunningBroker,
    client: ServiceBusClient,
    make_queue: Callable[..., str],
    send: Callable[[str, int], None],
    source_of: Callable[..., ServiceBusSource],
) -> None:
    queue = make_queue()
    send(queue, 9)
    with client.get_queue_receiver(queue) as receiver:
        way = way_of("range", receiver, source_of(queue), queue)
        held = [item for item in hold(receiver, 9) if item.sequence_number not in {4, 7}]
        fault = bus.arm(Fault(Kind.REFUSE, Point.SETTLE, queue, skip=1))
        with pytest.raises(Throttled) as refused:
            way.complete(held)
        assert numbers(refused.value.left) == {5, 6, 8, 9}
        assert in_queue(bus, queue) == {4, 5, 6, 7, 8, 9}
        assert numbers(way.complete(refused.value.left)) == {5, 6, 8, 9}
        assert bus.hits(fault) == 1
        assert ManagementSettlement(receiver).complete(refused.value.left) == []
        assert in_queue(bus, queue) == {4, 7}
        assert len(receiver._handler._link._received_delivery_tags) == 2  # type: ignore[union-attr]
    bus.disarm()


def test_a_range_leaves_alone_what_another_link_received(
    client: ServiceBusClient,
    make_queue: Callable[..., str],
    send: Callable[[str, int], None],
    source_of: Callable[..., ServiceBusSource],
) -> None:
    queue = make_queue()
    send(queue, 4)
    with client.get_queue_receiver(queue) as first, client.get_queue_receiver(queue) as second:
        held = hold(first, 4)
        second.peek_messages(1)
        assert way_of("range", second, source_of(queue), queue).complete(held) == held
        assert ManagementSettlement(second).complete(held) == []


@pytest.mark.parametrize("name", ["range", "management"])
def test_the_sdk_keeps_nothing_of_what_is_settled(
    name: str,
    client: ServiceBusClient,
    make_queue: Callable[..., str],
    send: Callable[[str, int], None],
    source_of: Callable[..., ServiceBusSource],
) -> None:
    queue = make_queue()
    send(queue, 10)
    with client.get_queue_receiver(queue) as receiver:
        inner: Any = receiver
        held = hold(receiver, 10)
        assert way_of(name, receiver, source_of(queue), queue).complete(held) == []
        assert inner._handler._link._received_delivery_tags == set()


def test_a_release_does_not_raise_the_delivery_count(
    client: ServiceBusClient, make_queue: Callable[..., str], send: Callable[[str, int], None]
) -> None:
    queue = make_queue()
    send(queue, 5)
    with client.get_queue_receiver(queue) as receiver:
        held = hold(receiver, 5)
        assert settle_on_link(receiver, held, "released", wait=True) == []
        again = hold(receiver, 5)
        assert {item.message.delivery_count for item in again if item.message} == {0}


def test_halving_finds_each_lost_lock_with_few_requests() -> None:
    held = [Held(bytes([at]), at, 0, 0, 0.0, 0.0) for at in range(200)]
    requests, done = 0, set()

    def request(part: Sequence[Held]) -> None:
        nonlocal requests
        requests += 1
        if any(item.sequence_number in {3, 150} for item in part):
            raise MessageLockLostError(message="lost")
        done.update(numbers(part))

    assert numbers(in_halves(held, request)) == {3, 150}
    assert done == numbers(held) - {3, 150}
    assert requests < 40


def _uuid(token: bytes) -> uuid.UUID:
    return uuid.UUID(bytes=token)
