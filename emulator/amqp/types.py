"""AMQP values in Python, so typed that decoding and encoding again loses nothing.

Python types stand for themselves: ``None`` null, ``bool`` boolean, ``int``
long, ``float`` double, ``str`` string, ``bytes`` binary, ``uuid.UUID`` uuid,
``list`` list, ``dict`` map.  The classes here are the other primitive types of
AMQP 1.0 part 1, section 1.6; each compares equal to the plain value it holds.
"""

from typing import NamedTuple, TypeAlias

Value: TypeAlias = object
"""Any AMQP value.  What it is, is known only from the bytes."""


class Symbol(str):
    """A symbol: ASCII text from a closed vocabulary."""

    __slots__ = ()


class Char(str):
    """One Unicode character."""

    __slots__ = ()


class UByte(int):
    """An unsigned integer of 8 bits."""

    __slots__ = ()


class UShort(int):
    """An unsigned integer of 16 bits."""

    __slots__ = ()


class UInt(int):
    """An unsigned integer of 32 bits."""

    __slots__ = ()


class ULong(int):
    """An unsigned integer of 64 bits."""

    __slots__ = ()


class Byte(int):
    """A signed integer of 8 bits."""

    __slots__ = ()


class Short(int):
    """A signed integer of 16 bits."""

    __slots__ = ()


class Int(int):
    """A signed integer of 32 bits."""

    __slots__ = ()


class Timestamp(int):
    """Milliseconds since 1970-01-01 UTC."""

    __slots__ = ()


class Float(float):
    """A binary floating point number of 32 bits."""

    __slots__ = ()


class Decimal(bytes):
    """An IEEE 754 decimal of 4, 8 or 16 bytes, kept as its bytes."""

    __slots__ = ()


class Described(NamedTuple):
    """A value with a descriptor that says what it means.

    Attributes:
        descriptor: A symbol or an unsigned long, as a rule.
        value: The value described.
    """

    descriptor: Value
    value: Value


class Array(NamedTuple):
    """Values of one type behind one constructor.

    Attributes:
        code: The constructor byte all elements share.
        items: The elements.
        descriptor: The descriptor all elements share, ``None`` without one.
    """

    code: int
    items: tuple[Value, ...]
    descriptor: Value = None


UUID_ARRAY = 0x98
TIMESTAMP_ARRAY = 0x83
LONG_ARRAY = 0x81
SYMBOL_ARRAY = 0xA3
STRING_ARRAY = 0xB1
