"""From bytes to AMQP values, within bounds."""

import struct
from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID

from .errors import DecodeError
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

MAX_DEPTH = 32
"""Levels of lists, maps, arrays and descriptions one value may have."""

MAX_EMPTY_ELEMENTS = 65_536
"""Elements of an array whose elements take no bytes, so that length bounds nothing."""

_Decoder: TypeAlias = Callable[[bytes, int, int], tuple[Value, int]]


def decode_value(data: bytes, position: int = 0) -> tuple[Value, int]:
    """Decode the value whose constructor stands at a position.

    Args:
        data: Bytes that hold the value.
        position: Where it begins.

    Returns:
        The value, and the position behind it.

    Raises:
        DecodeError: The bytes end too early, nest too deep, or are not AMQP.

    >>> decode_value(bytes.fromhex("a1026869"))
    ('hi', 4)
    """
    try:
        return _any(data, position, 0)
    except (IndexError, struct.error) as error:
        raise DecodeError(f"the value at byte {position} ends before it is complete") from error
    except UnicodeError as error:
        raise DecodeError(f"text in the value at byte {position} is not valid: {error}") from error


def value_end(data: bytes, position: int) -> int:
    """Return the position behind a value without decoding it.

    Raises:
        DecodeError: The value is not complete, or its constructor unknown.
    """
    try:
        end = _end(data, position, 0)
    except IndexError as error:
        raise DecodeError(f"the value at byte {position} ends before it is complete") from error
    if end > len(data):
        raise DecodeError(f"the value at byte {position} claims {end - len(data)} bytes too many")
    return end


_FIXED_WIDTHS = {0x4: 1, 0x5: 2, 0x6: 3, 0x7: 5, 0x8: 9, 0x9: 17}


def _end(data: bytes, position: int, depth: int) -> int:
    code = data[position]
    if code == 0:
        if depth >= MAX_DEPTH:
            raise DecodeError(f"values nest deeper than {MAX_DEPTH} levels")
        return _end(data, _end(data, position + 1, depth + 1), depth + 1)
    kind = code >> 4
    if kind in {0xA, 0xC, 0xE}:
        return position + 2 + data[position + 1]
    if kind in {0xB, 0xD, 0xF}:
        if position + 5 > len(data):
            raise IndexError
        return position + 5 + int.from_bytes(data[position + 1 : position + 5], "big")
    width = _FIXED_WIDTHS.get(kind)
    if width is None:
        raise DecodeError(f"0x{code:02x} at byte {position} is no constructor")
    return position + width


def _any(data: bytes, position: int, depth: int) -> tuple[Value, int]:
    return _DECODERS[data[position]](data, position + 1, depth)


