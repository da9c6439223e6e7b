"""Which encoding a body is in, told by its first bytes, and what it holds.

The content type is not asked: senders other than Dataverse often set none or
a wrong one, and the first bytes cannot lie.  A body may come wrapped, as text
or bytes of another serializer; it is unwrapped and looked at again
(https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide).
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from .contracts import SDK, SERIALIZATION
from .infoset import Document
from .nbfx_reader import read_nbfx
from .rules import Limits
from .scalars import binary
from .trees import IN_WRAPPER, Text, Tree, parse
from .xml_reader import read_xml
from .xml_tree import tree_of

_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_BLANKS: Final = b" \t\r\n"
_MOST_WRAPPERS: Final = 3
_ELEMENTS: Final = frozenset(range(0x40, 0x78))


class Encoding(StrEnum):
    """The encodings there are."""

    JSON = "JSON"
    XML = "text XML"
    BINARY = ".NET binary XML"


CONTENT_TYPES: Final = {
    "application/json": Encoding.JSON,
    "application/xml": Encoding.XML,
    "application/msbin1": Encoding.BINARY,
}
"""Content types that Dataverse sets
(https://learn.microsoft.com/power-apps/developer/data-platform/write-listener-application-azure-solution)."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a body holds.

    Attributes:
        tree: The JSON value, or the same of an XML context.
        encoding: The encoding of the context itself.
        wrappers: What it was wrapped in, outermost first, for people to read.
    """

    tree: Tree
    encoding: Encoding
    wrappers: tuple[str, ...] = ()


def first_encoding(body: bytes) -> Encoding | None:
    """Return the encoding a body begins in, wrapped or not; ``None`` for none.

    >>> first_encoding(b' {"a": 1}').value, first_encoding(b"<a/>").value
    ('JSON', 'text XML')
    """
    start = body[3:16] if body.startswith(_BOM) else body[:16]
    if body[:2] in _UTF16:
        start = body[2:16].replace(b"\x00", b"")
    first = start.lstrip(_BLANKS)[:1]
    if first in {b"{", b"[", b'"'}:
        return Encoding.JSON
    if first == b"<":
        return Encoding.XML
    return Encoding.BINARY if _begins_with_element(body) else None


def _begins_with_element(body: bytes) -> bool:
    """Tell a record of an element, whose name is short, from a letter of some plain text."""
    if len(body) < 2 or body[0] not in _ELEMENTS:
        return False
    return body[0] == 0x40 or not 0x20 <= body[1] < 0x7F


def open_body(body: bytes, limits: Limits, *, whole: bool = False) -> Opened:
    """Return what a body holds.

    Args:
        body: The bytes received.
        limits: What it may be at most.
        whole: Also read what no row is made of.

    Raises:
        MessageRejected: ``undecodable`` for an empty or broken body,
            ``unknown-encoding``, ``not-a-context``, ``bad-value`` or ``too-large``.
    """
    return _Opener(limits, whole).open(body, ())


class _Opener:
    def __init__(self, limits: Limits, whole: bool) -> None:
        self._limits = limits
        self._whole = whole

    def open(self, body: bytes, wrappers: tuple[str, ...], *, decoded: bool = False) -> Opened:
        if len(wrappers) > _MOST_WRAPPERS:
            sentence = f"the body is wrapped more than {_MOST_WRAPPERS} times ({', '.join(wrappers)})"
            raise MessageRejected(Reason.TOO_LARGE, sentence, "byte 0")
        if body[:2] in _UTF16:
            body, decoded = _from_utf16(body), True
        encoding = first_encoding(body)
        start = 3 if body.startswith(_BOM) else 0
        inside = f" (inside {' inside '.join(reversed(wrappers))})" if wrappers else ""
        if encoding is Encoding.JSON:
            return self._json(Text(body[start:], start, inside), wrappers)
        if encoding is Encoding.XML:
            data = body[start:].lstrip(_BLANKS)
            try:
                document = read_xml(data, self._limits, decoded=decoded)
            except MessageRejected as fault:
                raise _placed(fault, len(body) - len(data), inside) from None
            return self._document(document, encoding, wrappers)
        if encoding is Encoding.BINARY:
            try:
                document = read_nbfx(body, self._limits)
            except MessageRejected as fault:
                raise _placed(fault, 0, inside) from None
            return self._document(document, encoding, wrappers)
        raise _refusal(body[start:], inside)

    def _json(self, document: Text, wrappers: tuple[str, ...]) -> Opened:
        if document.data.lstrip(_BLANKS)[:1] != b'"':
            return Opened(parse(document, self._limits), Encoding.JSON, wrappers)
        try:
            inner = json.loads(document.data.decode()).encode()
        except (ValueError, RecursionError) as error:
            sentence = f"the body{document.inside} is a JSON string that does not end or is not Unicode"
            raise MessageRejected(Reason.UNDECODABLE, sentence, f"byte {document.offset}") from error
        return self._unwrapped(inner, wrappers, "a JSON string", decoded=True)

    def _document(self, document: Document, encoding: Encoding, wrappers: tuple[str, ...]) -> Opened:
        root = document.root
        if root.name == "RemoteExecutionContext" and document.space == SDK:
            return Opened(tree_of(root, whole=self._whole), encoding, wrappers)
        wrapper = f"{'an' if encoding is Encoding.XML else 'a'} {encoding} {root.name}"[:60]
        if document.space != SERIALIZATION or root.name not in {"string", "base64Binary"} or root.children:
            sentence = (
                f"the body is {encoding} with the root element {root.name[:60]!a}, "
                "no execution context of Dataverse; find out who else sends to this queue"
            )
            raise MessageRejected(Reason.NOT_A_CONTEXT, sentence, "byte 0")
        held = root.text or ""
        if root.name == "string":
            inner = held if isinstance(held, bytes) else held.encode(errors="surrogatepass")
            return self._unwrapped(inner, wrappers, wrapper, decoded=True)
        try:
            inner = held if isinstance(held, bytes) else binary(held)
        except ValueError as error:
            raise MessageRejected(Reason.UNDECODABLE, f"{wrapper}: {error}", "byte 0") from None
        return self._unwrapped(inner, wrappers, wrapper)

    def _unwrapped(
        self, inner: bytes, wrappers: tuple[str, ...], wrapper: str, *, decoded: bool = False
    ) -> Opened:
        if first_encoding(inner) is None:
            sentence = f"the body is {wrapper} that holds neither JSON nor XML, so no execution context"
            raise MessageRejected(Reason.NOT_A_CONTEXT, sentence, "byte 0")
        return self.open(inner, (*wrappers, wrapper), decoded=decoded)


def _from_utf16(body: bytes) -> bytes:
    try:
        return body.decode("utf-16").encode()
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        raise MessageRejected(
            Reason.UNDECODABLE, "the body begins as UTF-16 and is not", f"byte {at}"
        ) from None


def _placed(fault: MessageRejected, offset: int, inside: str) -> MessageRejected:
    """Return a rejection with its byte counted from the start of the body."""
    kind, _, number = fault.where.partition(" ")
    where = f"byte {int(number) + offset}{IN_WRAPPER if inside else ''}" if kind == "byte" else fault.where
    return MessageRejected(fault.reason, f"{fault.sentence}{inside}", where)


def _refusal(body: bytes, inside: str) -> MessageRejected:
    if not body.strip(_BLANKS):
        return MessageRejected(Reason.UNDECODABLE, "the body is empty", "byte 0")
    sentence = (
        f"the body{inside} begins with byte 0x{body[:1].hex()}, as none of JSON, text XML and "
        ".NET binary XML does; find out who else sends to this queue"
    )
    return MessageRejected(Reason.UNKNOWN_ENCODING, sentence, "byte 0")
