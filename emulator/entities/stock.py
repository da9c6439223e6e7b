"""What one queue holds: its messages, where each stands, and their rows in the store."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Final, Protocol

from .message import SessionState, State, StoredMessage
from .order import Agenda, Line, Register, SessionLines

_PAGE: Final = 500


class Shelf(Protocol):
    """The place of one queue in a store; what is put there is durable after the store's commit."""

    def save(self, messages: Sequence[StoredMessage]) -> None:
        """Write messages as they will stand at the commit, new or changed."""

    def erase(self, numbers: Sequence[int]) -> None:
        """Remove messages by sequence number."""

    def issue(self, next_number: int) -> None:
        """Note the sequence number that the next message of the queue will get."""

    def keep_state(self, session_id: str, state: SessionState | None) -> None:
        """Write the state of a session, or erase it."""

    def see(self, message_id: str, at: float | None) -> None:
        """Note when a message id was seen, epoch seconds, or forget it."""


class Stock:
    """The messages of one queue.

    A message is in exactly one of four places: *waiting* in line for delivery,
    *deferred*, *scheduled*, or *out* (taken, and not given back or removed).

    Args:
        shelf: Where the messages are stored; ``None``: in memory only.
        sessions: Whether messages wait in one line for each session.

    Attributes:
        messages: All messages by sequence number, those that are out included.
        deferred: Numbers of the deferred messages that are not out.
        scheduled: Numbers of the scheduled messages.
        lines: The lines of the sessions; ``None`` where there are no sessions.
    """

    def __init__(self, shelf: Shelf | None, *, sessions: bool = False) -> None:
        self.messages: dict[int, StoredMessage] = {}
        self.deferred: set[int] = set()
        self.scheduled: set[int] = set()
        self.lines = SessionLines() if sessions else None
        self._line = Line()
        self._register = Register()
        self._expiry = Agenda()
        self._schedule = Agenda()
        self._shelf = shelf
        self._gone = 0

    def add(self, messages: Sequence[StoredMessage]) -> None:
        """Take in new messages, each to the place its state says, and save them."""
        self.load(messages)
        self.save(messages)

    def load(self, messages: Iterable[StoredMessage]) -> None:
        """Take in messages that the store already has."""
        waiting: list[StoredMessage] = []
        for message in messages:
            number = message.sequence_number
            self.messages[number] = message
            self._register.add(number)
            if message.state is State.ACTIVE:
                waiting.append(message)
                if message.expires_at is not None:
                    self._expiry.add(message.expires_at, number)
            else:
                self._set_aside(message)
        self._queue_up(waiting)

    def _queue_up(self, messages: Sequence[StoredMessage]) -> None:
        if self.lines is None:
            self._line.put([message.sequence_number for message in messages])
            return
        for message in messages:
            self.lines.put(message.content.session_id or "", message.sequence_number)

    def _set_aside(self, message: StoredMessage) -> None:
        if message.state is State.DEFERRED:
            self.deferred.add(message.sequence_number)
        else:
            self.scheduled.add(message.sequence_number)
            self._schedule.add(message.content.scheduled_at or 0.0, message.sequence_number)

    def save(self, messages: Sequence[StoredMessage]) -> None:
        """Have the present state of messages written at the next commit."""
        if self._shelf is not None:
            self._shelf.save(messages)

    def issue(self, next_number: int) -> None:
        """Note the next sequence number for the next commit."""
        if self._shelf is not None:
            self._shelf.issue(next_number)

    def take(self, count: int, session_id: str = "") -> list[StoredMessage]:
        """Take up to ``count`` waiting messages out, of one session if there are any, lowest number first."""
        if self.lines is not None:
            return self.lines.take(session_id, count, self.messages)
        return self._line.take(count, self.messages)

    def take_deferred(self, numbers: Sequence[int]) -> list[StoredMessage]:
        """Take deferred messages out; every number must be in :attr:`deferred`."""
        self.deferred.difference_update(numbers)
        return [self.messages[number] for number in numbers]

    def give_back(self, messages: Iterable[StoredMessage]) -> None:
        """Put messages that were out to their places: the deferred aside, the others in line."""
        waiting: list[StoredMessage] = []
        for message in messages:
            if message.state is State.DEFERRED:
                self.deferred.add(message.sequence_number)
            else:
                waiting.append(message)
        self._queue_up(waiting)

    def remove(self, numbers: Sequence[int]) -> None:
        """Let messages go, wherever they stand."""
        for number in numbers:
            del self.messages[number]
        if self.scheduled:
            self.scheduled.difference_update(numbers)
        if self._shelf is not None:
            self._shelf.erase(numbers)
        self._gone += len(numbers)
        if self._gone > len(self.messages) + 64:
            self._prune()

    def _prune(self) -> None:
        self._gone = 0
        for order in (self._line, self._register, self._expiry, self._schedule):
            order.prune(self.messages)
        if self.lines is not None:
            self.lines.prune(self.messages)

    def page(self, first: int, count: int, session_id: str | None = None) -> list[StoredMessage]:
        """Up to ``count`` messages with numbers from ``first`` upwards, wherever they stand.

        Args:
            first: The lowest number.
            count: The most to give.
            session_id: The session they belong to; ``None``: any or none.
        """
        if session_id is None:
            return self._register.page(first, count, self.messages)
        found: list[StoredMessage] = []
        while page := self._register.page(first, _PAGE, self.messages):
            found += [message for message in page if message.content.session_id == session_id]
            if len(found) >= count:
                break
            first = page[-1].sequence_number + 1
        return found[:count]

    def pop_expired(self, now: float) -> list[StoredMessage]:
        """The messages whose time to live has ended by ``now`` and who are still in line.

        Asked once per message: one that is locked or deferred now is not named again.
        """
        due = (self.messages.get(number) for number in self._expiry.pop_due(now))
        return [
            message
            for message in due
            if message is not None and not message.locked_until and message.state is State.ACTIVE
        ]

    def pop_scheduled(self, now: float) -> list[StoredMessage]:
        """The scheduled messages that are due by ``now``, in the order of their times."""
        return [self.messages[number] for number in self._schedule.pop_due(now) if number in self.scheduled]

    def next_due(self) -> float:
        """When the next message expires or becomes active, epoch seconds; infinity if none does."""
        return min(inf if when is None else when for when in (self._expiry.first, self._schedule.first))
