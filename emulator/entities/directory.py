"""Which entities there are, by address.

Addresses are ``q``, ``t`` and ``t/Subscriptions/s``, each but the topic's also
with ``/$DeadLetterQueue`` or ``/$Transfer/$DeadLetterQueue`` behind it.  They do
not distinguish upper and lower case.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from . import errors
from .queue import Queue
from .topic import Subscription, Topic

DEAD_LETTER_QUEUE: Final = "$DeadLetterQueue"
"""Last segment of the address of a dead-letter queue."""

TRANSFER: Final = "$Transfer"
"""Segment before the last of the address of a transfer dead-letter queue."""

SUBSCRIPTIONS: Final = "Subscriptions"
"""Segment between the names of a topic and of a subscription."""

_SUB_QUEUES: Final = ("", "deadletterqueue", "transfer/$deadletterqueue")
_LONGEST: Final = 260
_LONGEST_SHORT: Final = 50


@dataclass(frozen=True, slots=True)
class Place:
    """A queue or subscription with its dead-letter queues.

    Attributes:
        queue: The queue or subscription.
        dead: Its dead-letter queue.
        transfer: Its transfer dead-letter queue.
        stored_as: Its number in the store, 0 without one.
    """

    queue: Queue
    dead: Queue
    transfer: Queue
    stored_as: int

    def entities(self) -> tuple[Queue, ...]:
        """All that is here, the queue first."""
        return self.queue, self.dead, self.transfer


@dataclass(frozen=True, slots=True)
class TopicPlace:
    """A topic.

    Attributes:
        topic: The topic.
        stored_as: Its number in the store, 0 without one.
    """

    topic: Topic
    stored_as: int

    def entities(self) -> tuple[Topic, ...]:
        """All that is here."""
        return (self.topic,)


def subscription_address(topic: str, name: str) -> str:
    """The address of a subscription."""
    return f"{topic}/{SUBSCRIPTIONS}/{name}"


class Directory:
    """The entities of a namespace by address.

    Attributes:
        places: Queues and subscriptions by address, lower case.
        topics: Topics by name, lower case.
    """

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self.topics: dict[str, TopicPlace] = {}

    def queue(self, address: str) -> Queue:
        """The queue, subscription or dead-letter queue at an address.

        Raises:
            EntityError: There is nothing at the address, or a topic.
        """
        name, _, sub = _key(address).partition("/$")
        place = self.places.get(name)
        if place is None or sub not in _SUB_QUEUES:
            if _key(address) in self.topics:
                sentence = f"{address!r} is a topic: receive from one of its subscriptions."
                raise errors.EntityError(errors.NOT_ALLOWED, sentence)
            raise errors.entity_not_found(address)
        return place.entities()[_SUB_QUEUES.index(sub)]

    def target(self, address: str) -> Queue | Topic:
        """The queue or topic at an address, for a sender.

        Raises:
            EntityError: There is nothing at the address, or nothing that can be sent to.
        """
        place = self.topics.get(_key(address))
        if place is not None:
            return place.topic
        queue = self.queue(address)
        if isinstance(queue, Subscription) or queue.dead_letter_queue is None:
            sentence = f"Messages cannot be sent to {address!r}: send to the queue or topic it belongs to."
            raise errors.EntityError(errors.NOT_ALLOWED, sentence)
        return queue

    def entity(self, address: str) -> Queue | Topic:
        """Whatever is at an address.

        Raises:
            EntityError: There is nothing.
        """
        place = self.topics.get(_key(address))
        return self.queue(address) if place is None else place.topic

    def topic_place(self, name: str) -> TopicPlace:
        """A topic by its name.

        Raises:
            EntityError: There is no such topic.
        """
        place = self.topics.get(_key(name))
        if place is None:
            raise errors.entity_not_found(name)
        return place

    def place(self, address: str) -> Place:
        """A queue or subscription by its address.

        Raises:
            EntityError: There is none.
        """
        place = self.places.get(_key(address))
        if place is None:
            raise errors.entity_not_found(address)
        return place

    def remove(self, place: Place | TopicPlace) -> None:
        """Forget what is at a place."""
        if isinstance(place, TopicPlace):
            del self.topics[place.topic.name.casefold()]
        else:
            del self.places[place.queue.name.casefold()]

    def all(self) -> Iterator[Queue | Topic]:
        """Every entity: what others pass messages on to comes after them."""
        for topic in self.topics.values():
            yield from topic.entities()
        for place in self.places.values():
            yield from place.entities()


def _key(address: str) -> str:
    return address.strip("/").casefold()


def check_name(name: str) -> None:
    """Insist that a name can be one of a queue or topic.

    Raises:
        EntityError: It cannot.
    """
    segments = name.casefold().split("/")
    if name != name.strip(" ") or "$" in name or not all(segments) or len(name) > _LONGEST:
        sentence = (
            f"{name[:300]!r} cannot name a queue or topic: use letters, digits, '.', '-', '_' and inner '/', "
            f"up to {_LONGEST} of them."
        )
        raise errors.EntityError(errors.INVALID_FIELD, sentence)
    if SUBSCRIPTIONS.casefold() in segments:
        sentence = (
            f"{name!r} cannot name a queue or topic: {SUBSCRIPTIONS!r} parts a topic from a subscription."
        )
        raise errors.EntityError(errors.INVALID_FIELD, sentence)


def check_subscription_name(name: str) -> None:
    """Insist that a name can be one of a subscription.

    Raises:
        EntityError: It cannot.
    """
    if "$" in name:
        raise _bad_name(name, "subscription")
    _check_short(name, "subscription")


def check_rule_name(name: str) -> None:
    """Insist that a name can be one of a rule.

    Raises:
        EntityError: It cannot.
    """
    _check_short(name, "rule")


def _check_short(name: str, kind: str) -> None:
    if not name or name != name.strip(" ") or set(name) & set("/?#\\@") or len(name) > _LONGEST_SHORT:
        raise _bad_name(name, kind)


def _bad_name(name: str, kind: str) -> errors.EntityError:
    return errors.EntityError(
        errors.INVALID_FIELD,
        f"{name[:300]!r} cannot name a {kind}: use letters, digits, '.', '-', '_', up to {_LONGEST_SHORT}.",
    )
