"""The forms a value has in JSON text, and which form a column is expected to have."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from ..tables.types import Kind
from .sealed import MONEY, OPTION, REFERENCE


class Form(IntEnum):
    """How values of one column are written.

    ``NOTHING``: only null so far, or an empty list.  ``ODD``: of no form that
    is read in bulk; a message that holds such a value is read by itself.
    ``LABEL``: of no column, but of the labels beside values.
    """

    NOTHING = 0
    ODD = 1
    TEXT = 2
    INSTANT = 3
    DATE = 4
    INTEGER = 5
    DECIMAL = 6
    DOUBLE = 7
    MONEY = 8
    BOOLEAN = 9
    OPTION = 10
    OPTIONS = 11
    REFERENCE = 12
    LABEL = 13


OF_KIND: Final[Mapping[Kind, Form]] = {
    Kind.TEXT: Form.TEXT,
    Kind.INTEGER: Form.INTEGER,
    Kind.DECIMAL: Form.DECIMAL,
    Kind.MONEY: Form.MONEY,
    Kind.DOUBLE: Form.DOUBLE,
    Kind.BOOLEAN: Form.BOOLEAN,
    Kind.INSTANT: Form.INSTANT,
    Kind.DATE: Form.DATE,
    Kind.CHOICE: Form.OPTION,
    Kind.CHOICES: Form.OPTIONS,
    Kind.LOOKUP: Form.REFERENCE,
    Kind.BINARY: Form.ODD,
    Kind.PARTIES: Form.ODD,
}
"""The form in which values of a known kind come."""

LABELLED: Final = frozenset({Form.BOOLEAN, Form.OPTION, Form.OPTIONS, Form.REFERENCE})
"""Forms whose label has a column of its own."""

_BEGINNINGS: Final[tuple[tuple[bytes, Form], ...]] = (
    (b'"\\/Date(', Form.INSTANT),
    (b'"', Form.TEXT),
    (REFERENCE, Form.REFERENCE),
    (OPTION, Form.OPTION),
    (MONEY, Form.MONEY),
    (b"[" + OPTION, Form.OPTIONS),
    (b"true", Form.BOOLEAN),
    (b"false", Form.BOOLEAN),
)


def form_of(sealed: bytes) -> Form:
    """Return the form of a value, by how its JSON begins.

    >>> form_of(b'"text"').name, form_of(b"-1.5").name, form_of(b"{}").name
    ('TEXT', 'DECIMAL', 'ODD')
    """
    if sealed in {b"null", b"[]"}:
        return Form.NOTHING
    for beginning, form in _BEGINNINGS:
        if sealed.startswith(beginning):
            return form
    return Form.DECIMAL if sealed and sealed[0] in b"-0123456789" else Form.ODD
