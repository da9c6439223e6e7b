"""SASL frames (AMQP 1.0 part 5, section 5.3)."""

from typing import NamedTuple

from .composites import ANY, BINARY, STRING, SYMBOL, UBYTE, composite, encode_composite, to_composite
from .decode import decode_value
from .errors import DecodeError
from .frames import SASL_FRAME, encode_frame
from .types import SYMBOL_ARRAY, Array, Symbol, Value


@composite(0x40, "amqp:sasl-mechanisms:list", ANY)
class SaslMechanisms(NamedTuple):
    """What the server takes."""

    mechanisms: Value


@composite(0x41, "amqp:sasl-init:list", SYMBOL.must(), BINARY, STRING)
class SaslInit(NamedTuple):
    """What the client chose."""

    mechanism: str
    initial_response: bytes | None = None
    hostname: str | None = None


@composite(0x44, "amqp:sasl-outcome:list", UBYTE.must(), BINARY)
class SaslOutcome(NamedTuple):
    """How it ended: 0 is well, 1 is refused."""

    code: int
    additional_data: bytes | None = None


def mechanisms_frame(*names: str) -> bytes:
    """Return the frame that offers mechanisms."""
    offered = SaslMechanisms(Array(SYMBOL_ARRAY, tuple(Symbol(name) for name in names)))
    return encode_frame(0, encode_composite(offered), SASL_FRAME)


def outcome_frame(code: int) -> bytes:
    """Return the frame that ends the negotiation."""
    return encode_frame(
        0, encode_composite(SaslOutcome(code, b"Welcome!" if code == 0 else None)), SASL_FRAME
    )


def decode_init(body: bytes) -> SaslInit:
    """Decode the client's choice.

    Raises:
        DecodeError: The frame is something else.
    """
    init = to_composite(decode_value(body)[0])
    if not isinstance(init, SaslInit):
        raise DecodeError("a SASL init frame was expected")
    return init
