"""Single values of XML Schema and .NET, from their text.

Source: https://www.w3.org/TR/xmlschema-2/, as ``XmlConvert`` of .NET writes it.
Every function raises :class:`ValueError` with a short clause.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from math import isfinite
from typing import Final

from ..tables.types import Kind
from .contexts import Instant, Number, PlainText
from .dotnet import double_text, single_text
from .numbers import instant, shortened

Scalar = str | bool | bytes | Number | Instant

_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,38})", re.ASCII)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_LOOSE: Final = re.compile(r"[+-]?[0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
_UNBOUNDED: Final = frozenset({"NaN", "INF", "-INF"})
_LONGEST_NUMBER: Final = 400
_SHORT_WHOLE: Final = 15
"""Digits that a whole double is written with in full."""


def whole(text: str) -> Number:
    """Return a whole number.

    >>> whole(" -7 ").text
    '-7'
    """
    text = text.strip()
    if _WHOLE.fullmatch(text) is None:
        if re.fullmatch(r"[+-]?[0-9]{1,40}", text, re.ASCII) is None:
            raise ValueError(f"{shortened(text)} is no whole number")
        text = str(int(text))
    return Number(text, Kind.INTEGER)


def fraction(kind: Kind, text: str) -> Number:
    """Return a decimal or a double; digits stay as they came.

    Binary XML has some large whole doubles as integers; they are spelled as all doubles are.

    >>> fraction(Kind.DECIMAL, "12.50").text, fraction(Kind.DOUBLE, "INF").text
    ('12.50', 'INF')
    >>> fraction(Kind.DOUBLE, "144115188075855872").text
    '1.4411518807585587E+17'
    """
    text = text.strip()
    if _NUMBER.fullmatch(text) is None and not (kind is Kind.DOUBLE and text in _UNBOUNDED):
        if len(text) > _LONGEST_NUMBER or _LOOSE.fullmatch(text) is None:
            raise ValueError(f"{shortened(text)} is no number")
        try:
            text = f"{Decimal(text):f}"
        except InvalidOperation:
            raise ValueError(f"{shortened(text)} is no number") from None
    if kind is Kind.DOUBLE and len(text) > _SHORT_WHOLE and text.lstrip("-").isdigit():
        nearest = float(text)
        text = double_text(nearest) if isfinite(nearest) else text
    return Number(text, kind)


def single(text: str) -> Number:
    """Return a float of 32 bits with as few digits as tell it from all others.

    >>> single("0.10000000149011612").text
    '0.1'
    """
    found = fraction(Kind.DOUBLE, text)
    return Number(single_text(float(found.text.replace("INF", "inf"))), Kind.DOUBLE)


def boolean(text: str) -> bool:
    """Return a truth value.

    >>> boolean("true"), boolean("0")
    (True, False)
    """
    text = text.strip()
    if text in {"true", "1"}:
        return True
    if text in {"false", "0"}:
        return False
    raise ValueError(f"{shortened(text)} is neither true nor false")


def character(text: str) -> str:
    """Return the character of a ``char``, which XML holds as its number.

    >>> character("65")
    'A'
    """
    code = int(whole(text).text)
    if not 0 <= code < 0x10000:
        raise ValueError(f"{shortened(text)} is no character")
    return chr(code)


def binary(text: str) -> bytes:
    """Return the bytes of base64.

    >>> binary("QUI=")
    b'AB'
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the text is not base64") from None


def plain(text: str) -> str:
    """Return a text, which is no date whatever it reads as.

    >>> plain("/Date(1)/"), type(plain("/Date(1)/")).__name__, type(plain("a")).__name__
    ('/Date(1)/', 'PlainText', 'str')
    """
    return PlainText(text) if text.startswith("/Date(") else text


def stripped(text: str) -> str:
    """Return a text without blanks around it."""
    return text.strip()


SCALARS: Final[Mapping[str, Callable[[str], Scalar]]] = {
    "string": plain,
    "anyURI": str,
    "QName": str,
    "guid": stripped,
    "duration": stripped,
    "char": character,
    "boolean": boolean,
    **dict.fromkeys(
        ("byte", "unsignedByte", "short", "unsignedShort", "int", "unsignedInt", "long", "unsignedLong"),
        whole,
    ),
    "decimal": partial(fraction, Kind.DECIMAL),
    "double": partial(fraction, Kind.DOUBLE),
    "float": single,
    "dateTime": lambda text: Instant(instant(text)),
    "base64Binary": binary,
}
"""Local name of a type to what reads its text."""
