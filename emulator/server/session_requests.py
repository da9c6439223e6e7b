"""What the management node answers about sessions."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..amqp.types import STRING_ARRAY, Array, Int, Timestamp
from ..entities.errors import session_not_supported
from ..entities.queue import Queue
from ..entities.sessions import HeldSession
from .conditions import argument_error
from .request_bodies import NO_CONTENT, OK, Answer, Body, integer, text
from .session_links import session_of

if TYPE_CHECKING:
    from .connection import Connection

_EVER: Final = 253_402_300_800_000
"""The time, ms, that stands for no time: the end of the year 9999, which .NET calls ``DateTime.MaxValue``."""


def _held(connection: "Connection", queue: Queue, body: Body) -> HeldSession:
    if not queue.requires_session:
        raise session_not_supported(queue.name)
    return session_of(connection, queue, text(body, "session-id"))


def _renew(connection: "Connection", queue: Queue, body: Body) -> Answer:
    until = _held(connection, queue, body).renew_lock()
    return Answer(OK, {"expiration": Timestamp(until * 1000)})


def _get_state(connection: "Connection", queue: Queue, body: Body) -> Answer:
    return Answer(OK, {"session-state": _held(connection, queue, body).state()})


def _set_state(connection: "Connection", queue: Queue, body: Body) -> Answer:
    state = body.get("session-state")
    if state is not None and not isinstance(state, bytes):
        raise argument_error("'session-state' is neither binary nor null.")
    _held(connection, queue, body).set_state(state)
    return Answer(OK, {})


def _list(connection: "Connection", queue: Queue, body: Body) -> Answer:
    del connection
    since, skip, top = (integer(body, key) for key in ("last-updated-time", "skip", "top"))
    ids = queue.session_ids(None if since >= _EVER else since / 1000)
    page = ids[skip : skip + top]
    if not page:
        return Answer(NO_CONTENT, {})
    return Answer(OK, {"skip": Int(skip + len(page)), "sessions-ids": Array(STRING_ARRAY, tuple(page))})


SESSION_OPERATIONS: Final[dict[str, Callable[["Connection", Queue, Body], Answer]]] = {
    "com.microsoft:renew-session-lock": _renew,
    "com.microsoft:get-session-state": _get_state,
    "com.microsoft:set-session-state": _set_state,
    "com.microsoft:get-message-sessions": _list,
}
"""Operations by name."""
