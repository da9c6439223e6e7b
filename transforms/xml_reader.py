"""Text XML, as DataContractSerializer writes it, to elements.

The parser is expat.  A document type declaration is refused before anything in
it is read, so there are no entities to expand or to fetch.
"""

import re
from collections.abc import Mapping
from typing import Final, NoReturn
from xml.parsers import expat

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from .infoset import CLOCK_EVERY, Clock, Document, Element, outermost, too_deep, too_many
from .rules import Limits

_REFERENCE: Final = re.compile(rb"&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")
_FORBIDDEN: Final = [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF]
_STAND_INS: Final = [*range(0xFDD0, 0xFDF0)]
_STAND_IN: Final = dict(zip(_FORBIDDEN, _STAND_INS, strict=False))
_MEANT: Final = dict(zip(_STAND_INS, map(chr, _FORBIDDEN), strict=False))
_BAD_REFERENCE: Final = 14
"""expat's code for a reference to a character that XML 1.0 forbids."""


def read_xml(data: bytes, limits: Limits, *, decoded: bool = False) -> Document:
    """Return the elements of a document.

    Args:
        data: The document; its declaration or byte order mark tells the
            encoding, else it is UTF-8.
        limits: What it may be at most.
        decoded: The bytes are UTF-8 whatever the declaration says, since the
            document came as text.

    Raises:
        MessageRejected: ``undecodable`` with the byte where it went wrong, or ``too-large``.
    """
    try:
        return _Reader(limits).read(data, decoded, {})
    except _BadReference as fault:
        legible = _with_stand_ins(data)
        if legible is None:
            raise fault.rejection from None
    try:
        return _Reader(limits).read(legible, decoded, _MEANT)
    except _BadReference as fault:
        raise fault.rejection from None


class _BadReference(Exception):
    """The text refers to a character that XML does not have."""

    def __init__(self, rejection: MessageRejected) -> None:
        super().__init__(rejection.sentence)
        self.rejection = rejection


class _Reader:
    """Takes what expat finds."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._clock = Clock(limits)
        self._document: Document | None = None
        self._open: list[Element] = []
        self._scopes = [outermost(limits)]
        self._count = 0

    def read(self, data: bytes, decoded: bool, meant: Mapping[int, str]) -> Document:
        """Return the document; characters of its text stand for what they are ``meant`` for."""
        parser = expat.ParserCreate("utf-8" if decoded else None)
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = (
            (lambda text: self._text(text.translate(meant))) if meant else self._text
        )
        parser.StartDoctypeDeclHandler = _refuse_doctype
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise _broken(error, parser.ErrorByteIndex) from None
        except MessageRejected as fault:
            where = f"byte {parser.CurrentByteIndex}"
            raise MessageRejected(fault.reason, fault.sentence, where) from None
        except (LookupError, ValueError) as error:
            sentence = f"the text XML declares an encoding that is not known: {str(error)[:60]!a}"
            raise MessageRejected(Reason.UNDECODABLE, sentence, "byte 0") from None
        assert self._document is not None  # noqa: S101 - expat wants an element
        return self._document

    def _start(self, name: str, attributes: list[str]) -> None:
        self._count += 1
        if not self._count % CLOCK_EVERY:
            self._clock.check()
        if self._count > self._limits.elements:
            raise too_many(self._limits)
        depth = len(self._open)
        if depth >= self._limits.nesting:
            raise too_deep(self._limits)
        scope = self._scopes[-1]
        prefix, _, local = name.rpartition(":")
        if attributes:
            type_name, space, nil, scope = scope.opening(attributes, self._limits.element_attributes)
            element = Element(local, type_name, space, nil)
        else:
            element = Element(local)
        if prefix:
            scope.space(prefix)
        if depth:
            parent = self._open[-1]
            if parent.children is None:
                parent.children = [element]
            else:
                parent.children.append(element)
        else:
            self._document = Document(element, scope.space(prefix))
        self._open.append(element)
        self._scopes.append(scope)

    def _text(self, piece: str) -> None:
        self._open[-1].add_text(piece)

    def _end(self, _: str) -> None:
        self._scopes.pop()
        element = self._open.pop()
        if element.pieces is not None:
            element.close()


def _refuse_doctype(*_: object) -> NoReturn:
    raise MessageRejected(
        Reason.UNDECODABLE,
        "the text XML has a document type declaration, which Dataverse never writes; "
        "nothing in it was read. Find out who sends it",
    )


def _broken(error: expat.ExpatError, at: int) -> Exception:
    clause = expat.ErrorString(error.code) or "not well-formed"
    rejection = MessageRejected(
        Reason.UNDECODABLE, f"the text XML is not well-formed: {clause}", f"byte {max(at, 0)}"
    )
    return _BadReference(rejection) if error.code == _BAD_REFERENCE else rejection


def _with_stand_ins(data: bytes) -> bytes | None:
    """Put other characters for those that .NET writes and XML forbids; ``None`` where that is not safe.

    .NET writes U+0000 as ``&#x0;``, and reads it
    (https://learn.microsoft.com/dotnet/api/system.xml.xmlwritersettings.checkcharacters).
    The stand-ins are characters that Unicode keeps free of meaning; they are
    translated back when the text is read.
    """
    if b"<!" in data or b"\x00" in data[:4] or b"\xef\xb7" in data:
        return None

    def replace(match: re.Match[bytes]) -> bytes:
        code = int(match[1], 16) if match[1] else int(match[2])
        return b"&#%d;" % _STAND_IN.get(code, code)

    return None if _refers_to_stand_in(data) else _REFERENCE.sub(replace, data)


def _refers_to_stand_in(data: bytes) -> bool:
    return any(
        0xFDD0 <= (int(match[1], 16) if match[1] else int(match[2])) <= 0xFDEF
        for match in _REFERENCE.finditer(data)
    )
