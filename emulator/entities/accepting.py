"""Accepting sessions of an entity, keeping their locks and their states."""

from math import inf

from . import errors
from .message import SessionState, State
from .receiving import Receiving
from .sessions import HeldSession


class Accepting(Receiving):
    """An entity whose sessions can be accepted, if it requires sessions.

    The arguments are those of :class:`Intake`.
    """

    @property
    def requires_session(self) -> bool:
        """Whether receivers must take a session; never so of a dead-letter queue."""
        return self.sessions is not None

    def accept_session(self, session_id: str | None) -> HeldSession | None:
        """Lock a session for a receiver.

        Args:
            session_id: The session, which may be without messages; ``None``: of
                those that have available messages and no holder the one that
                has waited longest.

        Returns:
            The session; ``None`` where the next was asked for and there is none.
            :meth:`subscribe` tells when to ask again.

        Raises:
            EntityError: The entity has no sessions, or another receiver holds this one.
        """
        now = self._catch_up()
        if self.sessions is None or self._stock.lines is None:
            raise errors.session_not_supported(self.name)
        if session_id is None:
            session_id = self._stock.lines.next(self.sessions.held, self._stock.messages)
            if session_id is None:
                return None
        elif session_id in self.sessions.held:
            raise errors.session_taken(self.name, session_id)
        until = now + self.settings.lock_duration
        self._due = min(self._due, until)
        session = HeldSession(self, session_id, until)
        self.sessions.held[session_id] = session
        return session

    def release_session(self, session: HeldSession) -> None:
        """Let go of a session: messages not settled are available again, their counts as before.

        Of one whose lock is lost, nothing happens.
        """
        now = self._catch_up()
        if self.sessions is None or session.lost:
            return
        self.sessions.end(session)
        self._give_back(session.locks.lapse(inf), now)
        self._free(session)
        self.announce()

    def lapse_session(self, session: HeldSession) -> None:
        """Let the lock of a session lapse at once, as if its time had come."""
        now = self._catch_up()
        if not session.lost:
            session.locked_until = now
            self._lapse_sessions(now, now)
            self.announce()

    def lose_locks(self, count: int | None = None) -> int:
        """Let locks lapse at once, those that would lapse first.

        Args:
            count: How many; ``None``: all.  Where sessions are required, of sessions.

        Returns:
            How many have lapsed.
        """
        now = self._catch_up()
        if self.sessions is None:
            lost = self._locks.end_first(count)
            self._fail(lost, now)
            self.announce()
            return len(lost)
        held = sorted(self.sessions.held.values(), key=lambda session: session.locked_until)[:count]
        for session in held:
            self.lapse_session(session)
        return len(held)

    def renew_session(self, session: HeldSession) -> float:
        """Let the lock of a session hold a whole lock duration from now.

        Returns:
            When it lapses, epoch seconds.

        Raises:
            EntityError: The lock is lost.
        """
        now = self._catch_up()
        self._holder(session)
        session.locked_until = now + self.settings.lock_duration
        return session.locked_until

    def session_state(self, session: HeldSession) -> bytes | None:
        """What was noted of a session; ``None`` if nothing is.

        Raises:
            EntityError: The lock is lost.
        """
        self._catch_up()
        self._holder(session)
        state = None if self.sessions is None else self.sessions.states.get(session.id)
        return None if state is None else state.data

    def set_session_state(self, session: HeldSession, state: bytes | None) -> None:
        """Note something of a session, which outlives its messages; ``None`` erases it.

        Raises:
            EntityError: The lock is lost, or the state is larger than a message may be.
        """
        now = self._catch_up()
        self._holder(session)
        if state is not None and len(state) > self.settings.max_message_size:
            raise errors.message_too_large(self.name, len(state), self.settings.max_message_size)
        if self.sessions is not None:
            self.sessions.note(session.id, None if state is None else SessionState(state, now))

    def session_ids(self, updated_after: float | None = None) -> list[str]:
        """The sessions that have active messages or a state.

        Args:
            updated_after: Only those whose state was set after that time, epoch seconds.

        Raises:
            EntityError: The entity has no sessions.
        """
        self._catch_up()
        if self.sessions is None:
            raise errors.session_not_supported(self.name)
        states = self.sessions.states
        if updated_after is not None:
            return [session_id for session_id, state in states.items() if state.updated_at > updated_after]
        active = (each for each in self._stock.messages.values() if each.state is State.ACTIVE)
        return list(dict.fromkeys([*(each.content.session_id or "" for each in active), *states]))
