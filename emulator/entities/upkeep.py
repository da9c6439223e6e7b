"""What becomes of messages without anyone asking: due times, failures, age, dead letters.

The rules are those of Azure Service Bus, as its pages on message transfers,
locks and settlement, on message expiration, on deferral, on sequencing and on
dead-letter queues state them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Final

from .duplicates import Duplicates
from .errors import entity_not_found
from .locks import Locks
from .message import Content, SessionState, State, StoredMessage
from .sessions import HeldSession, Sessions
from .settings import QueueSettings
from .stock import Shelf, Stock

REASON: Final = "DeadLetterReason"
"""The application property that names why a message is dead."""

DESCRIPTION: Final = "DeadLetterErrorDescription"
"""The application property with the sentence to it."""

_ALIVE: Final[Mapping[str, str]] = {}


class Upkeep:
    """The messages of one entity and the rules that hold whatever a receiver does.

    Args:
        name: The address, for errors.
        settings: See :class:`QueueSettings`.
        clock: Gives the time, epoch seconds.
        shelf: Where the messages are stored; ``None``: in memory only.
        dead_letter: Where dead messages go.  ``None``: this is a dead-letter
            queue itself, to which nothing is sent and in which nothing expires
            or is dead-lettered.

    Attributes:
        created_at: When it was created, epoch seconds.
        updated_at: When it was last configured, epoch seconds.
        accessed_at: When a message was last sent or asked for, epoch seconds; 0: never.
    """

    def __init__(
        self,
        name: str,
        settings: QueueSettings,
        clock: Callable[[], float],
        shelf: Shelf | None = None,
        dead_letter: "Upkeep | None" = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self._dead_letter = dead_letter
        self._clock = clock
        sessions = settings.requires_session and dead_letter is not None
        self.sessions = Sessions(shelf) if sessions else None
        self._stock = Stock(shelf, sessions=sessions)
        self._locks = Locks()
        self._duplicates = Duplicates(shelf)
        self._reminders: list[float] = []
        self._next_number = 1
        self.created_at = self.updated_at = clock()
        self.accessed_at = 0.0
        self._due = inf
        self._news = False
        self._retired = False
        self._subscribers: list[Callable[[], None]] = []

    @property
    def size(self) -> int:
        """How many messages there are, of every kind."""
        return len(self._stock.messages)

    @property
    def last_number(self) -> int:
        """The sequence number that was given last; 0 if none was."""
        return self._next_number - 1

    @property
    def bytes(self) -> int:
        """How many bytes the messages have."""
        return sum(message.content.size for message in self._stock.messages.values())

    def restore(
        self,
        messages: Iterable[StoredMessage],
        next_number: int,
        states: Iterable[tuple[str, SessionState]] = (),
        seen: Iterable[tuple[str, float]] = (),
    ) -> None:
        """Take in what the store has, once, before anything else happens."""
        self._stock.load(messages)
        self._duplicates.restore(seen)
        if self.sessions is not None:
            self.sessions.states.update(states)
        self._next_number = next_number
        self._due = self._stock.next_due()

    def admit(self, messages: Sequence[StoredMessage]) -> None:
        """Take in messages as they are, under the numbers they have: the dead letters of a queue."""
        self._stock.add(messages)
        self._news = True

    def _accept(self, contents: Sequence[Content], now: float) -> None:
        """Take in new messages under new numbers."""
        first = self._next_number
        self._enter([self._stored(number, content, now) for number, content in enumerate(contents, first)])

    def _stored(self, number: int, content: Content, now: float) -> StoredMessage:
        if content.scheduled_at is not None and content.scheduled_at > now:
            self._due = min(self._due, content.scheduled_at)
            return StoredMessage(number, content, now, 0, State.SCHEDULED, None, _ALIVE)
        return StoredMessage(number, content, now, 0, State.ACTIVE, self._expiry(content, now), _ALIVE)

    def _expiry(self, content: Content, now: float) -> float | None:
        ttl, limit = content.ttl, self.settings.default_ttl
        if ttl is None or (limit is not None and limit < ttl):
            ttl = limit
        if ttl is None:
            return None
        self._due = min(self._due, now + ttl)
        return now + ttl

    def _enter(self, messages: Sequence[StoredMessage]) -> None:
        self._next_number += len(messages)
        self._stock.issue(self._next_number)
        if self.sessions is not None:
            lost = [message for message in messages if message.content.session_id is None]
            sentence = "Session enabled entity doesn't allow a message whose session identifier is null."
            self._inter(lost, {REASON: "Session ID is null.", DESCRIPTION: sentence})
            messages = [message for message in messages if message.content.session_id is not None]
        self.admit(messages)

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called, in this thread, whenever messages may have become available.

        It may use any entity.
        """
        self._subscribers.append(callback)

    def unsubscribe(self, callback: Callable[[], None]) -> None:
        """End a subscription; one that is not there is ignored."""
        if callback in self._subscribers:
            self._subscribers.remove(callback)

    def remind(self, when: float) -> None:
        """Have the subscribers called at a time, epoch seconds, whatever happens."""
        self._reminders.append(when)
        self._due = min(self._due, when)

    def announce(self) -> None:
        """Call the subscribers, here and of the dead-letter queue, if messages may have become available.

        Done at the end of an operation, when everything is in its place again.
        """
        if self._news:
            self._news = False
            for callback in self._concerned():
                callback()
        if self._dead_letter is not None:
            self._dead_letter.announce()

    def _concerned(self) -> list[Callable[[], None]]:
        if self.sessions is None or self._stock.lines is None:
            return list(self._subscribers)
        return [*self.sessions.to_call(self._stock.lines.news()), *self._subscribers]

    def idle_until(self) -> float | None:
        """When the entity is to be deleted unless it is used, epoch seconds; ``None``: never, as it stands.

        Someone who waits for messages uses it, and so does a message that is scheduled.
        """
        limit = self.settings.auto_delete_on_idle
        if limit is None:
            return None
        used = max(self.created_at, self.updated_at, self.accessed_at)
        return (self._clock() if self._subscribers or self._stock.scheduled else used) + limit

    def retire(self) -> None:
        """The entity was deleted: from now on every operation raises ``amqp:not-found``.

        The subscribers are called, so that they find out.
        """
        self._retired = True
        self._due = -inf
        held = [] if self.sessions is None else list(self.sessions.held.values())
        for callback in [*self._subscribers, *(each for session in held for each in session.subscribers)]:
            callback()

    def close(self) -> None:
        """End every subscription, and every lock as if it had lapsed now."""
        self._subscribers.clear()
        now = self._catch_up()
        self._fail(self._locks.lapse(inf), now)
        self._lapse_sessions(inf, now)

    def expire(self) -> float | None:
        """Apply what has come due.

        Returns:
            When something may come due next, epoch seconds; ``None``: never, as it stands.
        """
        self._catch_up()
        return None if self._due == inf else self._due

    def _catch_up(self) -> float:
        now = self._clock()
        if now >= self._due:
            self._sweep(now)
        return now

    def _sweep(self, now: float) -> None:
        if self._retired:
            raise entity_not_found(self.name)
        for message in self._stock.pop_scheduled(now):
            self._activate(message, now)
        self._fail(self._locks.lapse(now), now)
        self._lapse_sessions(now, now)
        self._age(self._stock.pop_expired(now))
        waiting = [when for when in self._reminders if when > now]
        self._news = self._news or len(waiting) < len(self._reminders)
        self._reminders = waiting
        sessions = inf if self.sessions is None else self.sessions.first()
        self._due = min(self._stock.next_due(), self._locks.first(), sessions, *waiting)
        self.announce()

    def _lapse_sessions(self, until: float, now: float) -> None:
        """Locks of sessions that lapse by ``until`` are lost; deliveries under them have failed."""
        for session in [] if self.sessions is None else self.sessions.lapse(until):
            self._fail(session.locks.lapse(inf), now)
            self._free(session)

    def _free(self, session: HeldSession) -> None:
        """A session waits for its next receiver, behind the others."""
        if self._stock.lines is not None:
            self._stock.lines.step_back(session.id)
        self._news = True

    def _activate(self, message: StoredMessage, now: float) -> None:
        """A scheduled message enters anew, under a new number, as the service does it."""
        self._stock.remove([message.sequence_number])
        active = replace(
            message,
            sequence_number=self._next_number,
            enqueued_at=now,
            state=State.ACTIVE,
            expires_at=self._expiry(message.content, now),
        )
        self._enter([active])

    def _fail(self, messages: list[StoredMessage], now: float) -> None:
        """Deliveries of these messages, unlocked now, have failed."""
        for message in messages:
            message.delivery_count += 1
        limit = self.settings.max_delivery_count
        if self._dead_letter is not None:
            spent = [message for message in messages if message.delivery_count >= limit]
            messages = [message for message in messages if message.delivery_count < limit]
            sentence = f"Message could not be consumed after {limit} delivery attempts."
            self._bury(spent, {REASON: "MaxDeliveryCountExceeded", DESCRIPTION: sentence})
        self._stock.save(messages)
        self._give_back(messages, now)

    def _give_back(self, messages: list[StoredMessage], now: float) -> None:
        aged = [message for message in messages if _is_past(message, now)]
        if aged:
            messages = [message for message in messages if not _is_past(message, now)]
            self._age(aged)
        self._stock.give_back(messages)
        self._news = True

    def _age(self, messages: list[StoredMessage]) -> None:
        """The time to live of these messages, none of them locked, has ended."""
        if self.settings.dead_letter_on_expiry:
            sentence = "The message expired and was dead lettered."
            self._bury(messages, {REASON: "TTLExpiredException", DESCRIPTION: sentence})
        else:
            self._stock.remove([message.sequence_number for message in messages])

    def _bury(self, messages: list[StoredMessage], noted: Mapping[str, str]) -> None:
        """Move messages, none of them locked, to the dead-letter queue under the numbers they have."""
        if messages and self._dead_letter is not None:
            self._stock.remove([message.sequence_number for message in messages])
            self._inter(messages, noted)

    def _inter(self, messages: list[StoredMessage], noted: Mapping[str, str]) -> None:
        """Put messages that are nowhere else into the dead-letter queue."""
        if not messages or self._dead_letter is None:
            return
        for message in messages:
            message.state = State.ACTIVE
            message.expires_at = None
            message.dead_letter = {**message.dead_letter, **noted}
        self._dead_letter.admit(messages)


def _is_past(message: StoredMessage, now: float) -> bool:
    """Deferred messages do not expire."""
    return message.expires_at is not None and message.expires_at <= now and message.state is State.ACTIVE
