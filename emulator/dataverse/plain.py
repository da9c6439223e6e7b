"""Values as a test compares them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeAlias

from .scalars import Guid
from .values import Array, Element, Entities, Entity, Managed, Money, Option, Options, Reference, Value

Plain: TypeAlias = (
    str
    | bool
    | int
    | Decimal
    | float
    | date
    | bytes
    | tuple[int, ...]
    | tuple[str, str, str | None]
    | tuple[Mapping[str, "Plain"], ...]
    | None
)
"""A value as a test compares it; see :func:`plain`."""


def plain(value: Value) -> Plain:  # noqa: PLR0911 - one case a type
    """Return a column's value in plain Python types.

    Choice to ``int``, choices to a tuple of ``int``, money to ``Decimal``,
    lookup to (id, logical name, name), GUID to ``str``, every instant to an
    aware ``datetime`` in UTC (an unmarked wall clock is taken for UTC), a
    party list to its rows' columns.

    Raises:
        TypeError: The value is no column value, but a parameter.

    >>> plain(Money(Decimal("1.50"))), plain(Options((1, 3)))
    (Decimal('1.50'), (1, 3))
    """
    match value:
        case Option() | Money() | Managed():
            return value.value
        case Options():
            return value.values
        case Reference():
            return str(value.id), value.logical_name, value.name
        case datetime() if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        case Array() if value.element is Element.ENTITY:
            return plain(Entities(tuple([row for row in value.items if isinstance(row, Entity)])))
        case Entities():
            return tuple({name: plain(each) for name, each in row.attributes.items()} for row in value.items)
        case Guid():
            return str(value)
        case None | str() | int() | float() | Decimal() | date() | bytes():
            return value
        case _:
            raise TypeError(f"{type(value).__name__} is not the value of a column")
