"""The typed values of an execution context, free of any encoding.

One model, several writers: the JSON dialect is in :mod:`.json_writer`; a text
XML and a binary writer can stand beside it, since nothing here is lost that
they need (a GUID is not a string, a 64-bit number is not a 32-bit one, a date
knows whether it is marked as UTC).

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
the classes below   choice, choices, money, lookup, and the rest
==================  =====================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final, Protocol, TypeAlias


class Guid(str):
    """A unique identifier: 36 characters, lower case, with hyphens."""

    __slots__ = ()


class Long(int):
    """A whole number of 64 bits, which typed encodings tell from one of 32."""

    __slots__ = ()


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
        id: Key of the row referred to.
        logical_name: Its table.
        name: Its primary name; ``None`` in a Target, filled in an image.
    """

    id: Guid
    logical_name: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class References:
    """The rows at the other end of an association."""

    items: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Relationship:
    """A many-to-many relationship by its schema name."""

    schema_name: str


@dataclass(frozen=True, slots=True)
class TextPairs:
    """A list of pairs of texts, such as the shared variable ``ChangedEntityTypes``."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """A row, or the part of one that a message carries.

    Attributes:
        logical_name: The table.
        id: The row's key.
        attributes: Column to value; what is absent was not sent.
        formatted_values: Column to the text a person would be shown.
    """

    logical_name: str
    id: Guid
    attributes: "Mapping[str, Value]"
    formatted_values: Mapping[str, str] = field(default_factory=dict)


Value: TypeAlias = (
    str
    | bool
    | int
    | Decimal
    | float
    | date
    | bytes
    | Option
    | Options
    | Money
    | Reference
    | References
    | Relationship
    | TextPairs
    | Entity
    | None
)
"""What an attribute or a parameter may hold (:class:`Guid` is a ``str``, ``datetime`` a ``date``)."""

EMPTY_GUID: Final = Guid("00000000-0000-0000-0000-000000000000")
"""The GUID that stands for none."""


@dataclass(frozen=True, slots=True)
class Context:
    """An execution context, as Dataverse hands it to a registered step.

    Member names follow ``RemoteExecutionContext`` of the public SDK.
    ``operation_created_on`` is naive: the service reads it back from its
    database, unmarked, in UTC.
    """

    business_unit_id: Guid
    correlation_id: Guid
    depth: int
    initiating_user_agent: str
    initiating_user_azure_id: Guid
    initiating_user_id: Guid
    input_parameters: Mapping[str, Value]
    is_in_transaction: bool
    message_name: str
    mode: int
    operation_created_on: datetime
    operation_id: Guid
    organization_id: Guid
    organization_name: str
    output_parameters: Mapping[str, Value]
    owning_extension: Reference
    parent: "Context | None"
    post_images: Mapping[str, Entity]
    pre_images: Mapping[str, Entity]
    primary_entity_id: Guid
    primary_entity_name: str
    request_id: Guid | None
    shared_variables: Mapping[str, Value]
    stage: int
    user_azure_id: Guid
    user_id: Guid
    isolation_mode: int = 1
    secondary_entity_name: str = "none"


class Writer(Protocol):
    """One encoding of contexts."""

    content_type: str

    def write(self, context: Context) -> bytes:
        """Return the body of a message that carries this context."""
        ...


Plain: TypeAlias = (
    str | bool | int | Decimal | float | date | bytes | tuple[int, ...] | tuple[str, str, str | None] | None
)
"""A value as a test compares it; see :func:`plain`."""


def plain(value: Value) -> Plain:
    """Return a column's value in plain Python types.

    Choice to ``int``, choices to a tuple of ``int``, money to ``Decimal``,
    lookup to (id, logical name, name), GUID to ``str``, every instant to an
    aware ``datetime`` in UTC (an unmarked wall clock is taken for UTC).

    Raises:
        TypeError: The value is no column value, but a parameter.

    >>> plain(Money(Decimal("1.50"))), plain(Options((1, 3)))
    (Decimal('1.50'), (1, 3))
    """
    match value:
        case Option() | Money():
            return value.value
        case Options():
            return value.values
        case Reference():
            return str(value.id), value.logical_name, value.name
        case datetime() if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        case References() | Relationship() | TextPairs() | Entity():
            raise TypeError(f"{type(value).__name__} is not the value of a column")
        case _:
            return str(value) if isinstance(value, Guid) else value


def wall_clock(value: date) -> datetime:
    """Return an unmarked date as a naive date and time: a date only is its midnight."""
    return value if isinstance(value, datetime) else datetime.combine(value, time())
