"""An embedded Service Bus per module, and a way to fill its queues."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.sources import ServiceBusSource

_numbers = count()


@pytest.fixture(scope="module")
def bus() -> Iterator[RunningBroker]:
    with run_in_thread(Namespace()) as running:
        yield running


@pytest.fixture(scope="module")
def client(bus: RunningBroker) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(bus.connection_string) as opened:
        yield opened


@pytest.fixture
def make_queue(bus: RunningBroker) -> Callable[..., str]:
    """Return a function that makes a new queue and gives its name."""

    def make(**settings: float) -> str:
        name = f"queue-{next(_numbers)}"
        bus.call(lambda namespace: namespace.create_queue(name, QueueSettings(**settings)))  # type: ignore[arg-type]
        return name

    return make


@pytest.fixture
def send(client: ServiceBusClient) -> Callable[[str, int], None]:
    """Return a function that sends so many numbered messages to a queue."""

    def send_to(queue: str, messages: int) -> None:
        with client.get_queue_sender(queue) as sender:
            sender.send_messages([ServiceBusMessage(f"body {n}", message_id=str(n)) for n in range(messages)])

    return send_to


@pytest.fixture
def source_of(bus: RunningBroker) -> Callable[..., ServiceBusSource]:
    """Return a function that makes the source of some queues."""

    def make(*queues: str, **options: object) -> ServiceBusSource:
        return ServiceBusSource.model_validate(
            {"connection_string": bus.connection_string, "entities": queues, "wait": 0.2, **options}
        )

    return make
