"""The entities of a namespace and the store they share: made, configured, deleted."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from ..filters.rules import Rule
from . import errors
from .directory import (
    DEAD_LETTER_QUEUE,
    SUBSCRIPTIONS,
    TRANSFER,
    Directory,
    Place,
    TopicPlace,
    check_name,
    check_rule_name,
    check_subscription_name,
    subscription_address,
)
from .queue import Queue
from .rows import Part
from .settings import QueueSettings
from .store import Store, StoredEntity
from .topic import Subscription, Topic

_DEFAULTS: Final = QueueSettings()


class Registry:
    """Entities are created, configured and deleted durably at once.

    Creating one that exists gives it the settings, which hold for what is sent
    and locked from then on.

    Args:
        clock: Gives the time, epoch seconds.
        store: What keeps them; ``None``: in memory only.

    Raises:
        StoreUnavailable: The store cannot be read.
    """

    def __init__(self, clock: Callable[[], float], store: Store | None) -> None:
        self._clock = clock
        self._directory = Directory()
        self._store = store
        if store is not None:
            self._restore(store)

    def _restore(self, store: Store) -> None:
        topics: dict[int, Topic] = {}
        for stored in store.entities():
            kept, seen = store.messages(stored.id, Part.MAIN), store.seen(stored.id)
            if stored.kind == "topic":
                topic = topics[stored.id] = self._add_topic(stored.name, stored.settings, stored.id)
                topic.restore(kept, stored.next_number, seen=seen)
                topic.created_at, topic.updated_at = stored.created_at, stored.updated_at
                continue
            place = self._restored(stored, topics)
            place.queue.restore(kept, stored.next_number, store.session_states(stored.id), seen)
            place.queue.created_at, place.queue.updated_at = stored.created_at, stored.updated_at
            place.dead.restore(store.messages(stored.id, Part.DEAD), stored.next_number)
            place.transfer.restore(store.messages(stored.id, Part.TRANSFER), stored.next_number)
            if isinstance(place.queue, Subscription):
                for rule in store.rules(stored.id):
                    place.queue.put_rule(rule)

    def _restored(self, stored: StoredEntity, topics: dict[int, Topic]) -> Place:
        if stored.topic is None:
            return self._add(Queue, stored.name, stored.settings, stored.id)
        return self._add_subscription(topics[stored.topic], stored.name, stored.settings, stored.id)

    def _add(self, kind: type[Queue], name: str, settings: QueueSettings, stored_as: int) -> Place:
        shelves = [None if self._store is None else self._store.shelf(stored_as, part) for part in Part]
        dead = Queue(f"{name}/{DEAD_LETTER_QUEUE}", settings, self._clock, shelves[Part.DEAD])
        transfer = Queue(
            f"{name}/{TRANSFER}/{DEAD_LETTER_QUEUE}", settings, self._clock, shelves[Part.TRANSFER]
        )
        queue = kind(name, settings, self._clock, shelves[Part.MAIN], dead)
        queue.connect(self._find, transfer)
        place = Place(queue, dead, transfer, stored_as)
        self._directory.places[name.casefold()] = place
        return place

    def _find(self, name: str) -> Queue | Topic | None:
        with suppress(errors.EntityError):
            return self._directory.target(name)
        return None

    def _add_subscription(self, topic: Topic, name: str, settings: QueueSettings, stored_as: int) -> Place:
        place = self._add(Subscription, subscription_address(topic.name, name), settings, stored_as)
        if isinstance(place.queue, Subscription):
            topic.subscriptions[name.casefold()] = place.queue
        return place

    def _add_topic(self, name: str, settings: QueueSettings, stored_as: int) -> Topic:
        shelf = None if self._store is None else self._store.shelf(stored_as, Part.MAIN)
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
            self._check_forwarding(name, settings)
            stored_as = 0
            if self._store is not None:
                stored_as = self._store.create("queue", name, settings, self._clock())
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
            stored_as = 0
            if self._store is not None:
                stored_as = self._store.create("topic", name, settings, self._clock())
            return self._add_topic(name, settings, stored_as)
        self._apply(place, settings)
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
        self._check_forwarding(subscription_address(topic, name), settings)
        if self._store is not None:
            stored_as = self._store.create_subscription(
                parent.stored_as, name, settings, first, self._clock()
            )
        self._add_subscription(parent.topic, name, settings, stored_as)
        subscription = parent.topic.subscriptions[name.casefold()]
        subscription.put_rule(first)
        return subscription

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
        self._check_forwarding(place.queue.name, settings)
        self._apply(place, settings)
        place.queue.forward_waiting()

    def _apply(self, place: Place | TopicPlace, settings: QueueSettings) -> None:
        now, entities = self._clock(), place.entities()
        if settings == entities[0].settings:
            return
        if self._store is not None:
            self._store.configure(place.stored_as, settings, now)
        for entity in entities:
            entity.settings, entity.updated_at = settings, now

    def _check_forwarding(self, name: str, settings: QueueSettings) -> None:
        for to in (settings.forward_to, settings.forward_dead_letters_to):
            if to and to.casefold() != name.casefold() and self._find(to) is None:
                sentence = f"{name!r} cannot forward to {to!r}, which is no queue or topic: create it first."
                raise errors.EntityError(errors.INVALID_FIELD, sentence)

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
        subscriptions = self._directory.topic_place(topic).topic.subscriptions
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

    def _delete_idle(self) -> float | None:
        """Delete what was not used for as long as its settings say; when that is next so, epoch seconds."""
        now, due = self._clock(), list[float]()
        places: list[Place | TopicPlace] = [
            *self._directory.topics.values(),
            *self._directory.places.values(),
        ]
        for place in places:
            entity = place.entities()[0]
            ends = entity.idle_until()
            if ends is None:
                continue
            if ends > now:
                due.append(ends)
                continue
            with suppress(errors.EntityError):
                self._delete(place)
        return min(due, default=None)

    def _delete(self, place: Place | TopicPlace) -> None:
        entity = place.entities()[0]
        if isinstance(place, TopicPlace):
            self.delete_topic(entity.name)
        elif isinstance(entity, Subscription):
            topic, _, name = entity.name.rpartition(f"/{SUBSCRIPTIONS}/")
            self.delete_subscription(topic, name)
        else:
            self.delete_queue(entity.name)
