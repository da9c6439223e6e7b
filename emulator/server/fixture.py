"""What a test gets of an embedded Service Bus: entities of its own, faults, and time to pass."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from ..entities.clock import ShiftedClock
from ..entities.settings import QueueSettings
from .faults import Fault
from .threads import RunningBroker

Named: TypeAlias = Iterable[str] | Mapping[str, Mapping[str, Any]]
"""Names, or names with settings as :class:`QueueSettings` has them."""


class ServiceBusFixture:
    """The entities of one test, in a broker that others use before and after it.

    Args:
        broker: The broker.
        clock: Its time.

    Attributes:
        broker: The broker, for whatever else it can do.
    """

    def __init__(self, broker: RunningBroker, clock: ShiftedClock) -> None:
        self.broker = broker
        self._clock = clock
        self._queues: list[str] = []
        self._topics: list[str] = []

    @property
    def connection_string(self) -> str:
        """What a client is configured with."""
        return self.broker.connection_string

    def create_queue(self, name: str, **settings: Any) -> str:
        """Create a queue for this test; its name.

        Args:
            name: As clients address it.
            settings: As :class:`QueueSettings` has them.

        Raises:
            EntityError: The name is not allowed.
            ValueError: A setting is outside its range.
        """
        made = QueueSettings(**settings)
        self.broker.call(lambda namespace: namespace.create_queue(name, made))
        self._queues.append(name)
        return name

    def create_topic(self, name: str, subscriptions: Named = (), **settings: Any) -> str:
        """Create a topic with subscriptions for this test; its name.

        Args:
            name: As clients address it.
            subscriptions: Their names, or their names with settings.
            settings: Of the topic.

        Raises:
            EntityError: A name is not allowed.
            ValueError: A setting is outside its range.
        """
        made = QueueSettings(**settings)
        self.broker.call(lambda namespace: namespace.create_topic(name, made))
        self._topics.append(name)
        for subscription, its_settings in _with_settings(subscriptions).items():
            kept = QueueSettings(**its_settings)
            self.broker.call(
                lambda namespace, subscription=subscription, kept=kept: namespace.create_subscription(  # type: ignore[misc]
                    name, subscription, kept
                )
            )
        return name

    def declare(self, queues: Named = (), topics: Mapping[str, Named] | None = None) -> None:
        """Create what a marker declares.

        Args:
            queues: Names, or names with settings.
            topics: Subscriptions by topic, likewise.
        """
        for name, settings in _with_settings(queues).items():
            self.create_queue(name, **settings)
        for name, subscriptions in (topics or {}).items():
            self.create_topic(name, subscriptions)

    def depth(self, address: str) -> dict[str, int]:
        """How many messages of each kind an entity holds, kinds without any left out.

        Raises:
            EntityError: There is none at the address.
        """
        kinds = self.broker.call(lambda namespace: namespace.queue(address).depth())
        return {kind: count for kind, count in kinds.items() if count}

    def advance(self, seconds: float) -> None:
        """Let time pass for the broker, which acts on it at once: locks lapse, messages expire or come due.

        Clients keep their own time.
        """
        self.broker.call(lambda _: self._clock.advance(seconds))

    def arm(self, fault: Fault) -> int:
        """Let a fault wait for its chances until the test ends; its number."""
        return self.broker.arm(fault)

    def lose_locks(self, address: str, count: int | None = None) -> int:
        """Let locks of an entity lapse now, so many, those that would lapse first, or all; how many have.

        Raises:
            EntityError: There is none at the address.
        """
        return self.broker.lose_locks(address, count)

    def close(self) -> None:
        """Delete what was created, and disarm all faults."""
        self.broker.disarm()
        for name in self._topics:
            self.broker.call(lambda namespace, name=name: namespace.delete_topic(name))  # type: ignore[misc]
        for name in self._queues:
            self.broker.call(lambda namespace, name=name: namespace.delete_queue(name))  # type: ignore[misc]


def _with_settings(named: Named) -> Mapping[str, Mapping[str, Any]]:
    return named if isinstance(named, Mapping) else {name: {} for name in named}
