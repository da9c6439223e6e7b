"""Contexts as .NET binary XML (MC-NBFX, without a dictionary).

The records are the ones .NET's binary ``XmlDictionaryWriter`` chooses: the
shortest number, UTF-16 where it is shorter than UTF-8, an end of element in
the text record before it.  That writer can mark the end in a text record only
while the record is still in its buffer of 512 bytes, so the buffer's fill is
followed here.
"""

import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from .context import Context
from .infoset import Infoset
from .scalars import Kind, Moment
from .values import Element

_BUFFER: Final = 512
_UTF8_MOST: Final = 3
"""Bytes of UTF-8 that one UTF-16 unit can need."""
_SHORT_NAME: Final = 128 // _UTF8_MOST
"""Units of a name from which on its length is written by itself."""
_END: Final = 0x01
_ARRAY: Final = 0x03
_FLOAT_MOST: Final = 3.4028234663852886e38
_LONG_MOST: Final = 2**63


class BinaryWriter:
    """Writes contexts as ``application/msbin1``."""

    content_type = "application/msbin1"

    def write(self, context: Context) -> bytes:
        """Return the body of a message that carries this context.

        Raises:
            KeyError: A value is of a type the model does not have.
            UnicodeEncodeError: A text has a lone surrogate; .NET refuses it too.
            ValueError: A decimal is not finite, or needs more than 96 bits or 28 places.
        """
        records = Records()
        Infoset(records).write(context)
        return bytes(records.out)


class Records:
    """Elements as records.

    Attributes:
        out: What was written so far.
    """

    def __init__(self) -> None:
        self.out: Final = bytearray()
        self._fill = 0
        self._text_at = -1

    def start(self, prefix: str, name: str) -> None:
        """Begin an element."""
        data, room = _beginning(prefix, name)
        if self._fill + room <= _BUFFER:
            self._append(data, room)
            self._text_at = -1
        else:
            self._node(data[0])
            self._name(name)

    def kind(self, prefix: str, name: str) -> None:
        """Say the element's type (``i:type``)."""
        self._node(0x2E)
        self._name("type")
        self.text(f"{prefix}:{name}" if prefix else name)
        self._text_at = -1

    def nil(self) -> None:
        """Say that the element is null (``i:nil``)."""
        self._node(0x2E)
        self._name("nil")
        self._node(0x86)

    def declare(self, prefix: str, uri: str) -> None:
        """Bind a prefix on the element that has just begun."""
        self._node(0x09 if prefix else 0x08)
        if prefix:
            self._name(prefix)
        self._name(uri)

    def text(self, value: str) -> None:
        """Write text; none for none."""
        units = _units(value)
        if not units:
            return
        if value in ("0", "1"):
            self._text(bytes([0x82 if value == "1" else 0x80]), 1)
            return
        data = value.encode()
        wide = len(data) // 2 > units
        if wide:
            data = value.encode("utf-16-le")
        if units <= 255 // _UTF8_MOST:
            self._text(bytes([0xB6 if wide else 0x98, len(data)]) + data, 2 + units * _UTF8_MOST)
            return
        self._length(0xB6 if wide else 0x98, len(data))
        if wide:
            self._chunks(data, _BUFFER)
        else:
            self._utf8(value, units)

    def boolean(self, value: bool) -> None:
        """Write ``true`` or ``false``."""
        self._text(b"\x86" if value else b"\x84", 1)

    def number(self, value: int) -> None:
        """Write a whole number in the shortest record that holds it."""
        if value in (0, 1):
            self._text(bytes([0x82 if value else 0x80]), 1)
        elif -(1 << 7) <= value < 1 << 7:
            self._text(struct.pack("<Bb", 0x88, value))
        elif -(1 << 15) <= value < 1 << 15:
            self._text(struct.pack("<Bh", 0x8A, value))
        elif -(1 << 31) <= value < 1 << 31:
            self._text(struct.pack("<Bi", 0x8C, value))
        elif value < _LONG_MOST:
            self._text(struct.pack("<Bq", 0x8E, value))
        else:
            self._text(struct.pack("<BQ", 0xB2, value))

    def double(self, value: float) -> None:
        """Write a number of 64 bits, of 32 where they hold it exactly."""
        if -_FLOAT_MOST <= value <= _FLOAT_MOST and struct.unpack("<f", struct.pack("<f", value))[0] == value:
            self.single(value)
        else:
            self._text(struct.pack("<Bd", 0x92, value))

    def single(self, value: float) -> None:
        """Write a number of 32 bits, as a whole number where it is one."""
        if -_LONG_MOST <= value < _LONG_MOST and int(value) == value:
            self.number(int(value))
        else:
            self._text(struct.pack("<Bf", 0x90, value))

    def decimal(self, value: Decimal) -> None:
        """Write a decimal with all its zeros."""
        self._text(b"\x94" + _decimal(value))

    def date(self, value: Moment) -> None:
        """Write a date."""
        self._text(b"\x96" + _date(value))

    def data(self, value: bytes) -> None:
        """Write bytes: whole groups of three, then the one or two that are left."""
        whole = len(value) - len(value) % 3
        for part in (value[:whole], value[whole:]):
            if part:
                self._length(0x9E, len(part))
                self._bytes(part)

    def run(self, prefix: str, name: str, element: Element, items: tuple[Any, ...]) -> None:
        """Write elements of one primitive type as one array record."""
        if not items:
            return
        kind, pack = _ITEMS[element]
        self._node(_ARRAY)
        self.start(prefix, name)
        self._node(_END)
        self._node(kind)
        self._append(_count(len(items)), 5)
        self._bytes(b"".join([pack(item) for item in items]))

    def end(self) -> None:
        """End the element: in the text record before it if that is still at hand."""
        if self._text_at >= 0:
            self.out[self._text_at] |= 1
            self._text_at = -1
        else:
            self._node(_END)

    def _append(self, data: bytes, room: int) -> None:
        """Write to the buffer, which is emptied first unless it has this much room."""
        if self._fill + room > _BUFFER:
            self._flush()
        self.out.extend(data)
        self._fill += len(data)

    def _flush(self) -> None:
        self._fill = 0
        self._text_at = -1

    def _node(self, record: int) -> None:
        self._append(bytes([record]), 1)
        self._text_at = -1

    def _text(self, data: bytes, room: int = 0) -> None:
        self._append(data, room or len(data))
        self._text_at = len(self.out) - len(data)

    def _length(self, record: int, length: int) -> None:
        """Begin a text record of the size its length needs."""
        if length < 1 << 8:
            self._text(struct.pack("<BB", record, length), 5)
        elif length < 1 << 16:
            self._text(struct.pack("<BH", record + 2, length), 5)
        else:
            self._text(struct.pack("<BI", record + 4, length), 5)

    def _bytes(self, data: bytes) -> None:
        if len(data) < _BUFFER:
            self._append(data, len(data))
        else:
            self._flush()
            self.out.extend(data)

    def _chunks(self, data: bytes, size: int) -> None:
        for begin in range(0, len(data), size):
            part = data[begin : begin + size]
            self._append(part, len(part))

    def _utf8(self, value: str, units: int) -> None:
        """Write text by pieces of 170 units, none of which parts a surrogate pair."""
        most = _BUFFER // _UTF8_MOST
        if units == len(value):
            pieces = [value[begin : begin + most] for begin in range(0, units, most)]
        else:
            pieces = _pieces(value, most)
        for piece in pieces:
            self._append(piece.encode(), _units(piece) * _UTF8_MOST)

    def _name(self, name: str) -> None:
        data = _name(name)
        if len(name) < _SHORT_NAME:
            self._append(data, 1 + len(name) * _UTF8_MOST)
        else:
            length = data[: len(data) - len(name.encode())]
            self._append(length, 5)
            self._utf8(name, _units(name))


