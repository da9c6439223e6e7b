"""XML in and out, as far as the management API needs it.

A document type declaration is refused before anything in it is looked at, and
depth and number of elements are bounded, so that no body can grow when read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

ATOM: Final = "http://www.w3.org/2005/Atom"
SERVICE_BUS: Final = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS: Final = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
SCHEMA: Final = "http://www.w3.org/2001/XMLSchema"
INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"

_DEEPEST: Final = 20
_MOST: Final = 5000
_SEPARATOR: Final = " "


class XmlError(ValueError):
    """A body that is no XML the management API takes."""


@dataclass(slots=True)
class Element:
    """An element of a document that was read.

    Attributes:
        name: Its name, without namespace.
        namespace: Its namespace, ``""`` without one.
        attributes: By name, without namespace.
        children: The elements in it.
        text: The text in it, that of its children apart.
    """

    name: str
    namespace: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[Element]" = field(default_factory=list)
    text: str = ""

    def find(self, *names: str) -> "Element | None":
        """The first element down a path of names; ``None``: there is none."""
        found: Element | None = self
        for name in names:
            found = next((child for child in found.children if child.name == name), None) if found else None
        return found

    def all(self, name: str) -> "Iterator[Element]":
        """The children of a name."""
        return (child for child in self.children if child.name == name)

    def value(self, *names: str) -> str | None:
        """The text down a path of names; ``None``: there is no element, or one that is nil."""
        found = self.find(*names)
        return None if found is None or found.attributes.get("nil") == "true" else found.text


def parse(body: bytes) -> Element:
    """Read a document.

    Raises:
        XmlError: It is malformed, declares a document type, or is too deep or too large.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except expat.ExpatError as error:
        raise XmlError(f"The body is no XML: {error}.") from error
    if reader.root is None:
        raise XmlError("The body is empty.")
    return reader.root


class _Reader:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self.parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _refuse(self, *_: object) -> None:
        raise XmlError("The body declares a document type; that is not taken.")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= _DEEPEST or self._count > _MOST:
            raise XmlError(f"The body is deeper than {_DEEPEST} or has more than {_MOST} elements.")
        namespace, _, local = name.rpartition(_SEPARATOR)
        plain = {key.rpartition(_SEPARATOR)[2]: value for key, value in attributes.items()}
        element = Element(local, namespace, plain)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        del name
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].text += text


def tag(name: str, content: object, **attributes: str) -> str:
    """An element with text in it; attributes may be named ``xsi_type`` for ``xsi:type``."""
    return markup(name, escape(str(content)), **attributes)


def markup(name: str, inner: str, **attributes: str) -> str:
    """An element around markup."""
    fields = "".join(f" {key.replace('_', ':')}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{fields}>{inner}</{name}>"
