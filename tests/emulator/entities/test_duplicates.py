"""Of messages with one id, sent within the window, an entity keeps the first."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.settings import QueueSettings

START = 1000.0


def named(*ids: str) -> list[Content]:
    return [Content(message_id=message_id) for message_id in ids]


def ids(queue: Queue) -> list[str]:
    return [message.content.message_id for message in queue.peek(0, 10**6)]


def test_a_duplicate_is_accepted_and_dropped(make: Callable[..., Queue]) -> None:
    queue = make(duplicate_window=60)
    assert queue.send(named("a", "b", "a")) == [1, 2, 0]
    assert queue.send(named("b", "c")) == [0, 3]
    assert ids(queue) == ["a", "b", "c"]


def test_an_id_is_remembered_for_the_window_though_its_message_is_gone(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make(duplicate_window=60)
    queue.send(named("a"))
    queue.receive(1, lock=False)
    clock.advance(59)
    assert queue.send(named("a")) == [0]
    clock.advance(1)
    assert queue.send(named("a")) == [2]


def test_a_scheduled_message_counts_from_when_it_was_sent(
    make: Callable[..., Queue], clock: ManualClock
) -> None:
    queue = make(duplicate_window=60)
    later = Content(message_id="a", scheduled_at=START + 100)
    assert queue.schedule([later]) == [1]
    assert queue.send(named("a", "b")) == [0, 2]
    assert queue.schedule([Content(message_id="b", scheduled_at=START + 50)]) == [0]
    clock.advance(100)
    assert ids(queue) == ["b", "a"]


def test_messages_without_an_id_and_entities_without_a_window_know_no_duplicates(
    make: Callable[..., Queue],
) -> None:
    assert make(duplicate_window=60).send(named("", "")) == [1, 2]
    assert make().send(named("a", "a")) == [1, 2]


def test_every_entity_looks_for_itself_and_a_topic_for_its_subscriptions(clock: ManualClock) -> None:
    namespace, settings = Namespace(clock), QueueSettings(duplicate_window=60)
    one, two = namespace.create_queue("one", settings), namespace.create_queue("two", settings)
    assert one.send(named("a")) == two.send(named("a")) == [1]
    topic = namespace.create_topic("t", settings)
    subscription = namespace.create_subscription("t", "s")
    topic.send(named("a", "a"))
    assert ids(subscription) == ["a"]


def test_the_ids_survive_a_restart_and_are_forgotten_in_time(clock: ManualClock, tmp_path: Path) -> None:
    path, settings = tmp_path / "bus.db", QueueSettings(duplicate_window=60)

    def reopened() -> Namespace:
        return Namespace(clock, path)

    namespace = reopened()
    namespace.create_queue("q", settings).send(named("a"))
    namespace.create_topic("t", settings).send(named("a"))
    clock.advance(30)
    namespace.queue("q").send(named("b"))
    namespace.close()
    namespace = reopened()
    clock.advance(29)
    assert namespace.queue("q").send(named("a", "b")) == [0, 0]
    assert namespace.topic("t").send(named("a")) == [0]
    clock.advance(1)
    assert namespace.queue("q").send(named("b", "a")) == [0, 3]
    clock.advance(50)
    namespace.queue("q").send(named("c"))
    namespace.close()
    store = reopened()._store
    assert store is not None
    assert store.seen(1) == [("a", START + 60), ("c", START + 110)]
    store.close()


@pytest.mark.parametrize("window", [0, -1.0])
def test_a_window_is_above_zero(window: float) -> None:
    with pytest.raises(ValueError, match="above 0, or None"):
        QueueSettings(duplicate_window=window)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 4.0, 5.0, 6.0]), st.lists(st.sampled_from("abc"), max_size=4)),
        max_size=12,
    )
)
def test_no_two_kept_messages_with_one_id_lie_within_the_window(sends: list[tuple[float, list[str]]]) -> None:
    clock = ManualClock(START)
    queue = Namespace(clock).create_queue("q", QueueSettings(duplicate_window=5.0))
    kept: list[tuple[float, str]] = []
    for step, names in sends:
        clock.advance(step)
        for number, name in zip(queue.send(named(*names)), names, strict=True):
            known = [at for at, other in kept if other == name and clock() - at < 5]
            assert (number == 0) == bool(known)
            if number:
                kept.append((clock(), name))
    assert ids(queue) == [name for _, name in kept]