def _units(value: str) -> int:
    """Return the number of UTF-16 units."""
    return len(value) if value.isascii() else len(value) + sum(each > "\uffff" for each in value)


def _pieces(value: str, most: int) -> list[str]:
    pieces, begin, units = [], 0, 0
    for at, each in enumerate(value):
        size = 2 if each > "\uffff" else 1
        if units + size > most:
            pieces.append(value[begin:at])
            begin, units = at, 0
        units += size
    return [*pieces, value[begin:]]


@lru_cache(1024)
def _beginning(prefix: str, name: str) -> tuple[bytes, int]:
    """Return record and name of an element, and the room in which both are written at once."""
    data = bytes([0x5E + ord(prefix) - 97 if prefix else 0x40]) + _name(name)
    room = 2 + len(name) * _UTF8_MOST
    return data, room if len(name) < _SHORT_NAME else _BUFFER + 1


@lru_cache(1024)
def _name(name: str) -> bytes:
    data = name.encode()
    return _count(len(data)) + data


def _count(number: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first."""
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


def _decimal(value: Decimal) -> bytes:
    sign, digits, exponent = value.as_tuple()
    places = int(exponent)
    number = int("".join(map(str, digits))) * 10 ** max(places, 0)
    scale = max(-places, 0)
    if number >= 1 << 96 or scale > 28:
        raise ValueError(f"{value} needs more than 96 bits or 28 places, which is all .NET has")
    return struct.pack("<HBBIQ", 0, scale, sign << 7, number >> 64, number & (1 << 64) - 1)


def _date(value: Moment) -> bytes:
    if value.kind is Kind.LOCAL:
        return struct.pack("<Q", value.utc_ticks % (1 << 62) | 1 << 63)
    return struct.pack("<Q", value.ticks | (1 << 62 if value.kind is Kind.UTC else 0))


_ITEMS: Final[Mapping[Element, tuple[int, Callable[[Any], bytes]]]] = {
    Element.BOOLEAN: (0xB5, lambda value: bytes([value])),
    Element.DATE_TIME: (0x97, _date),
    Element.DECIMAL: (0x95, _decimal),
    Element.DOUBLE: (0x93, lambda value: struct.pack("<d", value)),
    Element.INT32: (0x8D, lambda value: struct.pack("<i", value)),
    Element.INT64: (0x8F, lambda value: struct.pack("<q", value)),
}
"""What an array record holds, to the record type of its items and their form."""
