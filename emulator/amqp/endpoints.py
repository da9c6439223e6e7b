"""What stands inside performatives: sources, targets, outcomes, errors."""

from typing import Any, NamedTuple

from .composites import ANY, BOOLEAN, COMPOSITE, MAP, STRING, SYMBOL, UINT, ULONG, composite
from .types import Value


@composite(0x1D, "amqp:error:list", SYMBOL.must(), STRING, MAP)
class Error(NamedTuple):
    """Why something was refused or ended.

    Attributes:
        condition: A symbol (``amqp:not-found``).
        description: A sentence for people.
        info: Further facts.
    """

    condition: str
    description: str | None = None
    info: dict[Value, Value] | None = None


@composite(0x23, "amqp:received:list", UINT, ULONG)
class Received(NamedTuple):
    """How far a delivery has come; no outcome yet."""

    section_number: int | None = None
    section_offset: int | None = None


@composite(0x24, "amqp:accepted:list")
class Accepted(NamedTuple):
    """Taken over: the message is done with."""


@composite(0x25, "amqp:rejected:list", COMPOSITE)
class Rejected(NamedTuple):
    """Not acceptable.

    Attributes:
        error: Why, where it is known.
    """

    error: Error | None = None


@composite(0x26, "amqp:released:list")
class Released(NamedTuple):
    """Given back, as if it had not been delivered."""


@composite(0x27, "amqp:modified:list", BOOLEAN, BOOLEAN, MAP)
class Modified(NamedTuple):
    """Given back, changed.

    Attributes:
        delivery_failed: Whether the delivery counts as an attempt.
        undeliverable_here: Whether this link must not get it again; to
            Service Bus it means that the message is deferred.
        message_annotations: Annotations to set.
    """

    delivery_failed: bool | None = None
    undeliverable_here: bool | None = None
    message_annotations: dict[Value, Value] | None = None


@composite(0x28, "amqp:source:list", ANY, UINT, SYMBOL, UINT, BOOLEAN, MAP, SYMBOL, MAP, COMPOSITE, ANY, ANY)
class Source(NamedTuple):
    """Where the messages of a link come from (AMQP 1.0 part 3, section 3.5.3)."""

    address: Any = None
    durable: int = 0
    expiry_policy: str | None = None
    timeout: int = 0
    dynamic: bool = False
    dynamic_node_properties: dict[Value, Value] | None = None
    distribution_mode: str | None = None
    filter: dict[Value, Value] | None = None
    default_outcome: Any = None
    outcomes: Value = None
    capabilities: Value = None


@composite(0x29, "amqp:target:list", ANY, UINT, SYMBOL, UINT, BOOLEAN, MAP, ANY)
class Target(NamedTuple):
    """Where the messages of a link go to (AMQP 1.0 part 3, section 3.5.4)."""

    address: Any = None
    durable: int = 0
    expiry_policy: str | None = None
    timeout: int = 0
    dynamic: bool = False
    dynamic_node_properties: dict[Value, Value] | None = None
    capabilities: Value = None
