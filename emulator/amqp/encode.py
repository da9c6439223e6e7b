"""From AMQP values to bytes, in the shortest form."""

import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from .errors import EncodeError
from .types import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)

_Encoder: TypeAlias = Callable[[Any], bytes]

NULL = b"\x40"
TRUE = b"\x41"
FALSE = b"\x42"


def encode_value(value: Value) -> bytes:
    """Encode a value with its constructor.

    Raises:
        EncodeError: The value is of no AMQP type or out of its range.

    >>> encode_value("hi").hex()
    'a1026869'
    """
    encoder = _BY_TYPE.get(type(value))
    if encoder is None:
        raise EncodeError(f"{type(value).__name__} is no AMQP type")
    try:
        return encoder(value)
    except (struct.error, UnicodeError, OverflowError) as error:
        raise EncodeError(f"{value!r} does not fit {type(value).__name__}: {error}") from error


def encode_list(fields: Sequence[bytes]) -> bytes:
    """Encode a list of values that are encoded already."""
    return _compound(0xC0, len(fields), b"".join(fields))


def encode_map(count: int, body: bytes) -> bytes:
    """Encode a map of keys and values that are encoded already.

    Args:
        count: Keys and values together.
        body: Key, value, key, value.
    """
    return _compound(0xC1, count, body)


def _compound(small_code: int, count: int, body: bytes) -> bytes:
    size = len(body)
    if size < 255 and count < 256:
        return bytes((small_code, size + 1, count)) + body
    return struct.pack(">BII", small_code + 0x10, size + 4, count) + body


def _packer(form: str) -> _Encoder:
    return struct.Struct(form).pack


def _sized(form: str, to_bytes: Callable[[Any], bytes]) -> _Encoder:
    pack = struct.Struct(form).pack

    def encode(value: Any) -> bytes:
        raw = to_bytes(value)
        return pack(len(raw)) + raw

    return encode


def _utf8(value: str) -> bytes:
    return value.encode()


def _ascii(value: str) -> bytes:
    return value.encode("ascii")


def _large(small: _Encoder) -> _Encoder:
    """Return the encoder of an element of a compound with 4-byte sizes."""

    def encode(value: Any) -> bytes:
        raw = small(value)
        if raw == b"\x45":
            return struct.pack(">II", 4, 0)
        if raw[0] & 0xF0 in {0xD0, 0xF0}:
            return raw[1:]
        return struct.pack(">II", raw[1] + 3, raw[2]) + raw[3:]

    return encode


def _list(value: list[Value]) -> bytes:
    return encode_list([encode_value(item) for item in value]) if value else b"\x45"


def _map(value: dict[Value, Value]) -> bytes:
    body = b"".join([encode_value(item) for pair in value.items() for item in pair])
    return encode_map(2 * len(value), body)


def _described(value: Described) -> bytes:
    return b"\x00" + encode_value(value.descriptor) + encode_value(value.value)


def _array(value: Array) -> bytes:
    element = _ELEMENTS.get(value.code)
    if element is None:
        raise EncodeError(f"0x{value.code:02x} is no constructor for array elements")
    described = b"" if value.descriptor is None else b"\x00" + encode_value(value.descriptor)
    constructor = described + bytes((value.code,))
    return _compound(0xE0, len(value.items), constructor + b"".join([element(item) for item in value.items]))


def _nothing(value: Value) -> bytes:  # noqa: ARG001
    return b""


def _small(full: _Encoder, code: int) -> _Encoder:
    """Return the encoder of an element that must have the form of one constructor."""

    def encode(value: Any) -> bytes:
        raw = full(value)
        if raw == b"\x45" and code == 0xC0:
            return b"\x01\x00"
        if raw[0] != code:
            raise EncodeError(f"an element does not fit the array constructor 0x{code:02x}")
        return raw[1:]

    return encode


_ELEMENTS: dict[int, _Encoder] = {
    0x40: _nothing,
    0x41: _nothing,
    0x42: _nothing,
    0x43: _nothing,
    0x44: _nothing,
    0x45: _nothing,
    0x50: _packer(">B"),
    0x51: _packer(">b"),
    0x52: _packer(">B"),
    0x53: _packer(">B"),
    0x54: _packer(">b"),
    0x55: _packer(">b"),
    0x56: _packer(">?"),
    0x60: _packer(">H"),
    0x61: _packer(">h"),
    0x70: _packer(">I"),
    0x71: _packer(">i"),
    0x72: _packer(">f"),
    0x73: lambda value: struct.pack(">I", ord(value)),
    0x74: bytes,
    0x80: _packer(">Q"),
    0x81: _packer(">q"),
    0x82: _packer(">d"),
    0x83: _packer(">q"),
    0x84: bytes,
    0x94: bytes,
    0x98: lambda value: value.bytes,
    0xA0: _sized(">B", bytes),
    0xA1: _sized(">B", _utf8),
    0xA3: _sized(">B", _ascii),
    0xB0: _sized(">I", bytes),
    0xB1: _sized(">I", _utf8),
    0xB3: _sized(">I", _ascii),
    0xC0: _small(_list, 0xC0),
    0xC1: _small(_map, 0xC1),
    0xD0: _large(_list),
    0xD1: _large(_map),
    0xE0: _small(_array, 0xE0),
    0xF0: _large(_array),
}


def _coded(code: int) -> _Encoder:
    element, constructor = _ELEMENTS[code], bytes((code,))

    def encode(value: Any) -> bytes:
        return constructor + element(value)

    return encode


def _by_range(low: int, high: int, small: int, large: int) -> _Encoder:
    short, long = _coded(small), _coded(large)

    def encode(value: int) -> bytes:
        return short(value) if low <= value <= high else long(value)

    return encode


def _by_length(small: int, large: int, to_bytes: Callable[[Any], bytes]) -> _Encoder:
    def encode(value: Any) -> bytes:
        raw = to_bytes(value)
        length = len(raw)
        if length < 256:
            return bytes((small, length)) + raw
        return struct.pack(">BI", large, length) + raw

    return encode


_DECIMALS = {4: b"\x74", 8: b"\x84", 16: b"\x94"}


def _decimal(value: Decimal) -> bytes:
    if len(value) not in _DECIMALS:
        raise EncodeError(f"a decimal has 4, 8 or 16 bytes, not {len(value)}")
    return _DECIMALS[len(value)] + value


_uint, _ulong = _by_range(1, 255, 0x52, 0x70), _by_range(1, 255, 0x53, 0x80)
_BY_TYPE: dict[type, _Encoder] = {
    type(None): lambda value: NULL,  # noqa: ARG005
    bool: lambda value: TRUE if value else FALSE,
    int: _by_range(-128, 127, 0x55, 0x81),
    float: _coded(0x82),
    str: _by_length(0xA1, 0xB1, _utf8),
    bytes: _by_length(0xA0, 0xB0, bytes),
    UUID: _coded(0x98),
    list: _list,
    dict: _map,
    Symbol: _by_length(0xA3, 0xB3, _ascii),
    Char: _coded(0x73),
    UByte: _coded(0x50),
    UShort: _coded(0x60),
    UInt: lambda value: _uint(value) if value else b"\x43",
    ULong: lambda value: _ulong(value) if value else b"\x44",
    Byte: _coded(0x51),
    Short: _coded(0x61),
    Int: _by_range(-128, 127, 0x54, 0x71),
    Timestamp: _coded(0x83),
    Float: _coded(0x72),
    Decimal: _decimal,
    Described: _described,
    Array: _array,
}
