"""The namespace: entities by address, and the store they share."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import errors
from .queue import Queue
from .settings import QueueSettings
from .store import Store

DEAD_LETTER_QUEUE: Final = "$DeadLetterQueue"
"""Last segment of the address of a dead-letter queue."""

_DEFAULTS: Final = QueueSettings()


@dataclass(frozen=True, slots=True)
class _Pair:
    queue: Queue
    dead: Queue
    stored_as: int


class Namespace:
    """All entities of one emulator.  Addresses do not distinguish upper and lower case.

    With a store, everything a client was told must be preceded by
    :meth:`commit`.  A namespace killed at any moment and opened again stands as
    at its last commit, without the locks: its deliveries under way were never
    written, so their delivery counts do not rise.  :meth:`close` ends the locks
    as if they had lapsed, and there the counts do rise.

    A namespace and its entities belong to one thread.

    Args:
        clock: Gives the time, epoch seconds.
        path: SQLite file that keeps queues and messages; made if absent.
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
        self._pairs: dict[str, _Pair] = {}
        self._store = None if path is None else Store(path, flush_disk=flush_disk)
        if self._store is not None:
            try:
                self._restore(self._store)
            except errors.StoreUnavailable:
                self._store.close()
                raise

    def _restore(self, store: Store) -> None:
        for stored in store.queues():
            pair = self._add(stored.name, stored.settings, stored.id)
            pair.queue.restore(store.messages(stored.id, dead=False), stored.next_number)
            pair.dead.restore(store.messages(stored.id, dead=True), stored.next_number)

    def _add(self, name: str, settings: QueueSettings, stored_as: int) -> _Pair:
        shelf = dead_shelf = None
        if self._store is not None:
            shelf = self._store.shelf(stored_as, dead=False)
            dead_shelf = self._store.shelf(stored_as, dead=True)
        dead = Queue(f"{name}/{DEAD_LETTER_QUEUE}", settings, self._clock, dead_shelf)
        pair = _Pair(Queue(name, settings, self._clock, shelf, dead), dead, stored_as)
        self._pairs[name.casefold()] = pair
        return pair

    def create_queue(self, name: str, settings: QueueSettings = _DEFAULTS) -> Queue:
        """Create a queue with its dead-letter queue; one that exists takes the settings.

        Durable at once.  New settings hold for what is sent and locked from now on.

        Raises:
            EntityError: The name is not allowed, or the settings of a queue
                would change while messages in it are locked.
        """
        pair = self._pairs.get(name.casefold())
        if pair is None:
            _check_name(name)
            stored_as = 0 if self._store is None else self._store.create_queue(name, settings)
            return self._add(name, settings, stored_as).queue
        if pair.queue.settings != settings:
            self._configure(pair, settings)
        return pair.queue

    def _configure(self, pair: _Pair, settings: QueueSettings) -> None:
        if pair.queue.depth()["locked"] or pair.dead.depth()["locked"]:
            raise errors.EntityError(
                errors.RESOURCE_LOCKED,
                f"The settings of {pair.queue.name!r} cannot change while messages in it are locked.",
            )
        if self._store is not None:
            self._store.configure_queue(pair.stored_as, settings)
        pair.queue.settings = pair.dead.settings = settings

    def delete_queue(self, name: str) -> None:
        """Delete a queue and its dead-letter queue with all messages, durable at once.

        Whoever still holds the queue gets ``amqp:not-found`` from every operation.

        Raises:
            EntityError: There is no such queue.
        """
        pair = self._pairs.get(name.casefold())
        if pair is None:
            raise errors.entity_not_found(name)
        if self._store is not None:
            self._store.drop_queue(pair.stored_as)
        del self._pairs[name.casefold()]
        pair.queue.retire()
        pair.dead.retire()

    def queue(self, address: str) -> Queue:
        """The queue or dead-letter queue at an address: ``q`` or ``q/$DeadLetterQueue``.

        Raises:
            EntityError: There is nothing at the address.
        """
        name, _, sub = address.strip("/").casefold().partition("/$")
        pair = self._pairs.get(name)
        if pair is None or sub not in {"", DEAD_LETTER_QUEUE[1:].casefold()}:
            raise errors.entity_not_found(address)
        return pair.dead if sub else pair.queue

    def names(self) -> list[str]:
        """The names of all queues, as created, in the order of creation."""
        return [pair.queue.name for pair in self._pairs.values()]

    def _entities(self) -> Iterator[Queue]:
        for pair in self._pairs.values():
            yield pair.dead
            yield pair.queue

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


def _check_name(name: str) -> None:
    if not name or name != name.strip("/ ") or "$" in name or "//" in name:
        raise errors.EntityError(
            errors.INVALID_FIELD,
            f"{name!r} cannot name a queue: use letters, digits, '.', '-', '_' and inner '/'.",
        )
