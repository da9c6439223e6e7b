"""Text records of .NET binary XML, each to the text it stands for.

Source: [MC-NBFX] 2.2.3 (https://learn.microsoft.com/openspecs/windows_protocols/mc-nbfx).
A reader takes the document and the place behind the record type, and returns
the text and the place behind the record.
"""

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Final
from uuid import UUID

from .dotnet import date_text, double_text, duration_text

Text = tuple[str | bytes, int]
Reader = Callable[[bytes, int], Text]


class Short(Exception):
    """The document ends inside a record."""


class Wrong(Exception):
    """A record holds what it must not.

    Attributes:
        clause: What is wrong.
        at: Byte where.
    """

    def __init__(self, clause: str, at: int) -> None:
        super().__init__(clause)
        self.clause = clause
        self.at = at


def taken(data: bytes, at: int, length: int) -> bytes:
    """Return that many bytes, of which all must be there."""
    found = data[at : at + length]
    if len(found) != length:
        raise Short
    return found


def utf8(data: bytes, at: int, length: int) -> str:
    """Return UTF-8 as text."""
    try:
        return taken(data, at, length).decode()
    except UnicodeDecodeError as error:
        raise Wrong("a text is not UTF-8", at + error.start) from None


def _fixed(layout: str, spell: Callable[..., str]) -> Reader:
    """Return a reader of records of one size."""
    struct = Struct(layout)

    def read(data: bytes, at: int) -> Text:
        if at + struct.size > len(data):
            raise Short
        try:
            return spell(*struct.unpack_from(data, at)), at + struct.size
        except ValueError as error:
            raise Wrong(str(error), at) from None

    return read


def _sized(width: int, spell: Callable[[bytes, int, int], str | bytes]) -> Reader:
    """Return a reader of records that begin with their length in that many bytes."""

    def read(data: bytes, at: int) -> Text:
        start = at + width
        length = int.from_bytes(taken(data, at, width), "little")
        return spell(data, start, length), start + length

    return read


def _utf16(data: bytes, at: int, length: int) -> str:
    try:
        return taken(data, at, length).decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise Wrong("a text is not UTF-16", at + error.start) from None


def _constant(text: str) -> Reader:
    return lambda _, at: (text, at)


def _decimal(_: int, scale: int, sign: int, high: int, low: int, middle: int) -> str:
    if scale > 28 or sign not in {0, 0x80}:
        raise ValueError("a decimal has a scale or sign that no .NET decimal has")
    digits = str(high << 64 | middle << 32 | low).rjust(scale + 1, "0")
    minus = "-" if sign and digits.strip("0") else ""
    return f"{minus}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{minus}{digits}"


def _boolean(value: int) -> str:
    if value > 1:
        raise ValueError("a truth value is neither 0 nor 1")
    return "true" if value else "false"


READERS: Final[Mapping[int, Reader]] = {
    0x80: _constant("0"),
    0x82: _constant("1"),
    0x84: _constant("false"),
    0x86: _constant("true"),
    0x88: _fixed("<b", str),
    0x8A: _fixed("<h", str),
    0x8C: _fixed("<i", str),
    0x8E: _fixed("<q", str),
    0x90: _fixed("<f", double_text),
    0x92: _fixed("<d", double_text),
    0x94: _fixed("<HBBIII", _decimal),
    0x96: _fixed("<Q", date_text),
    0x98: _sized(1, utf8),
    0x9A: _sized(2, utf8),
    0x9C: _sized(4, utf8),
    0x9E: _sized(1, taken),
    0xA0: _sized(2, taken),
    0xA2: _sized(4, taken),
    0xA8: _constant(""),
    0xAC: _fixed("<16s", lambda raw: f"urn:uuid:{UUID(bytes_le=raw)}"),
    0xAE: _fixed("<q", duration_text),
    0xB0: _fixed("<16s", lambda raw: str(UUID(bytes_le=raw))),
    0xB2: _fixed("<Q", str),
    0xB4: _fixed("<B", _boolean),
    0xB6: _sized(1, _utf16),
    0xB8: _sized(2, _utf16),
    0xBA: _sized(4, _utf16),
}
"""Record type to reader; the odd type behind each also ends the element."""

WIDTHS: Final[Mapping[int, int]] = {
    0xB4: 1,
    0x8A: 2,
    0x8C: 4,
    0x8E: 8,
    0x90: 4,
    0x92: 8,
    0x94: 16,
    0x96: 8,
    0xAE: 8,
    0xB0: 16,
}
"""Types an array may be of, and bytes of one item ([MC-NBFX] 2.2.1.4)."""
