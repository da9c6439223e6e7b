"""The nine performatives of AMQP 1.0 part 2, section 2.7."""

from typing import Any, NamedTuple, TypeAlias

from .composites import (
    ANY,
    BINARY,
    BOOLEAN,
    COMPOSITE,
    MAP,
    STRING,
    UBYTE,
    UINT,
    ULONG,
    USHORT,
    composite,
    encode_composite,
    to_composite,
)
from .decode import decode_value
from .endpoints import Error
from .errors import DecodeError
from .types import Value

_Map: TypeAlias = dict[Value, Value]


@composite(0x10, "amqp:open:list", STRING.must(), STRING, UINT, USHORT, UINT, ANY, ANY, ANY, ANY, MAP)
class Open(NamedTuple):
    """Begins a connection.  ``idle_timeout`` is in milliseconds."""

    container_id: str
    hostname: str | None = None
    max_frame_size: int = 0xFFFFFFFF
    channel_max: int = 0xFFFF
    idle_timeout: int | None = None
    outgoing_locales: Value = None
    incoming_locales: Value = None
    offered_capabilities: Value = None
    desired_capabilities: Value = None
    properties: _Map | None = None


@composite(0x11, "amqp:begin:list", USHORT, UINT.must(), UINT.must(), UINT.must(), UINT, ANY, ANY, MAP)
class Begin(NamedTuple):
    """Begins a session on a channel."""

    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int
    handle_max: int = 0xFFFFFFFF
    offered_capabilities: Value = None
    desired_capabilities: Value = None
    properties: _Map | None = None


@composite(
    0x12,
    "amqp:attach:list",
    STRING.must(),
    UINT.must(),
    BOOLEAN.must(),
    UBYTE,
    UBYTE,
    COMPOSITE,
    COMPOSITE,
    MAP,
    BOOLEAN,
    UINT,
    ULONG,
    ANY,
    ANY,
    MAP,
)
class Attach(NamedTuple):
    """Attaches a link.  ``role`` is true for a receiver."""

    name: str
    handle: int
    role: bool
    snd_settle_mode: int = 2
    rcv_settle_mode: int = 0
    source: Any = None
    target: Any = None
    unsettled: _Map | None = None
    incomplete_unsettled: bool = False
    initial_delivery_count: int | None = None
    max_message_size: int | None = None
    offered_capabilities: Value = None
    desired_capabilities: Value = None
    properties: _Map | None = None


@composite(
    0x13,
    "amqp:flow:list",
    UINT,
    UINT.must(),
    UINT.must(),
    UINT.must(),
    UINT,
    UINT,
    UINT,
    UINT,
    BOOLEAN,
    BOOLEAN,
    MAP,
)
class Flow(NamedTuple):
    """Tells the windows of a session and, with a handle, the credit of a link."""

    next_incoming_id: int | None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool = False
    echo: bool = False
    properties: _Map | None = None


@composite(
    0x14,
    "amqp:transfer:list",
    UINT.must(),
    UINT,
    BINARY,
    UINT,
    BOOLEAN,
    BOOLEAN,
    UBYTE,
    COMPOSITE,
    BOOLEAN,
    BOOLEAN,
    BOOLEAN,
)
class Transfer(NamedTuple):
    """Carries a message or a part of one; the bytes follow it in the frame."""

    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool = False
    rcv_settle_mode: int | None = None
    state: Any = None
    resume: bool = False
    aborted: bool = False
    batchable: bool = False


@composite(0x15, "amqp:disposition:list", BOOLEAN.must(), UINT.must(), UINT, BOOLEAN, COMPOSITE, BOOLEAN)
class Disposition(NamedTuple):
    """Tells the state of deliveries ``first`` to ``last``."""

    role: bool
    first: int
    last: int | None = None
    settled: bool = False
    state: Any = None
    batchable: bool = False


@composite(0x16, "amqp:detach:list", UINT.must(), BOOLEAN, COMPOSITE)
class Detach(NamedTuple):
    """Detaches a link, for good when ``closed``."""

    handle: int
    closed: bool = False
    error: Error | None = None


@composite(0x17, "amqp:end:list", COMPOSITE)
class End(NamedTuple):
    """Ends a session."""

    error: Error | None = None


@composite(0x18, "amqp:close:list", COMPOSITE)
class Close(NamedTuple):
    """Closes a connection."""

    error: Error | None = None


Performative: TypeAlias = Open | Begin | Attach | Flow | Transfer | Disposition | Detach | End | Close
_CLASSES = (Open, Begin, Attach, Flow, Transfer, Disposition, Detach, End, Close)


def encode_performative(performative: Performative) -> bytes:
    """Encode a performative with every field written.

    Raises:
        EncodeError: A field holds a value that is out of its range.
    """
    return encode_composite(performative)


def decode_performative(body: bytes) -> tuple[Performative, int]:
    """Decode the performative a frame body begins with.

    Returns:
        The performative, absent fields at their defaults, and the position
        where the payload begins.

    Raises:
        DecodeError: The body does not begin with a performative.
    """
    value, position = decode_value(body)
    performative = to_composite(value)
    if not isinstance(performative, _CLASSES):
        raise DecodeError("the frame does not begin with a performative")
    return performative, position
