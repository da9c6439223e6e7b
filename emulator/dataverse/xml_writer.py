"""Contexts as text XML, as .NET's XmlDictionaryWriter writes it."""

import base64
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from .context import Context
from .infoset import Infoset
from .scalars import Moment
from .values import Element
from .zones import double

_ESCAPED: Final = re.compile("[\x00-\x08\x0b-\x1f&<>\ud800-\udfff\ufffe\uffff]")
_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"
    return _NAMED.get(character) or f"&#x{ord(character):X};"


class XmlWriter:
    """Writes contexts as ``application/xml``."""

    content_type = "application/xml"

    def write(self, context: Context) -> bytes:
        """Return the body of a message that carries this context.

        A character that XML forbids is written as a reference to it, and a
        lone surrogate as U+FFFD, as the .NET writer does; the first is no
        well-formed XML.

        Raises:
            KeyError: A value is of a type the model does not have.
        """
        text = _Text()
        Infoset(text).write(context)
        return "".join(text.parts).encode()


class _Text:
    """Elements as text."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._names: list[str] = []
        self._open = False

    def start(self, prefix: str, name: str) -> None:
        qualified = f"{prefix}:{name}" if prefix else name
        self.parts.append(f"><{qualified}" if self._open else f"<{qualified}")
        self._names.append(qualified)
        self._open = True

    def kind(self, prefix: str, name: str) -> None:
        self.parts.append(f' i:type="{prefix}:{name}"' if prefix else f' i:type="{name}"')

    def nil(self) -> None:
        self.parts.append(' i:nil="true"')

    def declare(self, prefix: str, uri: str) -> None:
        self.parts.append(f' xmlns:{prefix}="{uri}"' if prefix else f' xmlns="{uri}"')

    def text(self, value: str) -> None:
        if value:
            self._write(_ESCAPED.sub(_escape, value))

    def boolean(self, value: bool) -> None:
        self._write("true" if value else "false")

    def number(self, value: int) -> None:
        self._write(str(value))

    def double(self, value: float) -> None:
        self._write(double(value))

    def single(self, value: float) -> None:
        self._write(double(value, 7))

    def decimal(self, value: Decimal) -> None:
        self._write(f"{value:f}")

    def date(self, value: Moment) -> None:
        self._write(value.text)

    def data(self, value: bytes) -> None:
        if value:
            self._write(base64.b64encode(value).decode())

    def run(self, prefix: str, name: str, element: Element, items: tuple[Any, ...]) -> None:
        writers: Mapping[Element, Callable[[Any], None]] = {
            Element.BOOLEAN: self.boolean,
            Element.DATE_TIME: self.date,
            Element.DECIMAL: self.decimal,
            Element.DOUBLE: self.double,
        }
        write = writers.get(element, self.number)
        for item in items:
            self.start(prefix, name)
            write(item)
            self.end()

    def end(self) -> None:
        name = self._names.pop()
        self.parts.append("/>" if self._open else f"</{name}>")
        self._open = False

    def _write(self, text: str) -> None:
        self.parts.append(f">{text}" if self._open else text)
        self._open = False
