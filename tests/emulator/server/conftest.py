"""One broker for all tests, and clients of it that stay open: opening and closing one takes a second."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any, TypeVar

import azure.servicebus
import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)

from cdsbridge.emulator.amqp.endpoints import Source, Target
from cdsbridge.emulator.amqp.frames import AMQP_HEADER, Frame, FrameReader, encode_frame
from cdsbridge.emulator.amqp.performatives import (
    Attach,
    Begin,
    Flow,
    Open,
    Performative,
    Transfer,
    decode_performative,
    encode_performative,
)
from cdsbridge.emulator.amqp.sections import DATA, section
from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread

ADDRESSES = ("orders", "orders/$DeadLetterQueue", "notes", "notes/$DeadLetterQueue")
_P = TypeVar("_P", bound=Performative)


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


@pytest.fixture(scope="module")
def trains(clock: ManualClock) -> Iterator[RunningBroker]:
    """A broker with sessions."""
    namespace = Namespace(clock)
    namespace.create_queue("trains", QueueSettings(requires_session=True, max_delivery_count=2))
    namespace.create_queue("plain")
    with run_in_thread(namespace, clock=clock) as running:
        yield running


_ids = count()


@pytest.fixture
def session_id() -> str:
    """A session no other test uses."""
    return f"session-{next(_ids)}"


@pytest.fixture
def own_queue(trains: RunningBroker) -> Iterator[str]:
    """A queue with sessions that no other test uses."""
    trains.call(lambda namespace: namespace.create_queue("own", QueueSettings(requires_session=True)))
    yield "own"
    trains.call(lambda namespace: namespace.delete_queue("own"))


@pytest.fixture
def trains_wait(trains: RunningBroker, clock: ManualClock) -> Callable[[float], None]:
    """A function that moves the clock, seconds, and has the broker with sessions act on that."""
    return lambda seconds: trains.call(lambda _: clock.advance(seconds))


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


class Wire:
    """A client made of a socket and the codec."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._reader = FrameReader(1 << 20)
        self.payload = b""

    def header(self, header: bytes = AMQP_HEADER) -> bytes:
        self.socket.sendall(header)
        while (answer := self._reader.next_header()) is None:
            self._receive()
        return answer

    def frame(self) -> Frame:
        while (frame := self._reader.next_frame()) is None:
            self._receive()
        return frame

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError("the broker closed the connection")
        self._reader.feed(data)

    def say(self, performative: Performative, payload: bytes = b"", channel: int = 0) -> None:
        self.socket.sendall(encode_frame(channel, encode_performative(performative) + payload))

    def hear(self, kind: type[_P]) -> _P:
        """Read frames, heartbeats aside, and insist that the next is of a kind."""
        while not (frame := self.frame()).body:
            pass
        performative, position = decode_performative(frame.body)
        assert isinstance(performative, kind), performative
        self.payload = frame.body[position:]
        return performative

    def begin(
        self, *, window: int = 5000, max_frame_size: int = 65536, idle_timeout: int | None = None
    ) -> None:
        assert self.header() == AMQP_HEADER
        self.say(Open("wire", max_frame_size=max_frame_size, idle_timeout=idle_timeout))
        self.say(Begin(None, 0, window, window))
        self.hear(Open)
        self.hear(Begin)

    def receive_from(self, address: str, handle: int = 0, mode: int = 0, **fields: Any) -> Attach:
        self.say(Attach(f"in-{handle}", handle, True, mode, 1, Source(address, **fields), Target("me")))
        return self.hear(Attach)

    def send_to(self, address: str, handle: int = 1) -> Attach:
        self.say(
            Attach(
                f"out-{handle}", handle, False, 0, 0, Source("me"), Target(address), initial_delivery_count=0
            )
        )
        attach = self.hear(Attach)
        if attach.target is not None:
            self.hear(Flow)
        return attach

    def credit(self, credit: int, *, seen: int = 0, handle: int = 0, drain: bool = False) -> None:
        self.say(Flow(seen, 5000, 0, 5000, handle, seen, credit, drain=drain))

    def transfers(self, count: int) -> list[Transfer]:
        return [self.hear(Transfer) for _ in range(count)]


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningBroker]:
    with run_in_thread(Namespace()) as running:
        yield running


@pytest.fixture
def queue(broker: RunningBroker) -> Iterator[str]:
    broker.call(lambda namespace: namespace.create_queue("q", QueueSettings(lock_duration=300)))
    yield "q"
    broker.call(lambda namespace: namespace.delete_queue("q"))


@pytest.fixture
def connect() -> Iterator[Callable[[int], Wire]]:
    """A function that connects to the broker at a port."""
    with ExitStack() as stack:

        def connect(port: int) -> Wire:
            wire = Wire(port)
            stack.enter_context(wire.socket)
            return wire

        yield connect


@pytest.fixture
def wire(broker: RunningBroker, connect: Callable[[int], Wire]) -> Wire:
    return connect(broker.port)


@pytest.fixture
def fill(broker: RunningBroker, queue: str) -> Callable[..., None]:
    def fill(count: int, size: int = 4) -> None:
        contents = [Content(body=section(DATA, b"x" * size), message_id=str(n)) for n in range(count)]
        broker.call(lambda namespace: namespace.queue(queue).send(contents))

    return fill


@pytest.fixture
def depth_of(broker: RunningBroker, queue: str) -> Callable[[], dict[str, int]]:
    """A function that tells how many messages of each kind the queue holds, kinds without any left out."""

    def depth_of() -> dict[str, int]:
        kinds = broker.call(lambda namespace: namespace.queue(queue).depth())
        return {kind: count for kind, count in kinds.items() if count}

    return depth_of
