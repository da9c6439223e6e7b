"""Which encoding a body is in, told by its first bytes.

The content type is not asked: senders other than Dataverse often set none or
a wrong one, and the first byte cannot lie.
"""

import json
from dataclasses import dataclass
from typing import Final

from ..model.errors import MessageRejected
from ..model.verdict import Reason

_BOM: Final = b"\xef\xbb\xbf"
_BLANKS: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Document:
    """JSON text of a message.

    Attributes:
        data: UTF-8, not yet validated.
        offset: Where it begins in the body; 0 if it was unwrapped.
        wrapped: The body was a JSON string that held the document.
    """

    data: bytes
    offset: int = 0
    wrapped: bool = False


def recognise(body: bytes) -> Document:
    """Return the JSON document in a body.

    A byte order mark is skipped.  A body that is one JSON string is unwrapped
    once: some senders pass the message on as text.

    Raises:
        MessageRejected: ``undecodable`` for an empty body or a broken string,
            ``unknown-encoding`` for anything that is not JSON.
    """
    start = 3 if body.startswith(_BOM) else 0
    first = body[start:].lstrip(_BLANKS)[:1] if body[start : start + 1] != b"{" else b"{"
    if first in {b"{", b"["}:
        return Document(body[start:], start)
    if first == b'"':
        return _unwrap(body[start:])
    raise _refusal(body, first)


def _unwrap(data: bytes) -> Document:
    try:
        text = json.loads(data.decode())
        inner = text.encode().removeprefix(_BOM)
    except (ValueError, RecursionError) as error:
        raise MessageRejected(
            Reason.UNDECODABLE, "the body is a JSON string that does not end or is not UTF-8", "byte 0"
        ) from error
    if inner.lstrip(_BLANKS)[:1] not in {b"{", b"["}:
        raise MessageRejected(
            Reason.NOT_A_CONTEXT, "the body is a JSON string that does not hold a JSON object", "byte 0"
        )
    return Document(inner, 0, wrapped=True)


def _refusal(body: bytes, first: bytes) -> MessageRejected:
    if not first:
        return MessageRejected(Reason.UNDECODABLE, "the body is empty", "byte 0")
    fix = "set the message format of the service endpoint to JSON"
    if first == b"<":
        sentence = f"the body is text XML, which is not read; {fix}"
    elif first == b"@":
        sentence = f"the body is .NET binary XML (.NETBinary), which is not read; {fix}"
    elif body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        sentence = f"the body is UTF-16; only UTF-8 is read; {fix}"
    else:
        sentence = f"the body begins with byte 0x{first.hex()}, as no known encoding does; {fix}"
    return MessageRejected(Reason.UNKNOWN_ENCODING, sentence, "byte 0")
