"""What Dataverse says about its tables, as the bridge uses it: read from a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from ..model.errors import ConfigError
from .description import VERSION, ColumnDescription, Description, TableDescription
from .types import ColumnTypes, Intersect, Kind

ATTRIBUTE_TYPES: Final[Mapping[str, Kind]] = {
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


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known about tables before a message comes.  All names are lower case.

    Attributes:
        types: Kinds of columns, keys of tables, tables of many-to-many relationships.
        entity_sets: Table to the name of its rows in the Web API.
        names: Table to its primary-name column.
        options: Table to column to code to label, of choices.
        targets: Table to column to the tables a lookup may refer to.
        precision: Table to column to the digits after the point that Dataverse keeps.
        organization: URL the metadata was read from, or the empty string.
    """

    types: ColumnTypes = field(default_factory=ColumnTypes)
    entity_sets: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Mapping[int, str]]] = field(default_factory=dict)
    targets: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    precision: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    organization: str = ""


def load_metadata(path: str | Path) -> Metadata:
    """Read a metadata file.

    Two layouts are known: that of :mod:`cdsbridge.tables.description`, which
    ``cdsbridge schema pull`` writes, and a flat one, table to column to an
    object with ``attribute_type`` or ``type``, ``date_time_behavior`` for
    dates, and ``primary_id`` on the key.  Types that are not known here leave
    their column to the form of its values.

    Raises:
        ConfigError: The file cannot be read, or is of neither layout.
    """
    try:
        loaded = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"metadata: cannot read {path}: {error}") from error
    if not isinstance(loaded, dict):
        raise ConfigError(f"metadata: {path} must be an object that maps table to columns")
    return gathered(_description(loaded, path))


def gathered(description: Description) -> Metadata:
    """Return what a description says, by the kind of what is said."""
    tables = {table.lower(): described for table, described in description.tables.items()}
    columns = {table: _own_columns(described) for table, described in tables.items()}
    kinds = {table: _kinds(found) for table, found in columns.items()}
    keys = {table: key for table, told in tables.items() if (key := _key(told, columns[table]))}
    relationships = {
        name.lower(): Intersect(
            told.intersect.lower(),
            (told.first.table.lower(), told.first.column.lower()),
            (told.second.table.lower(), told.second.column.lower()),
        )
        for name, told in description.relationships.items()
    }
    return Metadata(
        ColumnTypes(kinds, keys, relationships),
        {table: told.entity_set for table, told in tables.items() if told.entity_set},
        {table: told.primary_name.lower() for table, told in tables.items() if told.primary_name},
        {
            table: {name: c.options for name, c in found.items() if c.options}
            for table, found in columns.items()
        },
        {
            table: {name: c.targets for name, c in found.items() if c.targets}
            for table, found in columns.items()
        },
        {
            table: {name: c.precision for name, c in found.items() if c.precision is not None}
            for table, found in columns.items()
        },
        description.organization,
    )


def _description(loaded: dict[str, Any], path: str | Path) -> Description:
    if isinstance(loaded.get("version"), int):
        if loaded["version"] != VERSION:
            raise ConfigError(
                f"metadata: {path} has version {loaded['version']}, this cdsbridge reads {VERSION}: "
                "write it anew with cdsbridge schema pull"
            )
        whole = loaded
    else:
        whole = {"tables": {table: {"columns": columns} for table, columns in loaded.items()}}
    try:
        return Description.model_validate(whole)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"metadata: {path}: {place}: {first['msg'].lower()}") from None


def _own_columns(table: TableDescription) -> dict[str, ColumnDescription]:
    lower = {name.lower(): column for name, column in table.columns.items()}
    return {name: column for name, column in lower.items() if not column.is_label(name)}


def _kinds(columns: Mapping[str, ColumnDescription]) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for name, column in columns.items():
        kind = ATTRIBUTE_TYPES.get(column.form() or "")
        if kind is Kind.INSTANT and column.date_time_behavior == "DateOnly":
            kind = Kind.DATE
        if kind is not None:
            kinds[name] = kind
    return kinds


def _key(table: TableDescription, columns: Mapping[str, ColumnDescription]) -> str | None:
    if table.primary_id:
        return table.primary_id.lower()
    return next((name for name, column in columns.items() if column.primary_id), None)
