"""Topics and their subscriptions.

The rules are those of "Service Bus queues, topics, and subscriptions" and
"Topic filters and actions" in the Azure documentation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from . import errors
from .intake import Intake
from .message import Content, State, StoredMessage
from .queue import Queue
from .settings import QueueSettings
from .stock import Shelf


class Subscription(Queue):
    """Copies of the messages of a topic, received like those of a queue.

    The arguments are those of :class:`Queue`.
    """

    def send(self, contents: Sequence[Content]) -> NoReturn:
        """Refuse: messages come by way of the topic.

        Raises:
            EntityError: Always.
        """
        del contents
        sentence = f"Nothing can be sent to the subscription {self.name!r}; send to its topic."
        raise errors.EntityError(errors.NOT_ALLOWED, sentence)

    def take_copies(self, originals: Sequence[StoredMessage]) -> None:
        """Take in copies of what the topic accepted, under numbers of this subscription."""
        self._catch_up()
        first = self._next_number
        self._enter([self._copied(number, original) for number, original in enumerate(originals, first)])

    def _copied(self, number: int, original: StoredMessage) -> StoredMessage:
        expires_at, given = self._expiry(original.content, original.enqueued_at), original.expires_at
        if given is not None and (expires_at is None or given < expires_at):
            expires_at = given
            self._due = min(self._due, given)
        return replace(
            original, sequence_number=number, expires_at=expires_at, enqueued_number=original.sequence_number
        )


class Topic(Intake):
    """Where senders put messages of which each subscription gets a copy.

    A topic itself keeps scheduled messages only, until they are due.

    Args:
        name: The address, for errors.
        settings: What senders are held to; what is said of locks and
            deliveries has no meaning here.
        clock: Gives the time, epoch seconds.
        shelf: Where scheduled messages are stored; ``None``: in memory only.

    Attributes:
        subscriptions: The subscriptions by their own name, lower case.
    """

    def __init__(
        self, name: str, settings: QueueSettings, clock: Callable[[], float], shelf: Shelf | None = None
    ) -> None:
        super().__init__(name, settings, clock, shelf)
        self.subscriptions: dict[str, Subscription] = {}

    def admit(self, messages: Sequence[StoredMessage]) -> None:
        """Keep what is scheduled, and hand a copy of the rest to every subscription."""
        active = [message for message in messages if message.state is State.ACTIVE]
        super().admit([message for message in messages if message.state is not State.ACTIVE])
        if active:
            for subscription in self.subscriptions.values():
                subscription.take_copies(active)

    def announce(self) -> None:
        """Call the subscribers of the subscriptions that got something."""
        super().announce()
        for subscription in tuple(self.subscriptions.values()):
            subscription.announce()

    def depth(self) -> Mapping[str, int]:
        """How many messages are scheduled; there are no others."""
        self._catch_up()
        return {"scheduled": len(self._stock.scheduled)}
