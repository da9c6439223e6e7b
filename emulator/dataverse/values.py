"""The typed values of an execution context, free of any encoding.

One model, three writers: :mod:`.json_writer`, :mod:`.xml_writer` and
:mod:`.binary_writer`.  Nothing is lost here that any of them needs (a GUID is
not a string, a 64-bit number is not a 32-bit one, a date knows whether it is
marked as UTC).

A column value is a Python value of one of these types:

==================  =====================================================
``None``            the column is set to null
``str``, ``bool``   text; two options
``int``             whole number of 32 bits
:class:`Long`       whole number of 64 bits
``Decimal``         decimal, its trailing zeros kept
``float``           double
:class:`Guid`       unique identifier
``datetime``        aware: marked as UTC; naive: unmarked, as a value is that
                    was read back from the database or has no zone
``date``            a date only; travels as unmarked midnight
``bytes``           image
the classes below   choice, choices, money, lookup, and what only parameters are
those of            dates to a tenth of a microsecond, other sizes of numbers,
:mod:`.scalars`     durations, enumerations
==================  =====================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from .scalars import Duration, Enumeration, Guid, Moment, Sized


@dataclass(frozen=True, slots=True)
class Option:
    """A choice: the number, never the label."""

    value: int


@dataclass(frozen=True, slots=True)
class Options:
    """Several choices of one column."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Money:
    """An amount; its currency stands in another column."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Reference:
    """A lookup.

    Attributes:
        id: Key of the row referred to; all zeros where ``key_attributes`` say which it is.
        logical_name: Its table.
        name: Its primary name; ``None`` in a Target, filled in an image.
        key_attributes: Column to value of an alternate key.
        row_version: Version of the row, in digits.
    """

    id: Guid
    logical_name: str
    name: str | None = None
    key_attributes: "Mapping[str, Value]" = field(default_factory=dict, hash=False)
    row_version: str | None = None


@dataclass(frozen=True, slots=True)
class References:
    """The rows at the other end of an association."""

    items: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Relationship:
    """A relationship by its schema name.

    Attributes:
        schema_name: Its name.
        role: Of a relationship of a table with itself, ``Referencing`` or ``Referenced``.
    """

    schema_name: str
    role: str | None = None


@dataclass(frozen=True, slots=True)
class TextPairs:
    """A list of pairs of texts, such as the shared variable ``ChangedEntityTypes``."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TextMap:
    """A dictionary of texts, which JSON writes as it writes a list of pairs."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Managed:
    """A two-options value that solutions manage (``BooleanManagedProperty``)."""

    value: bool
    can_be_changed: bool = True
    property_name: str | None = None


@dataclass(frozen=True, slots=True)
class Aliased:
    """A column of a joined row, as a query returns it (``AliasedValue``)."""

    logical_name: str
    column: str
    value: "Value"


@dataclass(frozen=True, slots=True)
class Entity:
    """A row, or the part of one that a message carries.

    Attributes:
        logical_name: The table.
        id: The row's key.
        attributes: Column to value; what is absent was not sent.
        formatted_values: Column to the text a person would be shown.
        key_attributes: Column to value of an alternate key.
        related: Rows that are created or changed with it, by relationship.
        state: 0 unchanged, 1 created, 2 changed.
        row_version: Version of the row, in digits.
    """

    logical_name: str
    id: Guid
    attributes: "Mapping[str, Value]"
    formatted_values: Mapping[str, str] = field(default_factory=dict)
    key_attributes: "Mapping[str, Value]" = field(default_factory=dict)
    related: "tuple[tuple[Relationship, Entities], ...]" = ()
    state: int | None = None
    row_version: str | None = None


@dataclass(frozen=True, slots=True)
class Entities:
    """Rows: a party list, the ``Targets`` of a bulk message, a page of a query (``EntityCollection``).

    Attributes:
        items: The rows.
        logical_name: Their table.
        more: Whether there is another page.
        cookie: What asks for it.
        min_version: The oldest active row version.
        total: How many rows there are in all; -1 where nobody counted.
        total_exceeded: Whether there are more than could be counted.
    """

    items: tuple[Entity, ...]
    logical_name: str | None = None
    more: bool = False
    cookie: str | None = None
    min_version: str | None = None
    total: int = 0
    total_exceeded: bool = False


class Element(StrEnum):
    """What an array holds, by its .NET name."""

    BOOLEAN = "Boolean"
    DATE_TIME = "DateTime"
    DECIMAL = "Decimal"
    DOUBLE = "Double"
    ENTITY = "Entity"
    GUID = "Guid"
    INT32 = "Int32"
    INT64 = "Int64"
    OBJECT = "Object"
    OPTION = "OptionSetValue"
    REFERENCE = "EntityReference"
    STRING = "String"


@dataclass(frozen=True, slots=True)
class Array:
    """Several values of one type; of an ``OBJECT`` array, of any."""

    element: Element
    items: "tuple[Value, ...]"


@dataclass(frozen=True, slots=True)
class Structure:
    """An object of any other contract of the SDK, such as a query.

    Attributes:
        name: Name of the contract.
        members: Member to value, in the contract's order; their types are
            those of the contract, so none is marked.
    """

    name: str
    members: "Mapping[str, Value]"


Value: TypeAlias = (
    str
    | bool
    | int
    | Decimal
    | float
    | date
    | bytes
    | Moment
    | Duration
    | Sized
    | Enumeration
    | Option
    | Options
    | Money
    | Reference
    | References
    | Relationship
    | TextPairs
    | TextMap
    | Managed
    | Aliased
    | Entity
    | Entities
    | Array
    | Structure
    | None
)
"""What an attribute or a parameter may hold.

:class:`Guid`, ``Char`` and ``Uri`` are ``str``, :class:`Long` is ``int``,
``Single`` is ``float``, ``datetime`` is ``date``.
"""
