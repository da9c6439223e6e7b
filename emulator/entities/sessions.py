"""Sessions: who holds which, until when, and what is noted of them.

The rules are those of "Message sessions" in the Azure documentation.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING
from uuid import UUID

from . import errors
from .locks import Locks
from .message import Amend, Content, Delivery, SessionState, StoredMessage
from .stock import Shelf

if TYPE_CHECKING:
    from .accepting import Accepting

_Callback = Callable[[], None]


@dataclass(slots=True, eq=False)
class HeldSession:
    """A session and the lock on it: what the receiver that accepted it is attached to.

    The lock of the session is also that of every message received from it; a
    message has no lock of its own to renew.  Once the lock is lost every
    operation raises ``com.microsoft:session-lock-lost``, except those that
    give back, which then do nothing.

    Attributes:
        queue: The queue, or the subscription, whose session it is.
        id: The session's id.
        locked_until: When the lock lapses unless renewed, epoch seconds.
        locks: The messages that were received and not settled.
        lost: Whether the lock has lapsed or was given back.
    """

    queue: "Accepting"
    id: str
    locked_until: float
    locks: Locks = field(default_factory=Locks, repr=False)
    lost: bool = False
    subscribers: list[_Callback] = field(default_factory=list, repr=False)

    @property
    def name(self) -> str:
        """The address of the queue, as created."""
        return self.queue.name

    def receive(self, count: int, *, lock: bool) -> list[Delivery]:
        """Take up to ``count`` available messages of the session, locked or else deleted."""
        return self.queue.receive(count, lock=lock, session=self)

    def receive_deferred(self, sequence_numbers: Sequence[int], *, lock: bool) -> list[Delivery]:
        """Take deferred messages of the session."""
        return self.queue.receive_deferred(sequence_numbers, lock=lock, session=self)

    def complete(self, tokens: Sequence[UUID]) -> None:
        """Delete locked messages."""
        self.queue.complete(tokens, session=self)

    def abandon(self, tokens: Sequence[UUID], amend: Amend | None = None) -> None:
        """Give locked messages back to their places in the session, as failed deliveries."""
        self.queue.abandon(tokens, amend, session=self)

    def defer(self, tokens: Sequence[UUID], amend: Amend | None = None) -> None:
        """Set locked messages aside until asked for by number."""
        self.queue.defer(tokens, amend, session=self)

    def dead_letter(
        self,
        tokens: Sequence[UUID],
        reason: str,
        description: str,
        amend: Amend | None = None,
    ) -> None:
        """Move locked messages to the dead-letter queue."""
        self.queue.dead_letter(tokens, reason, description, amend, session=self)

    def release(self, tokens: Sequence[UUID]) -> None:
        """Give locked messages back as if never delivered; other tokens are ignored."""
        self.queue.release(tokens, session=self)

    def lapse(self, tokens: Sequence[UUID]) -> None:
        """Let the lock of the session lapse at once, with those of all its messages."""
        if tokens:
            self.queue.lapse_session(self)

    def renew(self, tokens: Sequence[UUID]) -> list[float]:
        """Refuse: the lock to renew is that of the session.

        Raises:
            EntityError: Always, ``amqp:not-allowed``.
        """
        raise errors.EntityError(
            errors.NOT_ALLOWED,
            f"{len(tokens)} messages of session {self.id!r} of {self.name!r} have no locks of their own; "
            "renew the lock of the session.",
        )

    def renew_lock(self) -> float:
        """Let the session's lock hold a whole lock duration from now; when it lapses, epoch seconds."""
        return self.queue.renew_session(self)

    def peek(self, from_sequence: int, count: int) -> list[StoredMessage]:
        """Browse messages of the session, of every kind, by sequence number."""
        return self.queue.peek(from_sequence, count, self.id)

    def state(self) -> bytes | None:
        """What was noted of the session; ``None`` if nothing is."""
        return self.queue.session_state(self)

    def set_state(self, state: bytes | None) -> None:
        """Note something of the session; ``None`` erases it."""
        self.queue.set_session_state(self, state)

    def close(self) -> None:
        """Let go of the session; messages not settled are available again, as if never delivered."""
        self.queue.release_session(self)

    def subscribe(self, callback: _Callback) -> None:
        """Have ``callback`` called when messages may be available, and when the lock is lost."""
        self.subscribers.append(callback)

    def unsubscribe(self, callback: _Callback) -> None:
        """End a subscription; one that is not there is ignored."""
        if callback in self.subscribers:
            self.subscribers.remove(callback)


class Sessions:
    """The sessions of one queue.

    A session needs no creation: it is there while it has messages, a state or
    a holder.

    Args:
        shelf: Where states are stored; ``None``: in memory only.

    Attributes:
        held: The sessions that are held, by id.
        states: What was noted, by session id, latest last.
    """

    def __init__(self, shelf: Shelf | None) -> None:
        self.held: dict[str, HeldSession] = {}
        self.states: dict[str, SessionState] = {}
        self._shelf = shelf
        self._lost: list[HeldSession] = []

    def first(self) -> float:
        """When the next lock lapses, epoch seconds; infinity if none is held."""
        return min((session.locked_until for session in self.held.values()), default=inf)

    def lapse(self, now: float) -> list[HeldSession]:
        """End the locks that have lapsed, and yield their sessions."""
        lapsed = [session for session in self.held.values() if session.locked_until <= now]
        for session in lapsed:
            self.end(session)
        return lapsed

    def end(self, session: HeldSession) -> None:
        """End the lock of a session that is held."""
        del self.held[session.id]
        session.lost = True
        self._lost.append(session)

    def locked_messages(self) -> int:
        """How many messages are locked by the holders of their sessions."""
        return sum(len(session.locks) for session in self.held.values())

    def note(self, session_id: str, state: SessionState | None) -> None:
        """Keep a state, or forget it."""
        self.states.pop(session_id, None)
        if state is not None:
            self.states[session_id] = state
        if self._shelf is not None:
            self._shelf.keep_state(session_id, state)

    def to_call(self, news: Iterable[str]) -> list[_Callback]:
        """The subscribers of the sessions named that are held, and of those lost since it was last asked."""
        lost, self._lost = self._lost, []
        concerned = [self.held[session_id] for session_id in news if session_id in self.held]
        return [callback for session in (*lost, *concerned) for callback in session.subscribers]


def check_sessions(name: str, contents: Sequence[Content]) -> None:
    """Insist on a session id in every message.

    Raises:
        EntityError: A message has none.
    """
    if any(content.session_id is None for content in contents):
        raise errors.session_id_missing(name)
