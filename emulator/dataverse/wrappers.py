"""A body inside another, or behind marks, as other senders put it on the wire."""

from typing import Final

from .binary_writer import Records
from .contracts import SERIALIZATION
from .json_writer import quote

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""UTF-8's."""
XML_DECLARATION: Final = b'<?xml version="1.0" encoding="utf-8"?>'
"""What may stand before an XML document."""


def wrapped_text(body: bytes) -> bytes:
    """Return a text body as the old SDK posts a string: binary XML with one element ``string``.

    Raises:
        UnicodeDecodeError: The body is no UTF-8.
    """
    records = _begun("string")
    records.text(body.decode())
    records.end()
    return bytes(records.out)


def wrapped_bytes(body: bytes) -> bytes:
    """Return any body as the old SDK posts bytes: binary XML with one element ``base64Binary``."""
    records = _begun("base64Binary")
    records.data(body)
    records.end()
    return bytes(records.out)


def as_json_string(body: bytes) -> bytes:
    r"""Return a text body as one JSON string.

    >>> as_json_string(b'{"a":1}')
    b'"{\\"a\\":1}"'

    Raises:
        UnicodeDecodeError: The body is no UTF-8.
    """
    return quote(body.decode()).encode()


def _begun(name: str) -> Records:
    records = Records()
    records.start("", name)
    records.declare("", SERIALIZATION)
    return records
