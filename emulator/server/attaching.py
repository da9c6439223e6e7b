"""What an attach leads to: the right kind of link, or a refusal."""

from typing import TYPE_CHECKING

from ..amqp.endpoints import Source, Target
from ..amqp.performatives import Attach
from ..amqp.types import ULong
from ..entities.errors import INVALID_FIELD, NOT_ALLOWED, NOT_FOUND, EntityError
from .addresses import Address, Node, parse_address
from .conditions import NOT_IMPLEMENTED
from .deliveries import EntityOutbound
from .links import InboundLink, Link, OutboundLink
from .responses import RequestInbound, ResponseOutbound
from .sends import EntityInbound

if TYPE_CHECKING:
    from .session import Session

_SESSION_FILTER = "com.microsoft:session-filter"
_BATCH_SIZE = "com.microsoft:max-message-batch-size"
_ENVELOPE = 16 * 1024
"""Bytes a batch may be over the limit: clients count its messages, not what is around them."""


def attach_link(session: "Session", attach: Attach) -> Link:
    """Make the link a client asks for and confirm it.

    Raises:
        EntityError: The link is refused.
    """
    if attach.role:
        return _outbound(session, attach)
    return _inbound(session, attach)


def _inbound(session: "Session", attach: Attach) -> InboundLink:
    if not isinstance(attach.target, Target):
        raise EntityError(
            NOT_IMPLEMENTED, "The target of the link is no address; transactions are not supported."
        )
    address = _address(session, attach.target.address)
    if address.node is not Node.ENTITY:
        request = RequestInbound(session, attach, address)
        request.confirm(attach._replace(initial_delivery_count=None))
        return request
    target = session.connection.broker.namespace.target(address.entity)
    limit = target.settings.max_message_size
    sends = EntityInbound(session, attach, target, limit + _ENVELOPE)
    properties = {**(attach.properties or {}), _BATCH_SIZE: ULong(limit)}
    sends.confirm(attach._replace(initial_delivery_count=None, max_message_size=limit, properties=properties))
    return sends


def _outbound(session: "Session", attach: Attach) -> OutboundLink:
    if not isinstance(attach.source, Source):
        raise EntityError(INVALID_FIELD, "The link has no source address.")
    address = _address(session, attach.source.address)
    link: OutboundLink
    if address.node is not Node.ENTITY:
        link = ResponseOutbound(session, attach, address)
    else:
        queue = session.connection.broker.namespace.queue(address.entity)
        if any(key == _SESSION_FILTER for key in attach.source.filter or {}):
            raise EntityError(
                NOT_ALLOWED, f"The entity {address.entity!r} does not require sessions: receive without one."
            )
        link = EntityOutbound(session, attach, queue)
    link.confirm(attach._replace(initial_delivery_count=0))
    return link


def _address(session: "Session", written: object) -> Address:
    address = parse_address(written)
    if address is None:
        raise EntityError(NOT_FOUND, f"The address {written!r} names no entity.")
    broker = session.connection.broker
    if address.node is not Node.TOKENS:
        session.connection.tokens.demand(address.entity)
    if address.node is Node.MANAGEMENT:
        broker.namespace.entity(address.entity)
    return address
