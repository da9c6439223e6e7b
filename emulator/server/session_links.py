"""Links on which clients receive the messages of one session."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from ..amqp.endpoints import Source
from ..amqp.performatives import Attach, Flow
from ..amqp.types import Described, Symbol, Value
from ..entities.errors import INVALID_FIELD, TIMEOUT, EntityError, session_lock_lost, session_required
from ..entities.queue import Queue
from ..entities.sessions import HeldSession
from .deliveries import EntityOutbound
from .links import Link

if TYPE_CHECKING:
    from .connection import Connection
    from .session import Session

_FILTER = Symbol("com.microsoft:session-filter")
_LOCKED_UNTIL = Symbol("com.microsoft:locked-until-utc")
_TIMEOUT = "com.microsoft:timeout"
_TIMEOUT_SECONDS = 65.0
_GRACE_SECONDS = 1.0
"""How long one who receives and deletes stays attached to a lost session, of which nothing was locked."""
_EPOCH_TICKS, _TICKS = 621_355_968_000_000_000, 10_000_000
"""A .NET tick is 100 ns; they are counted from the year 1."""


class SessionOutbound(EntityOutbound):
    """Delivers the messages of a session that this link holds, as long as it holds it."""

    def __init__(self, session: "Session", attach: Attach, held: HeldSession) -> None:
        super().__init__(session, attach, held)
        self.held = held

    def close(self) -> None:
        """Leave the entity, and let go of the session."""
        if not self.open:
            return
        super().close()
        with suppress(EntityError):
            self.held.close()

    def _on_messages(self) -> None:
        if not self.held.lost:
            super()._on_messages()
        elif self._lock:
            self._part()
        else:
            asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._part)

    def _part(self) -> None:
        """Tell the client that the session is not its own any more."""
        if self.open:
            refusal = session_lock_lost(self.held.name, self.held.id)
            self.detach(refusal.condition, refusal.description)


class WaitingLink(Link):
    """A link that is not confirmed yet: it waits for the next session that becomes free."""

    def __init__(self, session: "Session", attach: Attach, queue: Queue) -> None:
        super().__init__(session, attach)
        self._attach = attach
        self._queue = queue
        self._flow: Flow | None = None
        self._deadline = session.connection.broker.clock() + _patience(attach)
        queue.subscribe(self._try)
        queue.remind(self._deadline)
        session.connection.broker.turns.watch()

    def on_flow(self, flow: Flow) -> None:
        """Keep the client's credit for the time when there is a session."""
        self._flow = flow

    def close(self) -> None:
        """Wait no more."""
        if self.open:
            super().close()
            self._queue.unsubscribe(self._try)

    def _try(self) -> None:
        try:
            held = self._queue.accept_session(None)
        except EntityError as error:
            self._give_up(error)
            return
        if held is not None:
            self.session.drop(self)
            link = confirm_session(self.session, self._attach, held)
            self.session.add(link)
            if self._flow is not None:
                link.on_flow(self._flow)
        elif self.session.connection.broker.clock() >= self._deadline:
            self._give_up(
                EntityError(
                    TIMEOUT,
                    f"No session of {self._queue.name!r} with messages became free in "
                    f"{_patience(self._attach):g} s; ask again, or wait longer.",
                )
            )

    def _give_up(self, error: EntityError) -> None:
        self.session.drop(self)
        self.session.refuse(self._attach, error)


def attach_receiver(session: "Session", attach: Attach, source: Source, queue: Queue) -> Link:
    """Make the link of a receiver: to the whole entity or, where sessions are required, to one session.

    A link that waits for the next session is confirmed later.

    Raises:
        EntityError: The link is refused: a session is asked for where there are
            none or missing where one is required, or another receiver holds it.
    """
    filters = source.filter or {}
    if _FILTER not in filters:
        if queue.requires_session:
            raise session_required(queue.name)
        link = EntityOutbound(session, attach, queue)
        link.confirm(attach._replace(initial_delivery_count=0))
        return link
    wanted = _plain(filters[_FILTER])
    if wanted is not None and not isinstance(wanted, str):
        raise EntityError(INVALID_FIELD, f"The session id {wanted!r} is no string; ask for a session by one.")
    held = queue.accept_session(wanted)
    return WaitingLink(session, attach, queue) if held is None else confirm_session(session, attach, held)


def confirm_session(session: "Session", attach: Attach, held: HeldSession) -> SessionOutbound:
    """Confirm a link to a session, and tell which session it is and until when it is locked."""
    link = SessionOutbound(session, attach, held)
    filters = dict(attach.source.filter)
    asked = filters[_FILTER]
    filters[_FILTER] = asked._replace(value=held.id) if isinstance(asked, Described) else held.id
    ticks = _EPOCH_TICKS + round(held.locked_until * 1000) * (_TICKS // 1000)
    link.confirm(
        attach._replace(
            initial_delivery_count=0,
            source=attach.source._replace(filter=filters),
            properties={**(attach.properties or {}), _LOCKED_UNTIL: ticks},
        )
    )
    return link


def session_of(connection: "Connection", queue: Queue, session_id: str) -> HeldSession:
    """The session of an entity as a receiver on this connection holds it.

    Raises:
        EntityError: No receiver on this connection holds it.
    """
    for link in connection.links():
        if isinstance(link, SessionOutbound) and link.held.queue is queue and link.held.id == session_id:
            return link.held
    raise session_lock_lost(queue.name, session_id)


def _plain(value: Value) -> Value:
    return value.value if isinstance(value, Described) else value


def _patience(attach: Attach) -> float:
    """How long the client wants to wait for the next session, in seconds."""
    asked = (attach.properties or {}).get(_TIMEOUT)
    return asked / 1000 if isinstance(asked, int) else _TIMEOUT_SECONDS
