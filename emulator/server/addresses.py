"""What an address names: an entity, its management node, or the token node."""

from enum import Enum
from typing import NamedTuple

_MANAGEMENT = "/$management"


class Node(Enum):
    """The kinds of node a link can attach to."""

    ENTITY = "entity"
    MANAGEMENT = "management"
    TOKENS = "tokens"


class Address(NamedTuple):
    """A parsed address.

    Attributes:
        node: The kind of node.
        entity: Path of the entity, as the client wrote it; empty for the token node.
    """

    node: Node
    entity: str


def parse_address(address: object) -> Address | None:
    """Parse a link address; ``None`` when it names nothing.

    Args:
        address: A bare path, or a URI with scheme and host before it.

    >>> parse_address("amqps://localhost:5672/orders/$management")
    Address(node=<Node.MANAGEMENT: 'management'>, entity='orders')
    """
    if not isinstance(address, str):
        return None
    path = address
    if "://" in path:
        _, _, rest = path.partition("://")
        _, _, path = rest.partition("/")
    path = path.strip("/")
    if path.lower() == "$cbs":
        return Address(Node.TOKENS, "")
    if path.lower().endswith(_MANAGEMENT):
        return Address(Node.MANAGEMENT, path[: -len(_MANAGEMENT)])
    return Address(Node.ENTITY, path) if path else None
