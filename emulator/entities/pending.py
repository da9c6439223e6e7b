"""What was done to the entities of a store since its last commit."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from .message import SessionState, StoredMessage
from .rows import SAVE, Part, id_range, to_row


@dataclass(slots=True)
class Pending:
    """What the next commit writes: of whatever changed several times, how it stands then.

    Attributes:
        messages: By row id, the part it is in and the message, or
            ``None`` if it goes.
        next_numbers: The next sequence number by entity.
        states: The state by entity and session, or ``None`` if it goes.
        seen: When a message id was seen, by entity and id, or ``None`` if that
            is forgotten.
    """

    messages: dict[int, tuple[Part, StoredMessage] | None] = field(default_factory=dict)
    next_numbers: dict[int, int] = field(default_factory=dict)
    states: dict[tuple[int, str], SessionState | None] = field(default_factory=dict)
    seen: dict[tuple[int, str], float | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.messages or self.next_numbers or self.states or self.seen)

    def clear(self) -> None:
        """Forget it all: it is written."""
        for kind in (self.messages, self.next_numbers, self.states, self.seen):
            kind.clear()

    def write(self, db: sqlite3.Connection) -> None:
        """Write it all, within a transaction that is under way.

        Raises:
            sqlite3.Error: It cannot be written.
        """
        messages = self.messages.items()
        db.executemany(SAVE, (to_row(key, *kept) for key, kept in messages if kept is not None))
        db.executemany("DELETE FROM message WHERE id = ?", [(key,) for key, kept in messages if kept is None])
        numbers = [(number, entity) for entity, number in self.next_numbers.items()]
        db.executemany("UPDATE entity SET next_number = ? WHERE id = ?", numbers)
        if self.states:
            db.executemany("DELETE FROM session WHERE entity = ? AND id = ?", list(self.states))
            db.executemany(
                "INSERT INTO session VALUES (?, ?, ?, ?)",
                [(*key, state.data, state.updated_at) for key, state in self.states.items() if state],
            )
        if self.seen:
            db.executemany("DELETE FROM seen WHERE entity = ? AND message_id = ?", list(self.seen))
            db.executemany(
                "INSERT INTO seen VALUES (?, ?, ?)",
                [(*key, at) for key, at in self.seen.items() if at is not None],
            )


class QueueShelf:
    """One entity, or one dead-letter queue, in the store."""

    __slots__ = ("_base", "_part", "_pending", "_queue")

    def __init__(self, queue: int, pending: Pending, part: Part) -> None:
        self._queue = queue
        self._base = id_range(queue)[0]
        self._part = part
        self._pending = pending

    def save(self, messages: Sequence[StoredMessage]) -> None:
        """Write messages as they will stand at the commit, new or changed."""
        kept = self._pending.messages
        for message in messages:
            kept[self._base + message.sequence_number] = (self._part, message)

    def erase(self, numbers: Sequence[int]) -> None:
        """Remove messages by sequence number."""
        for number in numbers:
            self._pending.messages[self._base + number] = None

    def issue(self, next_number: int) -> None:
        """Note the sequence number that the next message of the queue will get."""
        self._pending.next_numbers[self._queue] = next_number

    def keep_state(self, session_id: str, state: SessionState | None) -> None:
        """Write the state of a session, or erase it."""
        self._pending.states[self._queue, session_id] = state

    def see(self, message_id: str, at: float | None) -> None:
        """Note when a message id was seen, or forget it."""
        self._pending.seen[self._queue, message_id] = at
