"""Receiving from an entity, and settling what was received."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from . import errors
from .intake import Intake
from .locks import Locks, keys_of
from .message import Amend, Delivery, State, StoredMessage
from .sessions import HeldSession
from .upkeep import DESCRIPTION, REASON


class Receiving(Intake):
    """An entity as receivers see it, whole or one session of it.

    Where sessions are required every operation but browsing wants the session,
    and raises ``com.microsoft:session-lock-lost`` once its lock is lost.

    The arguments are those of :class:`Intake`.
    """

    def receive(self, count: int, *, lock: bool, session: HeldSession | None = None) -> list[Delivery]:
        """Take up to ``count`` available messages, lowest sequence number first.

        Args:
            count: The most to take.
            lock: Whether they are locked; else they are deleted.
            session: The session they are of, where sessions are required.

        Raises:
            EntityError: The session is missing, or its lock is lost, or receiving is disabled.
        """
        now = self._catch_up()
        self.demand_receiving()
        self.accessed_at = now
        self._holder(session)
        messages = self._stock.take(count, "" if session is None else session.id)
        return self._deliver(messages, now, session, lock=lock)

    def receive_deferred(
        self, sequence_numbers: Sequence[int], *, lock: bool, session: HeldSession | None = None
    ) -> list[Delivery]:
        """Take deferred messages, in the order asked for; a lock that ends leaves them deferred.

        Raises:
            EntityError: One of them is not deferred, or is locked; none was taken.
        """
        now = self._catch_up()
        self._holder(session)
        present, known = self._stock.deferred, self._stock.messages
        if session is not None:
            asked = present.intersection(sequence_numbers)
            present = {number for number in asked if known[number].content.session_id == session.id}
        numbers = self._among(present, sequence_numbers, "deferred, unlocked")
        return self._deliver(self._stock.take_deferred(numbers), now, session, lock=lock)

    def _deliver(
        self, messages: list[StoredMessage], now: float, session: HeldSession | None, *, lock: bool
    ) -> list[Delivery]:
        if not lock:
            self._stock.remove([message.sequence_number for message in messages])
            return [Delivery(message, None, 0.0) for message in messages]
        if session is not None:
            return session.locks.grant(messages, session.locked_until)
        until = now + self.settings.lock_duration
        if messages:
            self._due = min(self._due, until)
        return self._locks.grant(messages, until)

    def complete(self, tokens: Sequence[UUID], session: HeldSession | None = None) -> None:
        """Delete locked messages.

        Raises:
            EntityError: A lock is not held (any more); nothing was changed.
        """
        self._catch_up()
        self._stock.remove([message.sequence_number for message in self._unlock(tokens, session)])

    def abandon(
        self, tokens: Sequence[UUID], amend: Amend | None = None, session: HeldSession | None = None
    ) -> None:
        """Give locked messages back to their places, as failed deliveries.

        Args:
            tokens: The locks.
            amend: What becomes of their application properties.
            session: The session they are of, where sessions are required.

        Raises:
            EntityError: A lock is not held (any more); nothing was changed.
        """
        now = self._catch_up()
        self._fail(self._unlock(tokens, session, amend), now)
        self.announce()

    def defer(
        self, tokens: Sequence[UUID], amend: Amend | None = None, session: HeldSession | None = None
    ) -> None:
        """Set locked messages aside, as failed deliveries, until asked for by number.

        Args:
            tokens: The locks.
            amend: What becomes of their application properties.
            session: The session they are of, where sessions are required.

        Raises:
            EntityError: A lock is not held (any more); nothing was changed.
        """
        self._catch_up()
        messages = self._unlock(tokens, session, amend)
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
        amend: Amend | None = None,
        session: HeldSession | None = None,
    ) -> None:
        """Move locked messages to the dead-letter queue.

        Args:
            tokens: The locks.
            reason: Why, a short code; ``""``: none is noted.
            description: The sentence to it; ``""``: none is noted.
            amend: What becomes of their application properties.
            session: The session they are of, where sessions are required.

        Raises:
            EntityError: A lock is not held (any more), or this is a dead-letter
                queue; nothing was changed.
        """
        self._catch_up()
        if self._dead_letter is None:
            sentence = f"{self.name!r} is a dead-letter queue already; complete or abandon its messages."
            raise errors.EntityError(errors.NOT_ALLOWED, sentence)
        noted = {REASON: reason, DESCRIPTION: description}
        buried = self._unlock(tokens, session, amend)
        self._bury(buried, {name: text for name, text in noted.items() if text})
        self.announce()

    def release(self, tokens: Sequence[UUID], session: HeldSession | None = None) -> None:
        """Give locked messages back to their places as if never delivered; other tokens are ignored."""
        now = self._catch_up()
        locks = self._locks if session is None else session.locks
        self._give_back(locks.end(keys_of(tokens)), now)
        self.announce()

    def lapse(self, tokens: Sequence[UUID], session: HeldSession | None = None) -> None:
        """Let locks lapse at once, as if their time had come; other tokens are ignored."""
        now = self._catch_up()
        locks = self._locks if session is None else session.locks
        self._fail(locks.end(keys_of(tokens)), now)
        self.announce()

    def renew(self, tokens: Sequence[UUID]) -> list[float]:
        """Let locks hold a whole lock duration from now.

        Returns:
            When each lapses, epoch seconds.

        Raises:
            EntityError: A lock is not held (any more); nothing was changed.
        """
        until = self._catch_up() + self.settings.lock_duration
        locks = self._holder(None)
        locks.renew(self._held(tokens, locks), until)
        return [until] * len(tokens)

    def _unlock(
        self, tokens: Sequence[UUID], session: HeldSession | None, amend: Amend | None = None
    ) -> list[StoredMessage]:
        locks = self._holder(session)
        messages = locks.end(self._held(tokens, locks))
        if amend is not None:
            for message in messages:
                content = message.content
                message.content = replace(content, application=amend(content.application))
        return messages

    def _held(self, tokens: Sequence[UUID], locks: Locks) -> list[int]:
        keys = keys_of(tokens)
        lost = locks.lost(keys)
        if lost:
            raise errors.lock_lost(self.name, lost, len(keys))
        return keys

    def peek(self, from_sequence: int, count: int, session_id: str | None = None) -> list[StoredMessage]:
        """Up to ``count`` messages from a sequence number upwards: waiting, locked, deferred or scheduled.

        Args:
            from_sequence: The lowest sequence number.
            count: The most to give.
            session_id: The session they are of; ``None``: any or none.
        """
        self._catch_up()
        return self._stock.page(from_sequence, count, session_id)

    def _holder(self, session: HeldSession | None) -> Locks:
        """The locks of whoever asks: the holder of a session, or anyone where there are no sessions."""
        if self.sessions is None:
            return self._locks
        if session is None:
            raise errors.session_required(self.name)
        if session.lost:
            raise errors.session_lock_lost(self.name, session.id)
        return session.locks
