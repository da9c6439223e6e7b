import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings


@pytest.mark.parametrize("address", ["Orders", "orders", "ORDERS", "/orders/"])
def test_addresses_do_not_distinguish_upper_and_lower_case(address: str) -> None:
    namespace = Namespace()
    queue = namespace.create_queue("Orders")
    assert namespace.queue(address) is queue
    assert queue.name == "Orders"


@pytest.mark.parametrize("address", ["a/b/$DeadLetterQueue", "A/B/$deadletterqueue"])
def test_the_dead_letter_queue_has_an_address_of_its_own(address: str) -> None:
    namespace = Namespace()
    queue = namespace.create_queue("a/b")
    assert namespace.queue(address) is queue.dead_letter_queue
    assert namespace.queue(address).name == "a/b/$DeadLetterQueue"


@pytest.mark.parametrize(
    "address", ["", "x", "q/x", "q/$Transfer", "q/$DeadLetterQueue/$DeadLetterQueue", "$DeadLetterQueue"]
)
def test_an_address_without_an_entity_is_refused(address: str) -> None:
    namespace = Namespace()
    namespace.create_queue("q")
    with pytest.raises(EntityError) as refusal:
        namespace.queue(address)
    assert refusal.value.condition == "amqp:not-found"
    assert repr(address) in str(refusal.value)


@pytest.mark.parametrize("name", ["", " q", "q/", "/q", "a//b", "q/$x"])
def test_a_name_that_could_not_be_addressed_is_refused(name: str) -> None:
    with pytest.raises(EntityError) as refusal:
        Namespace().create_queue(name)
    assert refusal.value.condition == "amqp:invalid-field"


def test_creating_a_queue_again_keeps_its_messages_and_takes_the_settings() -> None:
    namespace = Namespace()
    queue = namespace.create_queue("q")
    queue.send([Content()])
    assert namespace.create_queue("Q", QueueSettings(lock_duration=5)) is queue
    assert queue.settings.lock_duration == 5
    assert namespace.queue("q/$deadletterqueue").settings.lock_duration == 5
    assert queue.size == 1
    assert namespace.names() == ["q"]


def test_settings_do_not_change_under_locks() -> None:
    namespace = Namespace()
    queue = namespace.create_queue("q")
    queue.send([Content()])
    queue.receive(1, lock=True)
    assert namespace.create_queue("q") is queue
    with pytest.raises(EntityError) as refusal:
        namespace.create_queue("q", QueueSettings(lock_duration=5))
    assert refusal.value.condition == "amqp:resource-locked"


def test_a_deleted_queue_answers_nobody() -> None:
    namespace = Namespace()
    queue = namespace.create_queue("q")
    namespace.delete_queue("Q")
    for request in (
        lambda: namespace.queue("q"),
        lambda: queue.send([Content()]),
        lambda: queue.receive(1, lock=True),
    ):
        with pytest.raises(EntityError) as refusal:
            request()
        assert refusal.value.condition == "amqp:not-found"
    with pytest.raises(EntityError):
        namespace.delete_queue("q")
    assert namespace.expire() is None
    assert namespace.create_queue("q") is not queue


def test_the_next_due_time_is_the_earliest_of_all_entities() -> None:
    clock = ManualClock(100.0)
    namespace = Namespace(clock)
    assert namespace.expire() is None
    first = namespace.create_queue("first", QueueSettings(lock_duration=50, max_delivery_count=1))
    namespace.create_queue("second").send([Content(ttl=80)])
    first.send([Content()])
    assert namespace.expire() == 180.0
    first.receive(1, lock=True)
    assert namespace.expire() == 150.0
    clock.advance(50)
    assert namespace.expire() == 180.0
    namespace.queue("first/$deadletterqueue").receive(1, lock=True)
    clock.advance(20)
    namespace.queue("second").receive(1, lock=False)
    clock.advance(10)
    assert namespace.expire() == 200.0
