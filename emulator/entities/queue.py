"""The queue: what senders and receivers can ask of it."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from . import errors
from .intake import Intake
from .locks import keys_of
from .message import Content, Delivery, State, StoredMessage
from .settings import QueueSettings
from .stock import Shelf
from .upkeep import DESCRIPTION, REASON


class Queue(Intake):
    """A queue, or the dead-letter queue of one.

    Every operation first applies what has come due (locks, time to live,
    schedules), so a caller sees the queue as it stands by the clock.  Requests
    with several lock tokens or numbers are applied whole or not at all.  What
    an operation did is durable after the next commit of the namespace.  A queue
    belongs to one thread.

    The arguments are those of :class:`Intake`.
    """

    def __init__(
        self,
        name: str,
        settings: QueueSettings,
        clock: Callable[[], float],
        shelf: Shelf | None = None,
        dead_letter: "Queue | None" = None,
    ) -> None:
        super().__init__(name, settings, clock, shelf, dead_letter)
        self.dead_letter_queue = dead_letter

    def send(self, contents: Sequence[Content]) -> list[int]:
        """Accept messages, as :meth:`Intake.send`; a dead-letter queue refuses.

        Raises:
            EntityError: A message is too large, or this is a dead-letter queue;
                none was accepted.
        """
        if self.dead_letter_queue is None:
            sentence = f"Nothing can be sent to the dead-letter queue {self.name!r}; send to its queue."
            raise errors.EntityError(errors.NOT_ALLOWED, sentence)
        return super().send(contents)

    def receive(self, count: int, *, lock: bool) -> list[Delivery]:
        """Take up to ``count`` available messages, lowest sequence number first.

        Args:
            count: The most to take.
            lock: Whether they are locked; else they are deleted.
        """
        now = self._catch_up()
        return self._deliver(self._stock.take(count), now, lock=lock)

    def receive_deferred(self, sequence_numbers: Sequence[int], *, lock: bool) -> list[Delivery]:
        """Take deferred messages, in the order asked for; a lock that ends leaves them deferred.

        Raises:
            EntityError: One of them is not deferred, or is locked; none was taken.
        """
        now = self._catch_up()
        numbers = self._among(self._stock.deferred, sequence_numbers, "deferred, unlocked")
        return self._deliver(self._stock.take_deferred(numbers), now, lock=lock)

    def _deliver(self, messages: list[StoredMessage], now: float, *, lock: bool) -> list[Delivery]:
        if not lock:
            self._stock.remove([message.sequence_number for message in messages])
            return [Delivery(message, None, 0.0) for message in messages]
        until = now + self.settings.lock_duration
        if messages:
            self._due = min(self._due, until)
        return self._locks.grant(messages, until)

    def complete(self, tokens: Sequence[UUID]) -> None:
        """Delete locked messages.

        Raises:
            EntityError: A lock is not held (any more); nothing was changed.
        """
        self._catch_up()
        self._stock.remove([message.sequence_number for message in self._unlock(tokens)])

    def abandon(self, tokens: Sequence[UUID]) -> None:
        """Give locked messages back to their places, as failed deliveries.

        Raises:
            EntityError: A lock is not held (any more); nothing was changed.
        """
        now = self._catch_up()
        self._fail(self._unlock(tokens), now)
        self.announce()

    def defer(self, tokens: Sequence[UUID]) -> None:
        """Set locked messages aside, as failed deliveries, until asked for by number.

        Raises:
            EntityError: A lock is not held (any more); nothing was changed.
        """
        self._catch_up()
        messages = self._unlock(tokens)
        for message in messages:
            message.state = State.DEFERRED
            message.delivery_count += 1
        self._stock.save(messages)
        self._stock.give_back(messages)

    def dead_letter(
        self,
        tokens: Sequence[UUID],
        reason: str,
        description: str,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Move locked messages to the dead-letter queue.

        Args:
            tokens: The locks.
            reason: Why, a short code; ``""``: none is noted.
            description: The sentence to it; ``""``: none is noted.
            properties: Further application properties to add.

        Raises:
            EntityError: A lock is not held (any more), or this is a dead-letter
                queue; nothing was changed.
        """
        self._catch_up()
        if self.dead_letter_queue is None:
            sentence = f"{self.name!r} is a dead-letter queue already; complete or abandon its messages."
            raise errors.EntityError(errors.NOT_ALLOWED, sentence)
        noted = dict(properties or {})
        if reason:
            noted[REASON] = reason
        if description:
            noted[DESCRIPTION] = description
        self._bury(self._unlock(tokens), noted)
        self.announce()

    def release(self, tokens: Sequence[UUID]) -> None:
        """Give locked messages back to their places as if never delivered; other tokens are ignored."""
        now = self._catch_up()
        self._give_back(self._locks.end(keys_of(tokens)), now)
        self.announce()

    def renew(self, tokens: Sequence[UUID]) -> list[float]:
        """Let locks hold a whole lock duration from now.

        Returns:
            When each lapses, epoch seconds.

        Raises:
            EntityError: A lock is not held (any more); nothing was changed.
        """
        until = self._catch_up() + self.settings.lock_duration
        self._locks.renew(self._held(tokens), until)
        return [until] * len(tokens)

    def _unlock(self, tokens: Sequence[UUID]) -> list[StoredMessage]:
        return self._locks.end(self._held(tokens))

    def _held(self, tokens: Sequence[UUID]) -> list[int]:
        keys = keys_of(tokens)
        lost = self._locks.lost(keys)
        if lost:
            raise errors.lock_lost(self.name, lost, len(keys))
        return keys

    def peek(self, from_sequence: int, count: int) -> list[StoredMessage]:
        """Up to ``count`` messages from a sequence number upwards: waiting, locked, deferred or scheduled."""
        self._catch_up()
        return self._stock.page(from_sequence, count)

    def depth(self) -> Mapping[str, int]:
        """How many messages are active (available), locked, deferred, scheduled, dead_lettered."""
        self._catch_up()
        locked, deferred, scheduled = len(self._locks), len(self._stock.deferred), len(self._stock.scheduled)
        return {
            "active": self.size - locked - deferred - scheduled,
            "locked": locked,
            "deferred": deferred,
            "scheduled": scheduled,
            "dead_lettered": 0 if self.dead_letter_queue is None else self.dead_letter_queue.size,
        }
