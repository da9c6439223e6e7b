"""The namespace: all entities of one emulator."""

import time
from collections.abc import Callable
from pathlib import Path

from . import errors
from .queue import Queue
from .ruling import Ruling
from .store import Store
from .topic import Subscription, Topic


class Namespace(Ruling):
    """All entities of one emulator.  Addresses do not distinguish upper and lower case.

    With a store, everything a client was told must be preceded by
    :meth:`commit`.  A namespace killed at any moment and opened again stands as
    at its last commit, without the locks: its deliveries under way were never
    written, so their delivery counts do not rise.  :meth:`close` ends the locks
    as if they had lapsed, and there the counts do rise.

    A namespace and its entities belong to one thread.

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
        store = None if path is None else Store(path, flush_disk=flush_disk)
        try:
            super().__init__(clock, store)
        except errors.StoreUnavailable:
            if store is not None:
                store.close()
            raise

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

    def subscriptions(self, topic: str) -> list[str]:
        """The names of the subscriptions of a topic, as created, in the order of creation.

        Raises:
            EntityError: There is no such topic.
        """
        return [each.name.rpartition("/")[2] for each in self.topic(topic).subscriptions.values()]

    def topics(self) -> list[str]:
        """The names of all topics, as created, in the order of creation."""
        return [place.topic.name for place in self._directory.topics.values()]

    def expire(self) -> float | None:
        """Apply what has come due in every entity, and delete those that were idle for too long.

        Returns:
            When something may come due next, epoch seconds; ``None``: never, as it stands.
        """
        dues = [self._delete_idle()]
        dues += [entity.expire() for entity in self._directory.all()]
        return min((due for due in dues if due is not None), default=None)

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
        for entity in self._directory.all():
            entity.close()
        if self._store is not None:
            try:
                self._store.commit()
            finally:
                self._store.close()
