"""Pairs of links that carry requests in and responses out: ``$cbs`` and ``$management``."""

from collections import deque
from typing import TYPE_CHECKING

from ..amqp.errors import DecodeError
from ..amqp.performatives import Attach
from ..amqp.requests import Request, decode_request
from ..amqp.transfers import transfer_frames
from .addresses import Address, Node
from .conditions import DECODE_ERROR
from .links import SERIAL, InboundLink, OutboundLink
from .management import answer_management

if TYPE_CHECKING:
    from .session import Session

_WINDOW = 100
_LIMIT = 64 * 1024 * 1024


class ResponseOutbound(OutboundLink):
    """Carries responses; they wait while the client gives no credit."""

    def __init__(self, session: "Session", attach: Attach, address: Address) -> None:
        super().__init__(session, attach)
        self.address = address
        self.reply_to = str(getattr(attach.target, "address", "") or "")
        self._waiting: deque[bytes] = deque()

    def respond(self, response: bytes) -> None:
        """Send a response as soon as there is credit."""
        self._waiting.append(response)
        self.deliver()

    def deliver(self) -> bool:
        """Send the responses that wait."""
        session = self.session
        while self._waiting and self.credit > 0:
            number = session.next_delivery_id
            session.next_delivery_id = (number + 1) & SERIAL
            self.credit -= 1
            self.delivery_count = (self.delivery_count + 1) & SERIAL
            session.send_transfers(
                transfer_frames(
                    session.channel,
                    self.handle,
                    number,
                    number.to_bytes(16, "big"),
                    True,
                    self._waiting.popleft(),
                    session.connection.max_frame_size,
                )
            )
        return False


class RequestInbound(InboundLink):
    """Takes requests and sees to it that they are answered."""

    def __init__(self, session: "Session", attach: Attach, address: Address) -> None:
        super().__init__(session, attach, window=_WINDOW, limit=_LIMIT)
        self._address = address

    def receive(self, delivery_id: int, message_format: int, payload: bytes, *, settled: bool) -> None:
        """Answer a request; the request is settled before the response goes out."""
        del message_format
        try:
            request = decode_request(payload)
        except DecodeError as error:
            if not settled:
                self.reject(delivery_id, DECODE_ERROR, str(error))
            return
        if not settled:
            self.accept(delivery_id)
        link = self._response_link(request)
        if link is not None:
            link.respond(self._answer(request))

    def _answer(self, request: Request) -> bytes:
        connection = self.session.connection
        if self._address.node is Node.TOKENS:
            return connection.tokens.answer(request)
        return answer_management(connection, self._address.entity, request)

    def _response_link(self, request: Request) -> ResponseOutbound | None:
        """Return the link that receives responses: the one the request names, else one of this node."""
        links = [link for link in self.session.links.values() if isinstance(link, ResponseOutbound)]
        mine = [link for link in links if link.address == self._address]
        named = [link for link in mine or links if request.reply_to and link.reply_to == request.reply_to]
        return next(iter(named or mine), None)
