"""Pairs of links that carry requests in and responses out: ``$cbs`` and ``$management``."""

from collections import deque
from typing import TYPE_CHECKING

from ..amqp.errors import DecodeError
from ..amqp.performatives import Attach
from ..amqp.requests import Request, decode_request
from ..amqp.transfers import transfer_frames
from .addresses import Address, Node, parse_address
from .conditions import DECODE_ERROR
from .faults import Point
from .links import SERIAL, InboundLink, OutboundLink
from .management import answer_management, refuse_request
from .tokens import refuse_token

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
        link, answer = self._response_link(request), self._answer(request)
        if link is not None and answer is not None:
            link.respond(answer)

    def _answer(self, request: Request) -> bytes | None:
        """Do what is asked; ``None`` where a fault lets nothing be said."""
        connection, entity = self.session.connection, self._address.entity
        of_tokens = self._address.node is Node.TOKENS
        if of_tokens:
            audience = parse_address(request.properties.get("name"))
            entity = "" if audience is None else audience.entity
        blow = connection.strike(Point.AUTH if of_tokens else Point.REQUEST, entity)
        if blow.is_final:
            return None
        if blow.refusal is not None:
            return refuse_token(request, blow.refusal) if of_tokens else refuse_request(request, blow.refusal)
        if of_tokens:
            return connection.tokens.answer(request)
        return answer_management(connection, entity, request)

    def _response_link(self, request: Request) -> ResponseOutbound | None:
        """Return the link that receives responses: the one the request names, else one of this node."""
        links = [link for link in self.session.links.values() if isinstance(link, ResponseOutbound)]
        mine = [link for link in links if link.address == self._address]
        named = [link for link in mine or links if request.reply_to and link.reply_to == request.reply_to]
        return next(iter(named or mine), None)
