"""Links and connections that do nothing, or may no longer, are parted with, as Service Bus parts with them.

The times are those of "AMQP errors in Azure Service Bus" in the Azure documentation.
"""

from typing import Final

from ..entities.errors import EntityError
from .access import Right
from .broker import Broker
from .conditions import CONNECTION_FORCED
from .connection import Connection
from .deliveries import EntityOutbound
from .links import Link
from .sends import EntityInbound

LINK_SECONDS: Final = 600.0
"""How long a link to an entity may do nothing."""

CONNECTION_SECONDS: Final = 300.0
"""How long a connection may be without links."""

FRESH_SECONDS: Final = 60.0
"""How long it may be so from the start."""

_DETACH_FORCED: Final = "amqp:link:detach-forced"


def part_with_idle(broker: Broker) -> None:
    """Detach links and close connections that have done nothing for too long by the broker's clock."""
    now = broker.clock()
    for connection in [each for each in broker.connections if isinstance(each, Connection)]:
        links = list(connection.links())
        for link in links:
            if isinstance(link, EntityOutbound | EntityInbound) and now - link.used_at >= LINK_SECONDS:
                link.detach(_DETACH_FORCED, _sentence(link))
        if links:
            connection.linkless_since, connection.is_fresh = None, False
            continue
        if connection.linkless_since is None:
            connection.linkless_since = now
        limit = FRESH_SECONDS if connection.is_fresh else CONNECTION_SECONDS
        if now - connection.linkless_since >= limit:
            connection.close(
                CONNECTION_FORCED,
                f"The connection was inactive for more than the allowed {limit * 1000:.0f} milliseconds "
                f"and is closed by container '{broker.container_id}'.",
            )


def part_with_unauthorized(broker: Broker) -> None:
    """Detach the links for which no token holds any more: they expired and were not renewed."""
    for connection in [each for each in broker.connections if isinstance(each, Connection)]:
        for link in list(connection.links()):
            if not isinstance(link, EntityOutbound | EntityInbound):
                continue
            right = Right.LISTEN if isinstance(link, EntityOutbound) else Right.SEND
            try:
                connection.tokens.demand(link.path, right)
            except EntityError as error:
                link.detach(error.condition, f"The token has expired. {error.description}")


def _sentence(link: Link) -> str:
    kind = "AmqpMessageConsumer" if isinstance(link, EntityOutbound) else "AmqpMessagePublisher"
    return (
        f"The link '{link.name}' is force detached. Code: {kind[11:].lower()}(link{link.handle}). "
        f"Details: {kind}.IdleTimerExpired: Idle timeout: 00:10:00."
    )
