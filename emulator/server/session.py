"""A session: windows, links by handle, and what the performatives do to them."""

from collections import deque
from typing import TYPE_CHECKING

from ..amqp.endpoints import Error, Received, Rejected
from ..amqp.frames import encode_frame
from ..amqp.performatives import (
    Attach,
    Begin,
    Detach,
    Disposition,
    Flow,
    Performative,
    Transfer,
    encode_performative,
)
from ..entities.errors import LOCK_LOST, EntityError
from .attaching import attach_link, entity_of
from .conditions import HANDLE_IN_USE, UNATTACHED_HANDLE
from .faults import Point
from .links import SERIAL, InboundLink, Link, OutboundLink

if TYPE_CHECKING:
    from .connection import Connection

_WINDOW = 5000
_MAX_RANGE = 65_536


class Session:
    """One session of a connection.

    Args:
        connection: The connection it belongs to.
        channel: The channel, the same in both directions.
        begin: The client's begin.
    """

    def __init__(self, connection: "Connection", channel: int, begin: Begin) -> None:
        self.connection = connection
        self.channel = channel
        self.links: dict[int, Link] = {}
        self._detached: set[int] = set()
        self._next_outgoing_id = 0
        self._next_incoming_id = begin.next_outgoing_id
        self._incoming_window = _WINDOW
        self._outgoing_window = begin.incoming_window
        self._waiting: deque[bytes] = deque()
        self.next_delivery_id = 0
        self.send(Begin(channel, 0, _WINDOW, _WINDOW, min(begin.handle_max, 255)))

    @property
    def room(self) -> int:
        """Transfers the client's window has room for, 0 while the socket is full."""
        return 0 if self._waiting or self.connection.paused else self._outgoing_window

    def send(self, performative: Performative) -> None:
        """Say a performative on this session's channel."""
        self.connection.send(encode_frame(self.channel, encode_performative(performative)))

    def send_transfers(self, frames: list[bytes]) -> None:
        """Say transfer frames, as many as the client's window allows; the rest wait for it."""
        room = 0 if self._waiting else self._outgoing_window
        now, later = (frames, []) if len(frames) <= room else (frames[:room], frames[room:])
        self._outgoing_window -= len(now)
        self._next_outgoing_id = (self._next_outgoing_id + len(now)) & SERIAL
        if now:
            self.connection.send(b"".join(now))
        self._waiting.extend(later)

    def send_flow(self, handle: int, delivery_count: int, credit: int, *, drain: bool = False) -> None:
        """Say where the session and one link of it stand."""
        self._incoming_window = _WINDOW
        self.send(
            Flow(
                next_incoming_id=self._next_incoming_id,
                incoming_window=_WINDOW,
                next_outgoing_id=self._next_outgoing_id,
                outgoing_window=_WINDOW,
                handle=handle,
                delivery_count=delivery_count,
                link_credit=credit,
                available=0,
                drain=drain,
            )
        )

    def wake(self, link: OutboundLink) -> None:
        """Let a link deliver at the end of this turn."""
        self.connection.broker.turns.wake(link)

    def drop(self, link: Link) -> None:
        """Forget a link; what still comes for it is ignored."""
        self.links.pop(link.handle, None)
        self._detached.add(link.handle)
        link.close()

    def add(self, link: Link) -> None:
        """Take in a link."""
        self._detached.discard(link.handle)
        self.links[link.handle] = link

    def resume(self) -> None:
        """Let every link deliver again that has credit."""
        for link in self.links.values():
            if isinstance(link, OutboundLink) and link.credit:
                self.wake(link)

    def close(self) -> None:
        """Let go of every link."""
        for link in list(self.links.values()):
            link.close()
        self.links.clear()

    def handle(self, performative: Performative, payload: bytes) -> None:
        """Do what a performative of the client asks."""
        if type(performative) is Transfer:
            self._on_transfer(performative, payload)
        elif type(performative) is Disposition:
            self._on_disposition(performative)
        elif type(performative) is Flow:
            self._on_flow(performative)
        elif type(performative) is Attach:
            self._on_attach(performative)
        elif type(performative) is Detach:
            self._on_detach(performative)

    def _on_transfer(self, transfer: Transfer, payload: bytes) -> None:
        self._next_incoming_id = (self._next_incoming_id + 1) & SERIAL
        self._incoming_window -= 1
        link = self.links.get(transfer.handle)
        if link is not None:
            link.use()
            link.on_transfer(transfer, payload)
        elif transfer.handle not in self._detached:
            self.connection.end(self, UNATTACHED_HANDLE, f"No link is attached at handle {transfer.handle}.")
            return
        if self._incoming_window <= _WINDOW // 2:
            self._incoming_window = _WINDOW
            self.send(Flow(self._next_incoming_id, _WINDOW, self._next_outgoing_id, _WINDOW))

    def _on_flow(self, flow: Flow) -> None:
        known = flow.next_incoming_id or 0
        window = (known + flow.incoming_window - self._next_outgoing_id) & SERIAL
        self._outgoing_window = 0 if window > SERIAL // 2 else window
        if self._waiting:
            waiting, self._waiting = list(self._waiting), deque()
            self.send_transfers(waiting)
        for link in self.links.values():
            if link.handle == flow.handle:
                link.use()
                link.on_flow(flow)
            elif isinstance(link, OutboundLink) and link.credit:
                self.wake(link)

    def _on_disposition(self, disposition: Disposition) -> None:
        if not disposition.role or isinstance(disposition.state, Received):
            return
        first, last = disposition.first, disposition.last
        last = first if last is None else last
        known: set[int] = set()
        for link in list(self.links.values()):
            known |= link.settle(first, last, disposition)
        span = ((last - first) & SERIAL) + 1
        if disposition.settled or len(known) == span or span > _MAX_RANGE:
            return
        lost = Rejected(Error(LOCK_LOST, "The delivery is not held on this link any more.", {}))
        for number in range(first, first + span):
            if number & SERIAL not in known:
                self.send(Disposition(False, number & SERIAL, number & SERIAL, True, lost))

    def _on_attach(self, attach: Attach) -> None:
        if attach.handle in self.links:
            self.connection.end(self, HANDLE_IN_USE, f"A link is attached at handle {attach.handle} already.")
            return
        blow = self.connection.strike(Point.ATTACH, entity_of(attach))
        if blow.is_final:
            return
        try:
            if blow.refusal is not None:
                raise blow.refusal
            link = attach_link(self, attach)
        except EntityError as error:
            self.refuse(attach, error)
            return
        self.add(link)
        if isinstance(link, InboundLink):
            link.grant()

    def refuse(self, attach: Attach, error: EntityError) -> None:
        """Refuse a link: attach without addresses, then detach; else the client takes it for open."""
        self._detached.add(attach.handle)
        self.send(
            attach._replace(
                role=not attach.role, source=None, target=None, initial_delivery_count=0, unsettled=None
            )
        )
        self.send(Detach(attach.handle, closed=True, error=Error(error.condition, error.description, {})))

    def _on_detach(self, detach: Detach) -> None:
        link = self.links.get(detach.handle)
        if link is None:
            return
        self.drop(link)
        self.send(Detach(detach.handle, closed=detach.closed))
