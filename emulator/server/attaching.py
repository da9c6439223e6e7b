"""What an attach leads to: the right kind of link, or a refusal."""

from typing import TYPE_CHECKING

from ..amqp.endpoints import Source, Target
from ..amqp.performatives import Attach
from ..amqp.types import Symbol, ULong
from ..entities.errors import INVALID_FIELD, NOT_FOUND, EntityError
from .access import Right
from .addresses import Address, Node, parse_address
from .conditions import NOT_IMPLEMENTED
from .links import InboundLink, Link
from .responses import RequestInbound, ResponseOutbound
from .sends import EntityInbound
from .session_links import attach_receiver

if TYPE_CHECKING:
    from .session import Session

_BATCH_SIZE = Symbol("com.microsoft:max-message-batch-size")
_ENVELOPE = 16 * 1024
"""Bytes a batch may be over the limit: clients count its messages, not what is around them."""


def attach_link(session: "Session", attach: Attach) -> Link:
    """Make the link a client asks for and confirm it, at once or when there is a session for it.

    Raises:
        EntityError: The link is refused.
    """
    if attach.role:
        return _outbound(session, attach)
    return _inbound(session, attach)


def entity_of(attach: Attach) -> str:
    """The path of the entity a link is to be attached to, or of whose management node; else empty."""
    terminus = attach.source if attach.role else attach.target
    address = parse_address(getattr(terminus, "address", None))
    return "" if address is None else address.entity


def _inbound(session: "Session", attach: Attach) -> InboundLink:
    if not isinstance(attach.target, Target):
        raise EntityError(
            NOT_IMPLEMENTED, "The target of the link is no address; transactions are not supported."
        )
    address = _address(session, attach.target.address, Right.SEND)
    if address.node is not Node.ENTITY:
        request = RequestInbound(session, attach, address)
        request.confirm(attach._replace(initial_delivery_count=None))
        return request
    target = session.connection.broker.namespace.target(address.entity)
    target.demand_sending()
    limit = target.settings.max_message_size
    sends = EntityInbound(session, attach, target, limit + _ENVELOPE)
    properties = {**(attach.properties or {}), _BATCH_SIZE: ULong(limit)}
    sends.confirm(attach._replace(initial_delivery_count=None, max_message_size=limit, properties=properties))
    return sends


def _outbound(session: "Session", attach: Attach) -> Link:
    if not isinstance(attach.source, Source):
        raise EntityError(INVALID_FIELD, "The link has no source address.")
    address = _address(session, attach.source.address, Right.LISTEN)
    if address.node is Node.ENTITY:
        queue = session.connection.broker.namespace.queue(address.entity)
        queue.demand_receiving()
        return attach_receiver(session, attach, attach.source, queue)
    link = ResponseOutbound(session, attach, address)
    link.confirm(attach._replace(initial_delivery_count=0))
    return link


def _address(session: "Session", written: object, right: Right) -> Address:
    address = parse_address(written)
    if address is None:
        raise EntityError(NOT_FOUND, f"The address {written!r} names no entity.")
    broker = session.connection.broker
    if address.node is not Node.TOKENS:
        session.connection.tokens.demand(address.entity, right if address.node is Node.ENTITY else None)
    if address.node is Node.MANAGEMENT:
        broker.namespace.entity(address.entity)
    return address
