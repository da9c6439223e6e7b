""".NET binary XML (MC-NBFX) without a dictionary, to elements.

Source: [MC-NBFX] 2.2 (https://learn.microsoft.com/openspecs/windows_protocols/mc-nbfx).
"""

from typing import Final

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from .infoset import CLOCK_EVERY, Clock, Document, Element, Scope, outermost, too_deep, too_many
from .nbfx_records import Records
from .nbfx_text import READERS, WIDTHS, Short, Wrong
from .rules import Limits

_CHARS8_END: Final = 0x99
_TEXTS: Final = [READERS.get(record & 0xFE) for record in range(256)]
_ELEMENTS: Final = frozenset({0x40, 0x41, *range(0x5E, 0x78)})


def read_nbfx(data: bytes, limits: Limits) -> Document:
    """Return the elements of a document.

    Args:
        data: The document.
        limits: What it may be at most.

    Raises:
        MessageRejected: ``undecodable`` with the byte where it went wrong,
            ``unknown-encoding`` where a dictionary would be needed, or ``too-large``.
    """
    reader = _Reader(data, limits)
    try:
        return reader.read()
    except (Short, IndexError):
        sentence = "the .NET binary XML ends inside a record"
        raise MessageRejected(Reason.UNDECODABLE, sentence, f"byte {len(data)}") from None
    except UnicodeDecodeError as error:
        sentence = "the .NET binary XML is broken: a text is not UTF-8"
        raise MessageRejected(Reason.UNDECODABLE, sentence, f"byte {reader.at + 2 + error.start}") from None
    except Wrong as fault:
        sentence = f"the .NET binary XML is broken: {fault.clause}"
        raise MessageRejected(Reason.UNDECODABLE, sentence, f"byte {fault.at}") from None
    except MessageRejected as fault:
        where = fault.where or f"byte {reader.at}"
        raise MessageRejected(fault.reason, fault.sentence, where) from None


class _Reader:
    """Reads records one behind the other.

    Attributes:
        at: Byte where the record begins that was looked at last.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.at = 0
        self._data = data
        self._limits = limits
        self._records = Records(data, limits.element_attributes)
        self._clock = Clock(limits)
        self._nesting = limits.nesting
        self._count = 0
        self._look_at = min(CLOCK_EVERY, limits.elements)

    def read(self) -> Document:
        """Read the whole document."""
        if self._data[0] not in _ELEMENTS:
            self._records.refuse(self._data[0], 0)
        prefix, _, _ = self._records.named(0)
        root, scope, at = self._records.child(0, outermost(self._limits))
        at = self._inside(root, scope, at)
        while at < len(self._data):
            if self._data[at] != 0x02:
                raise Wrong("something stands behind the end of the document", at)
            at = self._records.comment(at)
        return Document(root, scope.space(prefix))

    def _inside(self, element: Element, scope: Scope, at: int) -> int:  # noqa: C901, PLR0912, PLR0915
        """Read what is inside the root element, and its end; return the place behind it.

        One loop, since a call for every record would take a third of the speed.
        """
        data, size, records = self._data, len(self._data), self._records
        opened, scopes = [element], [scope]
        nesting, count, look_at = self._nesting, self._count, self._look_at
        while True:
            record = data[at]
            if record in _ELEMENTS:
                self.at = at
                end = at + 2 + data[at + 1]
                name = scope.plain.get(data[at:end])
                if name is not None and not 0x04 <= data[end] <= 0x3F:
                    child, inner, at = Element(name), scope, end
                else:
                    child, inner, at = records.child(at, scope)
                if element.children is None:
                    element.children = [child]
                else:
                    element.children.append(child)
                count += 1
                if len(opened) >= nesting or count > look_at:
                    self._count = count
                    look_at = self._look(len(opened) + 1)
                record = data[at]
                if record == _CHARS8_END:
                    self.at = at
                    end = at + 2 + data[at + 1]
                    if end > size:
                        raise Short
                    child.text = str(data[at + 2 : end], "utf-8")
                    at = end
                elif record >= 0x80 and record & 1:
                    self.at = at
                    child.text, at = (_TEXTS[record] or records.refuse(record, at))(data, at + 1)
                elif record == 0x01:
                    at += 1
                else:
                    opened.append(child)
                    scopes.append(inner)
                    element, scope = child, inner
                continue
            self.at = at
            if record >= 0x80:
                text, at = (_TEXTS[record] or records.refuse(record, at))(data, at + 1)
                if element.text is None:
                    element.text = text
                else:
                    element.add_text(text)
                if not record & 1:
                    continue
            elif record == 0x01:
                at += 1
            else:
                self._count = count
                at = self._rare(record, at, element, scope, len(opened))
                count, look_at = self._count, self._look_at
                continue
            if element.pieces is not None:
                element.close()
            opened.pop()
            scopes.pop()
            if not opened:
                return at
            element, scope = opened[-1], scopes[-1]

    def _look(self, depth: int) -> int:
        """Compare what was read with the limits; return the count at which to look again."""
        if depth > self._nesting:
            raise too_deep(self._limits)
        if self._count > self._limits.elements:
            raise too_many(self._limits)
        self._clock.check()
        self._look_at = min(self._count + CLOCK_EVERY, self._limits.elements)
        return self._look_at

    def _rare(self, record: int, at: int, element: Element, scope: Scope, depth: int) -> int:
        """Read a comment or an array; return the place behind it."""
        if record == 0x02:
            return self._records.comment(at)
        if record != 0x03:
            self._records.refuse(record, at)
        if self._data[at + 1] not in _ELEMENTS:
            raise Wrong("an array does not begin with an element", at + 1)
        item, _, at = self._records.child(at + 1, scope)
        kind = self._data[at + 1]
        width = WIDTHS.get(kind - 1)
        if self._data[at] != 0x01 or width is None:
            raise Wrong("an array is not of one element and one type that arrays can be of", at)
        count, at = self._records.length(at + 2)
        if count * width > len(self._data) - at:
            raise Short
        element.children = [] if element.children is None else element.children
        for _ in range(count):
            self._count += 1
            if self._count > self._look_at:
                self._look(depth + 1)
            text, at = READERS[kind - 1](self._data, at)
            element.children.append(Element(item.name, item.type, item.space, item.nil, None, text))
        return at
