"""What a Dataverse column is, and the Arrow type that holds it.

A message in JSON does not say whether a number is whole or a text a GUID, so
the type of a column comes from metadata where that is given, else from a short
table of system columns, else from the JSON form alone; never from the values
that happened to come first.  Types are wide from the start, because lakes and
databases do not widen them later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import pyarrow as pa

from .columns import TIMESTAMP


class Kind(StrEnum):
    """The kinds of column there are, once differences that no sink can hold are gone.

    ``TEXT`` also holds GUIDs and names of tables.  ``INSTANT`` is a point in
    time, or the wall clock of a time-zone-independent column called UTC.
    ``BINARY`` is the bytes of an image, stored where asked for; ``PARTIES`` a list
    of activity parties: rows of a table of their own.
    """

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    MONEY = "money"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    INSTANT = "instant"
    DATE = "date"
    CHOICE = "choice"
    CHOICES = "choices"
    LOOKUP = "lookup"
    BINARY = "binary"
    PARTIES = "parties"


ARROW: Final[Mapping[Kind, pa.DataType]] = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.DECIMAL: pa.decimal128(38, 10),
    Kind.MONEY: pa.decimal128(38, 4),
    Kind.DOUBLE: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.INSTANT: TIMESTAMP,
    Kind.DATE: pa.date32(),
    Kind.CHOICE: pa.int64(),
    Kind.CHOICES: pa.string(),
    Kind.LOOKUP: pa.string(),
    Kind.BINARY: pa.binary(),
}
"""Arrow type of each kind's own column; ``PARTIES`` has none.

Dataverse stores money as SQL ``money`` (4 decimals) and decimals with up to 10
(https://learn.microsoft.com/power-apps/maker/data-platform/types-of-fields).
"""

SCALE: Final[Mapping[Kind, int]] = {Kind.DECIMAL: 10, Kind.MONEY: 4}
"""Digits after the point of the decimal kinds; both are 38 digits wide."""

WELL_KNOWN: Final[Mapping[str, Kind]] = {
    "versionnumber": Kind.INTEGER,
    "importsequencenumber": Kind.INTEGER,
    "timezoneruleversionnumber": Kind.INTEGER,
    "utcconversiontimezonecode": Kind.INTEGER,
    "entityimage_timestamp": Kind.INTEGER,
    "onholdtime": Kind.INTEGER,
    "exchangerate": Kind.DECIMAL,
    "address1_latitude": Kind.DOUBLE,
    "address1_longitude": Kind.DOUBLE,
    "address2_latitude": Kind.DOUBLE,
    "address2_longitude": Kind.DOUBLE,
    "address3_latitude": Kind.DOUBLE,
    "address3_longitude": Kind.DOUBLE,
}
"""System columns that mean the same in every table and whose JSON form, a bare number, does not tell.

Source: the table reference of Dataverse
(https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/account).
"""


@dataclass(frozen=True, slots=True)
class Intersect:
    """The table of a many-to-many relationship: one row per pair.

    Attributes:
        table: Logical name of the intersect table (``accountleads``).
        first, second: (table, column of the intersect table that holds its key)
            of either side, lower case.
    """

    table: str
    first: tuple[str, str]
    second: tuple[str, str]


@dataclass(frozen=True, slots=True)
class ColumnTypes:
    """What is known about columns before a message comes.

    Attributes:
        tables: Logical table name to logical column name to kind, lower case.
        keys: Logical table name to its primary-key column, where known.
        intersects: Schema name of a many-to-many relationship, lower case, to its table.
    """

    tables: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    intersects: Mapping[str, Intersect] = field(default_factory=dict)

    def kind(self, table: str, column: str) -> Kind | None:
        """Return the kind of a column; ``None`` where only its values can tell.

        >>> ColumnTypes().kind("account", "versionnumber").value
        'integer'
        """
        known = self.tables.get(table)
        kind = known.get(column) if known else None
        return kind or WELL_KNOWN.get(column)

    def knows(self, table: str, column: str) -> bool:
        """Tell whether metadata names a column of that table."""
        return column in self.tables.get(table, ())
