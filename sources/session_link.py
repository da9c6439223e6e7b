"""Links for entities that require sessions: each reads one session at a time, in its order."""

import time
from collections.abc import Sequence
from typing import Any, Final

from azure.servicebus import ServiceBusReceiver
from azure.servicebus.exceptions import OperationTimeoutError

from ..model.verdict import Disposition
from .connect import open_client, open_session
from .link import Link
from .settlement import PATIENCE, Held
from .settler import Settler

_FIND_AT_LEAST: Final = 1.0
"""Seconds to wait for a session that is free, at least: the service needs some to answer at all."""


class SessionSettler(Settler):
    """Messages of one session: one lock holds them all, and nobody else can settle them."""

    _renew_session_at = 0.0

    def opened(self, receiver: ServiceBusReceiver) -> None:
        """Use the receiver of a session from now on."""
        super().opened(receiver)
        self._note_lock(receiver)

    def renew_due(self, renew_for: float) -> None:
        """Renew the lock on the session when half of it is used up; it lasts while the session is read.

        Raises:
            AzureError: The lock is lost, or the link broke.
        """
        del renew_for
        if time.monotonic() >= self._renew_session_at:
            self._receiver.session.renew_lock(timeout=PATIENCE)
            self._note_lock(self._receiver)

    def lose(self) -> None:
        """Give up what is held: without the session it cannot be settled, and it comes again."""
        self._pending.clear()
        self._leave(list(self._held.values()), settled=False)

    def _note_lock(self, receiver: ServiceBusReceiver) -> None:
        until = receiver.session.locked_until_utc
        lasts = until.timestamp() - time.time() if until is not None else 0.0
        self._renew_session_at = time.monotonic() + max(lasts if lasts > 0 else 30.0, 2.0) / 2

    def _foreign(self, item: Disposition, token: bytes) -> Held | None:
        """Return nothing: a message of another session cannot be settled here."""
        del item, token
        return None


class SessionLink(Link):
    """Takes the next session that is free, reads it until it is silent, lets it go, and so on.

    Reading ends a session only when everything received of it is settled, so its messages are
    committed in its order.
    """

    _settler: SessionSettler

    def _make_settler(self) -> SessionSettler:
        return SessionSettler(self._shared.source, self._shared.entity, self._drop)

    def _connect_and_serve(self) -> None:
        source, entity = self._shared.source, self._shared.entity
        with open_client(source) as client:
            while not self._done():
                self._settle_handed()
                if not self._receiving():
                    self._await_work()
                    continue
                receiver = open_session(client, entity, source, max(source.wait, _FIND_AT_LEAST))
                try:
                    receiver.__enter__()
                except OperationTimeoutError:
                    receiver.close()
                    self.ready.set()
                    self._shared.progress.no_session(source.sessions_of(entity))
                else:
                    self._read_session(receiver)

    def _read_session(self, receiver: ServiceBusReceiver) -> None:
        self._shared.progress.session(1)
        try:
            with receiver:
                self._opened(receiver)
                self._serve_session(receiver)
                self._settler.let_go()
        finally:
            self._settler.lose()
            self._shared.progress.session(-1)

    def _serve_session(self, receiver: ServiceBusReceiver) -> None:
        source, last = self._shared.source, time.monotonic()
        while not self._done():
            if not self._ask(receiver):
                continue
            if self._receive_or_wait(receiver) or self._settler.held:
                last = time.monotonic()
            elif not self._receiving() or time.monotonic() - last >= source.session_idle:
                return

    def _look(self, receiver: ServiceBusReceiver) -> None:
        """Leave it to the search for sessions: when none is free, the ending may have come."""

    def _messages(self, receiver: ServiceBusReceiver, count: int, wait: float) -> Sequence[Any]:
        return super()._messages(receiver, count, min(wait, self._shared.source.session_idle))
