"""What XML is written to: text, or records."""

from decimal import Decimal
from typing import Any, Protocol

from .scalars import Moment
from .values import Element


class Sink(Protocol):
    """One form of XML.  Within an element: its type, then namespaces, then content."""

    def start(self, prefix: str, name: str) -> None:
        """Begin an element."""
        ...

    def kind(self, prefix: str, name: str) -> None:
        """Say the element's type (``i:type``)."""
        ...

    def nil(self) -> None:
        """Say that the element is null (``i:nil``)."""
        ...

    def declare(self, prefix: str, uri: str) -> None:
        """Bind a prefix on the element that has just begun."""
        ...

    def text(self, value: str) -> None:
        """Write text."""
        ...

    def boolean(self, value: bool) -> None:
        """Write ``true`` or ``false``."""
        ...

    def number(self, value: int) -> None:
        """Write a whole number."""
        ...

    def double(self, value: float) -> None:
        """Write a number of 64 bits."""
        ...

    def single(self, value: float) -> None:
        """Write a number of 32 bits."""
        ...

    def decimal(self, value: Decimal) -> None:
        """Write a decimal with all its zeros."""
        ...

    def date(self, value: Moment) -> None:
        """Write a date."""
        ...

    def data(self, value: bytes) -> None:
        """Write bytes, as base64 says them."""
        ...

    def run(self, prefix: str, name: str, element: Element, items: tuple[Any, ...]) -> None:
        """Write elements of one primitive type, one for each item."""
        ...

    def end(self) -> None:
        """End the element."""
        ...
