"""The namespace: entities, and the store they share."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..filters.rules import Rule
from . import errors
from .directory import (
    DEAD_LETTER_QUEUE,
    Directory,
    Place,
    TopicPlace,
    check_name,
    check_rule_name,
    check_subscription_name,
    subscription_address,
)
from .queue import Queue
from .settings import QueueSettings
from .store import Store, StoredEntity
from .topic import Subscription, Topic

_DEFAULTS: Final = QueueSettings()


class Namespace:
    """All entities of one emulator.  Addresses do not distinguish upper and lower case.

    With a store, everything a client was told must be preceded by
    :meth:`commit`.  A namespace killed at any moment and opened again stands as
    at its last commit, without the locks: its deliveries under way were never
    written, so their delivery counts do not rise.  :meth:`close` ends the locks
    as if they had lapsed, and there the counts do rise.

    Entities are created, configured and deleted durably at once.  Creating one
    that exists gives it the settings, which hold for what is sent and locked
    from then on.  A namespace and its entities belong to one thread.

    Args:
        clock: Gives the time, epoch seconds.
        path: SQLite file that keeps entities and messages; made if absent.
            ``None``: in memory only.
        flush_disk: Whether a commit waits for the disk, and so outlives a
            power failure too.

    Raises:
        StoreUnavailable: The file cannot be opened, or another emulator has it open.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, path: Path | None = None, *, flush_disk: bool = False
    ) -> None:
        self._clock = clock
        self._directory = Directory()
        self._store = None if path is None else Store(path, flush_disk=flush_disk)
        if self._store is not None:
            try:
                self._restore(self._store)
            except errors.StoreUnavailable:
                self._store.close()
                raise

    def _restore(self, store: Store) -> None:
        topics: dict[int, Topic] = {}
        for stored in store.entities():
            kept, seen = store.messages(stored.id, dead=False), store.seen(stored.id)
            if stored.kind == "topic":
                topic = topics[stored.id] = self._add_topic(stored.name, stored.settings, stored.id)
                topic.restore(kept, stored.next_number, seen=seen)
                continue
            place = self._restored(stored, topics)
            place.queue.restore(kept, stored.next_number, store.session_states(stored.id), seen)
            place.dead.restore(store.messages(stored.id, dead=True), stored.next_number)
            if isinstance(place.queue, Subscription):
                for rule in store.rules(stored.id):
                    place.queue.put_rule(rule)

    def _restored(self, stored: StoredEntity, topics: dict[int, Topic]) -> Place:
        if stored.topic is None:
            return self._add(Queue, stored.name, stored.settings, stored.id)
        return self._add_subscription(topics[stored.topic], stored.name, stored.settings, stored.id)

    def _add(self, kind: type[Queue], name: str, settings: QueueSettings, stored_as: int) -> Place:
        shelf = dead_shelf = None
        if self._store is not None:
            shelf = self._store.shelf(stored_as, dead=False)
            dead_shelf = self._store.shelf(stored_as, dead=True)
        dead = Queue(f"{name}/{DEAD_LETTER_QUEUE}", settings, self._clock, dead_shelf)
        place = Place(kind(name, settings, self._clock, shelf, dead), dead, stored_as)
        self._directory.places[name.casefold()] = place
        return place

    def _add_subscription(self, topic: Topic, name: str, settings: QueueSettings, stored_as: int) -> Place:
        place = self._add(Subscription, subscription_address(topic.name, name), settings, stored_as)
        if isinstance(place.queue, Subscription):
            topic.subscriptions[name.casefold()] = place.queue
        return place

    def _add_topic(self, name: str, settings: QueueSettings, stored_as: int) -> Topic:
        shelf = None if self._store is None else self._store.shelf(stored_as, dead=False)
        topic = Topic(name, settings, self._clock, shelf)
        self._directory.topics[name.casefold()] = TopicPlace(topic, stored_as)
        return topic

    def create_queue(self, name: str, settings: QueueSettings = _DEFAULTS) -> Queue:
        """Create a queue with its dead-letter queue; one that exists takes the settings.

        Raises:
            EntityError: The name is not allowed or that of a topic, or the settings
                of a queue would change while messages in it are locked, or
                whether it requires sessions would.
        """
        place = self._directory.places.get(name.casefold())
        if place is None:
            check_name(name)
            self._refuse_taken(name, self._directory.topics, "topic")
            stored_as = 0 if self._store is None else self._store.create("queue", name, settings)
            return self._add(Queue, name, settings, stored_as).queue
        self._configure(place, settings)
        return place.queue

    def create_topic(self, name: str, settings: QueueSettings = _DEFAULTS) -> Topic:
        """Create a topic; one that exists takes the settings.

        Raises:
            EntityError: The name is not allowed, or that of a queue.
        """
        place = self._directory.topics.get(name.casefold())
        if place is None:
            check_name(name)
            self._refuse_taken(name, self._directory.places, "queue")
            stored_as = 0 if self._store is None else self._store.create("topic", name, settings)
            return self._add_topic(name, settings, stored_as)
        if place.topic.settings != settings:
            if self._store is not None:
                self._store.configure(place.stored_as, settings)
            place.topic.settings = settings
        return place.topic

    def create_subscription(
        self, topic: str, name: str, settings: QueueSettings = _DEFAULTS, rule: Rule | None = None
    ) -> Subscription:
        """Create a subscription with its dead-letter queue; one that exists takes the settings.

        It gets a copy of every message that the topic accepts from now on and its rules take.

        Args:
            topic: The topic.
            name: The name of the subscription in it.
            settings: Its settings.
            rule: The rule a new one begins with; ``None``: ``$Default``, which takes everything.

        Raises:
            EntityError: There is no such topic, the name is not allowed, or the
                settings would change while messages are locked, or whether
                sessions are required would.
        """
        parent = self._directory.topic_place(topic)
        known = parent.topic.subscriptions.get(name.casefold())
        if known is not None:
            self._configure(self._directory.place(known.name), settings)
            return known
        check_subscription_name(name)
        stored_as, first = 0, replace(rule or Rule(), created_at=self._clock())
        check_rule_name(first.name)
        if self._store is not None:
            stored_as = self._store.create_subscription(parent.stored_as, name, settings, first)
        self._add_subscription(parent.topic, name, settings, stored_as)
        subscription = parent.topic.subscriptions[name.casefold()]
        subscription.put_rule(first)
        return subscription

    def subscription(self, address: str) -> Subscription:
        """The subscription at an address.

        Raises:
            EntityError: There is none.
        """
        return self._subscription_place(address)[1]

    def _subscription_place(self, address: str) -> tuple[Place, Subscription]:
        place = self._directory.place(address)
        if not isinstance(place.queue, Subscription):
            sentence = f"{address!r} is a queue: only subscriptions have rules."
            raise errors.EntityError(errors.NOT_ALLOWED, sentence)
        return place, place.queue

    def add_rule(self, address: str, rule: Rule) -> None:
        """Add a rule to the subscription at an address; when it was added is noted.

        Raises:
            EntityError: There is no such subscription, the name is not allowed, or
                there is a rule of that name already.
        """
        place, subscription = self._subscription_place(address)
        check_rule_name(rule.name)
        if any(rule.name.casefold() == known.name.casefold() for known in subscription.rules):
            sentence = (
                f"There is a rule {rule.name!r} in {address!r} already: remove it, or take another name."
            )
            raise errors.EntityError(errors.ALREADY_EXISTS, sentence)
        self._put_rule(place, replace(rule, created_at=self._clock()))

    def replace_rule(self, address: str, rule: Rule) -> None:
        """Replace the rule of that name of the subscription at an address.

        Raises:
            EntityError: There is no such subscription or rule.
        """
        place, subscription = self._subscription_place(address)
        known = subscription.rule(rule.name)
        self._put_rule(place, replace(rule, name=known.name, created_at=known.created_at))

    def _put_rule(self, place: Place, rule: Rule) -> None:
        if self._store is not None:
            self._store.put_rule(place.stored_as, rule)
        if isinstance(place.queue, Subscription):
            place.queue.put_rule(rule)

    def remove_rule(self, address: str, name: str) -> None:
        """Remove a rule of the subscription at an address; without any it takes no message.

        Raises:
            EntityError: There is no such subscription or rule.
        """
        place, subscription = self._subscription_place(address)
        known = subscription.rule(name)
        if self._store is not None:
            self._store.drop_rule(place.stored_as, known.name)
        subscription.drop_rule(known.name)

    def _refuse_taken(self, name: str, others: dict[str, Place] | dict[str, TopicPlace], kind: str) -> None:
        if name.casefold() in others:
            sentence = f"There is a {kind} named {name!r} already: take another name, or delete it."
            raise errors.EntityError(errors.ALREADY_EXISTS, sentence)

    def _configure(self, place: Place, settings: QueueSettings) -> None:
        if place.queue.settings == settings:
            return
        if settings.requires_session != place.queue.requires_session:
            raise errors.EntityError(
                errors.NOT_ALLOWED,
                f"Whether {place.queue.name!r} requires sessions was settled when it was created; "
                "delete it and create it anew.",
            )
        if place.queue.depth()["locked"] or place.dead.depth()["locked"]:
            raise errors.EntityError(
                errors.RESOURCE_LOCKED,
                f"The settings of {place.queue.name!r} cannot change while messages in it are locked.",
            )
        if self._store is not None:
            self._store.configure(place.stored_as, settings)
        place.queue.settings = place.dead.settings = settings

    def delete_queue(self, name: str) -> None:
        """Delete a queue and its dead-letter queue with all messages.

        Whoever still holds the queue gets ``amqp:not-found`` from every operation.

        Raises:
            EntityError: There is no such queue.
        """
        place = self._directory.place(name)
        if isinstance(place.queue, Subscription):
            raise errors.entity_not_found(name)
        self._drop([place])

    def delete_topic(self, name: str) -> None:
        """Delete a topic and its subscriptions with all messages.

        Raises:
            EntityError: There is no such topic.
        """
        place = self._directory.topic_place(name)
        subscriptions = place.topic.subscriptions.values()
        self._drop([place, *(self._directory.place(subscription.name) for subscription in subscriptions)])

    def delete_subscription(self, topic: str, name: str) -> None:
        """Delete a subscription and its dead-letter queue with all messages.

        Raises:
            EntityError: There is no such subscription.
        """
        subscriptions = self.topic(topic).subscriptions
        known = subscriptions.get(name.casefold())
        if known is None:
            raise errors.entity_not_found(subscription_address(topic, name))
        self._drop([self._directory.place(known.name)])
        del subscriptions[name.casefold()]

    def _drop(self, places: Sequence[Place | TopicPlace]) -> None:
        if self._store is not None:
            self._store.drop([place.stored_as for place in places])
        for place in places:
            self._directory.remove(place)
            for entity in place.entities():
                entity.retire()

    def queue(self, address: str) -> Queue:
        """The queue, subscription or dead-letter queue at an address, for a receiver.

        Addresses are ``q``, ``t/Subscriptions/s``, and both with ``/$DeadLetterQueue`` behind.

        Raises:
            EntityError: There is nothing at the address, or a topic.
        """
        return self._directory.queue(address)

    def target(self, address: str) -> Queue | Topic:
        """The queue or topic at an address, for a sender.

        Raises:
            EntityError: There is nothing at the address, or nothing that can be sent to.
        """
        return self._directory.target(address)

    def entity(self, address: str) -> Queue | Topic:
        """Whatever is at an address.

        Raises:
            EntityError: There is nothing.
        """
        return self._directory.entity(address)

    def topic(self, name: str) -> Topic:
        """A topic by its name.

        Raises:
            EntityError: There is no such topic.
        """
        return self._directory.topic_place(name).topic

    def names(self) -> list[str]:
        """The names of all queues, as created, in the order of creation."""
        queues = (place.queue for place in self._directory.places.values())
        return [queue.name for queue in queues if not isinstance(queue, Subscription)]

    def topics(self) -> list[str]:
        """The names of all topics, as created, in the order of creation."""
        return [place.topic.name for place in self._directory.topics.values()]

    def _entities(self) -> Iterator[Queue | Topic]:
        return self._directory.all()

    def expire(self) -> float | None:
        """Apply what has come due in every entity.

        Returns:
            When something may come due next, epoch seconds; ``None``: never, as it stands.
        """
        return min((due for entity in self._entities() if (due := entity.expire()) is not None), default=None)

    def commit(self) -> None:
        """Make everything done so far durable, in one transaction; without a store, nothing.

        Raises:
            StoreUnavailable: Nothing was written; the next commit writes it all.
        """
        if self._store is not None:
            self._store.commit()

    def close(self) -> None:
        """End all locks as if they had lapsed, commit, and close the store.

        Raises:
            StoreUnavailable: The last commit failed; the store is closed all the same.
        """
        for entity in self._entities():
            entity.close()
        if self._store is not None:
            try:
                self._store.commit()
            finally:
                self._store.close()
