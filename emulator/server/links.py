"""Links as the server sees them: what a client sends in, and what goes out to it."""

from typing import TYPE_CHECKING

from ..amqp.endpoints import Accepted, Error, Rejected
from ..amqp.performatives import Attach, Detach, Disposition, Flow, Transfer
from ..entities.errors import SIZE_EXCEEDED

if TYPE_CHECKING:
    from .session import Session

SERIAL = 0xFFFFFFFF
"""Delivery counts and ids are numbers modulo 2**32."""


class Link:
    """One link of a session.

    Args:
        session: The session it belongs to.
        attach: The client's attach.
    """

    def __init__(self, session: "Session", attach: Attach) -> None:
        self.session = session
        self.name = attach.name
        self.handle = attach.handle
        self.open = True
        self.use()

    def use(self) -> None:
        """Note that the link did something now, so that it does not count as idle."""
        self.used_at = self.session.connection.broker.clock()

    def confirm(self, attach: Attach) -> None:
        """Confirm the client's attach, echoing its source and target.

        Args:
            attach: The client's attach, changed where the server has its own values.
        """
        answer = attach._replace(role=not attach.role, unsettled=None, incomplete_unsettled=False)
        self.session.send(answer._replace(offered_capabilities=None, desired_capabilities=None))

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Take a transfer from the client."""

    def on_flow(self, flow: Flow) -> None:
        """Take the client's credit and wishes."""

    def settle(self, first: int, last: int, disposition: Disposition) -> set[int]:
        """Take the client's disposition of deliveries; return the ids that were known."""
        del first, last, disposition
        return set()

    def close(self) -> None:
        """Let go of what the link holds; nothing is said to the client."""
        self.open = False

    def detach(self, condition: str, description: str) -> None:
        """Force the link off, telling the client why."""
        self.session.drop(self)
        self.session.send(Detach(self.handle, closed=True, error=Error(condition, description, {})))


class InboundLink(Link):
    """A link on which the client sends.

    Args:
        session: The session it belongs to.
        attach: The client's attach.
        window: Credit granted at a time, in messages.
        limit: Largest message taken, in bytes.
    """

    def __init__(self, session: "Session", attach: Attach, *, window: int, limit: int) -> None:
        super().__init__(session, attach)
        self._window = window
        self._limit = limit
        self._delivery_count = attach.initial_delivery_count or 0
        self._credit = window
        self._first: Transfer | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def grant(self) -> None:
        """Give the client its full credit."""
        self._credit = self._window
        self.session.send_flow(self.handle, self._delivery_count, self._credit)

    def on_flow(self, flow: Flow) -> None:
        """Answer a client that asks where the link stands."""
        if flow.delivery_count is not None:
            self._delivery_count = flow.delivery_count
        if flow.echo:
            self.grant()

    def on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Put a message together and take it."""
        if self._first is None:
            self._first = transfer
        self._size += len(payload)
        if self._size <= self._limit:
            self._parts.append(payload)
        if transfer.more and not transfer.aborted:
            return
        first, parts, size = self._first, self._parts, self._size
        self._first, self._parts, self._size = None, [], 0
        self._delivery_count = (self._delivery_count + 1) & SERIAL
        self._credit -= 1
        if not transfer.aborted:
            self._complete(first, parts, size)
        if self._credit <= self._window // 2 and self.open:
            self.grant()

    def _complete(self, transfer: Transfer, parts: list[bytes], size: int) -> None:
        delivery_id, settled = transfer.delivery_id or 0, bool(transfer.settled)
        if size <= self._limit:
            payload = parts[0] if len(parts) == 1 else b"".join(parts)
            self.receive(delivery_id, transfer.message_format or 0, payload, settled=settled)
        elif not settled:
            sentence = (
                f"The message has {size} bytes; the limit is {self._limit}. Send smaller messages or batches."
            )
            self.reject(delivery_id, SIZE_EXCEEDED, sentence)

    def receive(self, delivery_id: int, message_format: int, payload: bytes, *, settled: bool) -> None:
        """Do with a whole message what this link is for."""
        raise NotImplementedError

    def accept(self, delivery_id: int) -> None:
        """Tell the client that a message is taken."""
        self.session.send(Disposition(True, delivery_id, delivery_id, True, Accepted()))

    def reject(self, delivery_id: int, condition: str, description: str) -> None:
        """Tell the client that a message is not taken, and why."""
        outcome = Rejected(Error(condition, description, {}))
        self.session.send(Disposition(True, delivery_id, delivery_id, True, outcome))


class OutboundLink(Link):
    """A link on which the client receives.

    Args:
        session: The session it belongs to.
        attach: The client's attach.
    """

    def __init__(self, session: "Session", attach: Attach) -> None:
        super().__init__(session, attach)
        self.credit = 0
        self.delivery_count = 0
        self._drain = False

    def on_flow(self, flow: Flow) -> None:
        """Take the client's credit, then deliver."""
        if flow.link_credit is not None:
            seen = self.delivery_count if flow.delivery_count is None else flow.delivery_count
            credit = (seen + flow.link_credit - self.delivery_count) & SERIAL
            self.credit = 0 if credit > SERIAL // 2 else credit
        self._drain = flow.drain
        self.session.wake(self)
        if flow.echo and not flow.drain:
            self.session.send_flow(self.handle, self.delivery_count, self.credit)

    def pump(self) -> None:
        """Deliver what is ready, then give back the credit a draining client is left with."""
        if not self.open:
            return
        more = self.deliver()
        if self._drain and not more and self.open:
            self._drain = False
            self.delivery_count = (self.delivery_count + self.credit) & SERIAL
            self.credit = 0
            self.session.send_flow(self.handle, self.delivery_count, 0, drain=True)

    def deliver(self) -> bool:
        """Deliver what is ready and the credit allows.

        Returns:
            Whether more may be ready that could not be delivered in this turn.
        """
        raise NotImplementedError
