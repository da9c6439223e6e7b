"""One broker for all tests, and clients of it that stay open: opening and closing one takes a second."""

import time
from collections.abc import Callable, Iterator

import azure.servicebus
import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread

ADDRESSES = ("orders", "orders/$DeadLetterQueue", "notes", "notes/$DeadLetterQueue")
LONG = 100_000.0


@pytest.fixture(scope="session")
def clock() -> ManualClock:
    """The broker's time; it begins with the real time, for the client looks at locks with its own clock."""
    return ManualClock(time.time())


@pytest.fixture(scope="session")
def bus(clock: ManualClock) -> Iterator[RunningBroker]:
    namespace = Namespace(clock)
    namespace.create_queue("orders", QueueSettings(lock_duration=60, max_delivery_count=3))
    namespace.create_queue("notes", QueueSettings(dead_letter_on_expiry=True))
    with run_in_thread(namespace, clock=clock) as running:
        yield running


@pytest.fixture(scope="session")
def client(bus: RunningBroker) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(bus.connection_string, retry_total=0) as opened:
        yield opened


@pytest.fixture(scope="session")
def orders_sender(client: ServiceBusClient) -> Iterator[ServiceBusSender]:
    with client.get_queue_sender("orders") as opened:
        yield opened


@pytest.fixture(scope="session")
def orders_receiver(client: ServiceBusClient) -> Iterator[ServiceBusReceiver]:
    with client.get_queue_receiver("orders") as opened:
        yield opened


@pytest.fixture(scope="session")
def dead_receiver(client: ServiceBusClient) -> Iterator[ServiceBusReceiver]:
    with client.get_queue_receiver("orders", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as opened:
        yield opened


@pytest.fixture(scope="session")
def notes_sender(client: ServiceBusClient) -> Iterator[ServiceBusSender]:
    with client.get_queue_sender("notes") as opened:
        yield opened


@pytest.fixture(scope="session")
def notes_receiver(client: ServiceBusClient) -> Iterator[ServiceBusReceiver]:
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with client.get_queue_receiver("notes", receive_mode=mode) as opened:
        yield opened


def _drain(namespace: Namespace) -> None:
    for address in ADDRESSES:
        queue = namespace.queue(address)
        while messages := queue.peek(0, 1000):
            numbers = [message.sequence_number for message in messages]
            for number, message in zip(numbers, messages, strict=True):
                if message.state == 1:
                    queue.receive_deferred([number], lock=False)
                elif message.state == 2:
                    queue.cancel([number])
            queue.receive(len(numbers), lock=False)


@pytest.fixture(autouse=True)
def _emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the shared queues empty: locks lapse, then everything is taken."""
    yield
    if "bus" in request.fixturenames:
        running: RunningBroker = request.getfixturevalue("bus")
        clock: ManualClock = request.getfixturevalue("clock")
        running.call(lambda _: clock.advance(61))
        running.call(_drain)


@pytest.fixture
def depth(bus: RunningBroker) -> Callable[..., dict[str, int]]:
    """A function that tells how many messages of each kind a queue holds, kinds without any left out."""

    def of(queue: str = "orders") -> dict[str, int]:
        return {kind: count for kind, count in bus.call(lambda n: n.queue(queue).depth()).items() if count}

    return of


@pytest.fixture
def pass_time(bus: RunningBroker, clock: ManualClock) -> Callable[[float], None]:
    """A function that moves the broker's clock, seconds, and has it act on that."""
    return lambda seconds: bus.call(lambda _: clock.advance(seconds))


@pytest.fixture
def confirmed() -> None:
    """Skip a test on clients before 7.15: they settle without waiting for the outcome."""
    if tuple(int(part) for part in azure.servicebus.__version__.split(".")[:2]) < (7, 15):
        pytest.skip("this client does not wait for the outcome of a settlement")
