"""Elements, attributes and lengths of .NET binary XML, each where it stands.

Source: [MC-NBFX] 2.1 and 2.2.1 (https://learn.microsoft.com/openspecs/windows_protocols/mc-nbfx).
Every length is compared with what is left before anything is taken.
"""

from typing import Final, NoReturn

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from .infoset import Element, Scope
from .nbfx_text import READERS, Wrong, taken, utf8

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_WITH_LETTER: Final = {0x5E + number: letter for number, letter in enumerate(_LETTERS)}

_DICTIONARY: Final = frozenset({0x06, 0x07, *range(0x0A, 0x26), *range(0x42, 0x5E), 0xAA, 0xAB, 0xBC, 0xBD})
_HEAD: Final = 20
_ALIKE: Final = 8


class Records:
    """Reads the parts of one document.

    Args:
        data: The document.
        most: Attributes an element may have.
    """

    def __init__(self, data: bytes, most: int) -> None:
        self._data = data
        self._most = most
        self._texts: dict[bytes, str] = {}

    def child(self, at: int, scope: Scope) -> tuple[Element, Scope, int]:
        """Return the element that begins here, the scope inside it, and the place behind its attributes."""
        data = self._data
        head = data[at : at + _HEAD]
        alike = scope.blocks.get(head, ())
        for block, local, (kind, space, nil, inner) in alike:
            if data.startswith(block, at):
                end = at + len(block)
                if not 0x04 <= data[end] <= 0x3F:
                    return Element(local, kind, space, nil), inner, end
        start = at
        prefix, local, at = self.named(at)
        if not 0x04 <= data[at] <= 0x3F:
            scope.space(prefix)
            if at - start < 0x80 and data[start] != 0x41 and scope.remembers(at - start):
                scope.plain[data[start:at]] = local
            return Element(local), scope, at
        attributes: list[str] = []
        while 0x04 <= data[at] <= 0x3F and len(attributes) <= 2 * self._most:
            name, at = self._attribute_name(at)
            value, at = self.text(at) if name.startswith("xmlns") else self._value(at)
            attributes += (name, value)
        opening = scope.opening(attributes, self._most)
        opening.scope.space(prefix)
        if len(alike) < _ALIKE and scope.remembers(at - start):
            scope.blocks[head] = [*alike, (data[start:at], local, opening)]
        return Element(local, opening.type, opening.space, opening.nil), opening.scope, at

    def named(self, at: int) -> tuple[str, str, int]:
        """Return prefix and local name of the element that begins here, and the place behind them."""
        record = self._data[at]
        if record == 0x41:
            prefix, at = self.text(at + 1)
            local, at = self.text(at)
            return prefix, local, at
        if record not in _WITH_LETTER and record != 0x40:
            self.refuse(record, at)
        local, at = self.text(at + 1)
        return _WITH_LETTER.get(record, ""), local, at

    def _attribute_name(self, at: int) -> tuple[str, int]:
        record = self._data[at]
        if record >= 0x26:
            local, at = self.text(at + 1)
            return f"{_LETTERS[record - 0x26]}:{local}", at
        if record == 0x08:
            return "xmlns", at + 1
        if record in {0x05, 0x09}:
            prefix, at = self.text(at + 1)
            if record == 0x09:
                return f"xmlns:{prefix}", at
            local, at = self.text(at)
            return f"{prefix}:{local}", at
        if record != 0x04:
            self.refuse(record, at)
        return self.text(at + 1)

    def _value(self, at: int) -> tuple[str, int]:
        """Return the text of an attribute."""
        record = self._data[at]
        read = READERS.get(record)
        if read is None:
            self.refuse(record, at)
        value, at = read(self._data, at + 1)
        return (value if isinstance(value, str) else value.hex()), at

    def comment(self, at: int) -> int:
        """Return the place behind the comment that begins here."""
        length, start = self.length(at + 1)
        taken(self._data, start, length)
        return start + length

    def text(self, at: int) -> tuple[str, int]:
        """Return a text that begins with its length, and the place behind it."""
        length, start = self.length(at)
        raw = taken(self._data, start, length)
        text = self._texts.get(raw)
        if text is None:
            text = self._texts[raw] = utf8(self._data, start, length)
        return text, start + length

    def length(self, at: int) -> tuple[int, int]:
        """Return a MultiByteInt31, and the place behind it ([MC-NBFX] 2.1.2)."""
        value = self._data[at]
        if value < 0x80:
            return value, at + 1
        value &= 0x7F
        for number in range(1, 5):
            byte = self._data[at + number]
            value |= (byte & 0x7F) << 7 * number
            if byte < 0x80:
                if value >> 31:
                    break
                return value, at + number + 1
        raise Wrong("a length takes more than 31 bits", at)

    def refuse(self, record: int, at: int) -> NoReturn:
        """Refuse a record by its type.

        Raises:
            MessageRejected: ``unknown-encoding``: it needs a dictionary.
            Wrong: It cannot stand here.
        """
        if record in _DICTIONARY:
            sentence = (
                f"the .NET binary XML has record type 0x{record:02X}, a word of a dictionary that does not "
                "travel with the message; Dataverse writes none. Let the sender write without a dictionary"
            )
            raise MessageRejected(Reason.UNKNOWN_ENCODING, sentence, f"byte {at}")
        raise Wrong(f"record type 0x{record:02X} is not one that can stand here", at)