def _unknown(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
    raise DecodeError(f"0x{data[position - 1]:02x} at byte {position - 1} is no constructor")


def _constant(value: Value) -> _Decoder:
    def decode(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
        return value, position

    return decode


def _empty_list(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
    return [], position


def _fixed(form: str, make: Callable[..., Value] | None) -> _Decoder:
    layout = struct.Struct(form)
    unpack, width = layout.unpack_from, layout.size
    if make is None:

        def decode_plain(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
            return unpack(data, position)[0], position + width

        return decode_plain

    def decode(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
        return make(unpack(data, position)[0]), position + width

    return decode


def _boolean(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
    if data[position] > 1:
        raise DecodeError(f"a boolean at byte {position} is neither 0 nor 1")
    return data[position] == 1, position + 1


def _char(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
    (point,) = struct.unpack_from(">I", data, position)
    if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
        raise DecodeError(f"U+{point:X} at byte {position} is no character")
    return Char(chr(point)), position + 4


def _uuid(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
    return UUID(bytes=_take(data, position, 16)), position + 16


def _decimal(width: int) -> _Decoder:
    def decode(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
        return Decimal(_take(data, position, width)), position + width

    return decode


def _take(data: bytes, position: int, length: int) -> bytes:
    end = position + length
    if end > len(data):
        raise DecodeError(
            f"{length} bytes are announced at byte {position}, {len(data) - position} are there"
        )
    return data[position:end]


def _text(raw: bytes) -> str:
    return raw.decode()


def _symbol(raw: bytes) -> Symbol:
    return Symbol(raw.decode("ascii"))


def _variable(width: int, make: Callable[[bytes], Value]) -> _Decoder:
    def decode(data: bytes, position: int, depth: int) -> tuple[Value, int]:  # noqa: ARG001
        length, position = _size(data, position, width)
        return make(_take(data, position, length)), position + length

    return decode


def _size(data: bytes, position: int, width: int) -> tuple[int, int]:
    if width == 1:
        return data[position], position + 1
    return int(struct.unpack_from(">I", data, position)[0]), position + 4


def _compound(data: bytes, position: int, width: int, depth: int) -> tuple[int, int, int]:
    """Return the count, where the elements begin and where they must end."""
    if depth >= MAX_DEPTH:
        raise DecodeError(f"values nest deeper than {MAX_DEPTH} levels")
    size, position = _size(data, position, width)
    end = position + size
    if end > len(data):
        raise DecodeError(f"{size} bytes are announced at byte {position}, {len(data) - position} are there")
    count, position = _size(data, position, width)
    return count, position, end


def _list(width: int) -> _Decoder:
    def decode(data: bytes, position: int, depth: int) -> tuple[Value, int]:
        count, position, end = _compound(data, position, width, depth)
        items, position = _elements(data, position, end, count, depth)
        return items, position

    return decode


def _map(width: int) -> _Decoder:
    def decode(data: bytes, position: int, depth: int) -> tuple[Value, int]:
        count, position, end = _compound(data, position, width, depth)
        if count % 2:
            raise DecodeError(f"a map before byte {end} has a key without a value")
        items, position = _elements(data, position, end, count, depth)
        try:
            pairs = dict(zip(items[::2], items[1::2], strict=True))
        except TypeError as error:
            raise DecodeError(f"a map before byte {end} has a list, map or array as a key") from error
        if len(pairs) * 2 != count:
            raise DecodeError(f"a map before byte {end} has a key twice")
        return pairs, position

    return decode


def _elements(data: bytes, position: int, end: int, count: int, depth: int) -> tuple[list[Value], int]:
    if count > end - position:
        raise DecodeError(f"{count} elements are announced in {end - position} bytes")
    items: list[Value] = []
    append, decoders, depth = items.append, _DECODERS, depth + 1
    for _ in range(count):
        item, position = decoders[data[position]](data, position + 1, depth)
        append(item)
    if position != end:
        raise DecodeError(f"a list or map that should end at byte {end} ends at {position}")
    return items, position


def _array(width: int) -> _Decoder:
    def decode(data: bytes, position: int, depth: int) -> tuple[Value, int]:
        count, position, end = _compound(data, position, width, depth)
        descriptor: Value = None
        if data[position] == 0:
            descriptor, position = _any(data, position + 1, depth + 1)
        code = data[position]
        if code == 0:
            raise DecodeError("an array of twice described elements is not supported")
        position += 1
        if count > (end - position if code >> 4 > 4 else MAX_EMPTY_ELEMENTS):
            raise DecodeError(f"{count} array elements are announced in {end - position} bytes")
        items: list[Value] = []
        for _ in range(count):
            item, position = _DECODERS[code](data, position, depth + 1)
            items.append(item)
        if position != end:
            raise DecodeError(f"an array that should end at byte {end} ends at {position}")
        return Array(code, tuple(items), descriptor), position

    return decode


def _described(data: bytes, position: int, depth: int) -> tuple[Value, int]:
    if depth >= MAX_DEPTH:
        raise DecodeError(f"values nest deeper than {MAX_DEPTH} levels")
    descriptor, position = _any(data, position, depth + 1)
    value, position = _any(data, position, depth + 1)
    return Described(descriptor, value), position


_BY_CODE: dict[int, _Decoder] = {
    0x00: _described,
    0x40: _constant(None),
    0x41: _constant(True),
    0x42: _constant(False),
    0x43: _constant(UInt(0)),
    0x44: _constant(ULong(0)),
    0x45: _empty_list,
    0x50: _fixed(">B", UByte),
    0x51: _fixed(">b", Byte),
    0x52: _fixed(">B", UInt),
    0x53: _fixed(">B", ULong),
    0x54: _fixed(">b", Int),
    0x55: _fixed(">b", None),
    0x56: _boolean,
    0x60: _fixed(">H", UShort),
    0x61: _fixed(">h", Short),
    0x70: _fixed(">I", UInt),
    0x71: _fixed(">i", Int),
    0x72: _fixed(">f", Float),
    0x73: _char,
    0x74: _decimal(4),
    0x80: _fixed(">Q", ULong),
    0x81: _fixed(">q", None),
    0x82: _fixed(">d", None),
    0x83: _fixed(">q", Timestamp),
    0x84: _decimal(8),
    0x94: _decimal(16),
    0x98: _uuid,
    0xA0: _variable(1, bytes),
    0xA1: _variable(1, _text),
    0xA3: _variable(1, _symbol),
    0xB0: _variable(4, bytes),
    0xB1: _variable(4, _text),
    0xB3: _variable(4, _symbol),
    0xC0: _list(1),
    0xC1: _map(1),
    0xD0: _list(4),
    0xD1: _map(4),
    0xE0: _array(1),
    0xF0: _array(4),
}
_DECODERS: list[_Decoder] = [_BY_CODE.get(code, _unknown) for code in range(256)]
