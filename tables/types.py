"""What a Dataverse column is, and the Arrow type that holds it.

A message in JSON does not say whether a number is whole or a text a GUID, so
the type of a column comes from metadata where that is given, else from a short
table of system columns, else from the JSON form alone; never from the values
that happened to come first.  Types are wide from the start, because lakes and
databases do not widen them later.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ..model.errors import ConfigError
from .columns import TIMESTAMP


class Kind(StrEnum):
    """The kinds of column there are, once differences that no sink can hold are gone.

    ``TEXT`` also holds GUIDs and names of tables.  ``INSTANT`` is a point in
    time, or the wall clock of a time-zone-independent column called UTC.
    ``BINARY`` is the bytes of an image, which are not stored; ``PARTIES`` a list
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
}
"""Arrow type of each kind's own column; ``BINARY`` and ``PARTIES`` have none.

Dataverse stores money as SQL ``money`` (4 decimals) and decimals with up to 10
(https://learn.microsoft.com/power-apps/maker/data-platform/types-of-fields).
"""

SCALE: Final[Mapping[Kind, int]] = {Kind.DECIMAL: 10, Kind.MONEY: 4}
"""Digits after the point of the decimal kinds; both are 38 digits wide."""

_ATTRIBUTE_TYPES: Final[Mapping[str, Kind]] = {
    "String": Kind.TEXT,
    "Memo": Kind.TEXT,
    "EntityName": Kind.TEXT,
    "Uniqueidentifier": Kind.TEXT,
    "Guid": Kind.TEXT,
    "File": Kind.TEXT,
    "Integer": Kind.INTEGER,
    "BigInt": Kind.INTEGER,
    "Int32": Kind.INTEGER,
    "Int64": Kind.INTEGER,
    "Decimal": Kind.DECIMAL,
    "Money": Kind.MONEY,
    "Double": Kind.DOUBLE,
    "Boolean": Kind.BOOLEAN,
    "ManagedProperty": Kind.BOOLEAN,
    "BooleanManagedProperty": Kind.BOOLEAN,
    "DateTime": Kind.INSTANT,
    "Picklist": Kind.CHOICE,
    "State": Kind.CHOICE,
    "Status": Kind.CHOICE,
    "OptionSetValue": Kind.CHOICE,
    "MultiSelectPicklist": Kind.CHOICES,
    "OptionSetValueCollection": Kind.CHOICES,
    "Lookup": Kind.LOOKUP,
    "Customer": Kind.LOOKUP,
    "Owner": Kind.LOOKUP,
    "EntityReference": Kind.LOOKUP,
    "Image": Kind.BINARY,
    "ByteArray": Kind.BINARY,
    "PartyList": Kind.PARTIES,
    "EntityCollection": Kind.PARTIES,
}
"""Names of attribute types in metadata, and of the types of their values, to kinds."""

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


def load_types(path: str | Path) -> ColumnTypes:
    """Read column types from a JSON file.

    The file maps table to column to an object with ``attribute_type`` (as in
    Dataverse metadata: ``Money``, ``Picklist``) or ``type`` (of the value:
    ``Int32``), and ``date_time_behavior`` for dates.  Types that are not known
    here leave their column to the form of its values.

    Raises:
        ConfigError: The file cannot be read, or is not of that layout.
    """
    try:
        loaded = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"column types: cannot read {path}: {error}") from error
    if not isinstance(loaded, dict) or not all(isinstance(columns, dict) for columns in loaded.values()):
        raise ConfigError(f"column types: {path} must map table to column to type")
    return ColumnTypes({table.lower(): _kinds(table, columns) for table, columns in loaded.items()})


def _kinds(table: str, columns: Mapping[str, Any]) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for column, described in columns.items():
        if not isinstance(described, dict):
            raise ConfigError(f"column types: {table}.{column} must be an object with attribute_type")
        name = described.get("attribute_type") or described.get("type")
        kind = _ATTRIBUTE_TYPES.get(name) if isinstance(name, str) else None
        if kind is Kind.INSTANT and described.get("date_time_behavior") == "DateOnly":
            kind = Kind.DATE
        if kind is not None:
            kinds[column.lower()] = kind
    return kinds
