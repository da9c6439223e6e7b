"""What a table's columns are: the part of Dataverse metadata the simulator lives by."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_CONTRACT_TYPES: Final = {
    "BigInt": "Int64",
    "Boolean": "Boolean",
    "Customer": "EntityReference",
    "DateTime": "DateTime",
    "Decimal": "Decimal",
    "Double": "Double",
    "EntityName": "String",
    "Image": "ByteArray",
    "Integer": "Int32",
    "Lookup": "EntityReference",
    "Memo": "String",
    "Money": "Money",
    "MultiSelectPicklist": "OptionSetValueCollection",
    "Owner": "EntityReference",
    "PartyList": "EntityCollection",
    "Picklist": "OptionSetValue",
    "State": "OptionSetValue",
    "Status": "OptionSetValue",
    "String": "String",
    "Uniqueidentifier": "Guid",
}

YES_NO: Final[Mapping[int, str]] = {1: "Yes", 0: "No"}
"""Labels of a two-options column."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: Logical name.
        kind: Attribute type as Dataverse metadata names it (``Money``).
        options: Number to label, for choices and two options.
        targets: Tables a lookup may refer to.
        behavior: Of a date: ``UserLocal``, ``DateOnly`` or
            ``TimeZoneIndependent``; else empty.
        scale: Digits after the point of a decimal.
        entered: Whether a person or client sets it; else the platform does.
        fill: Chance that a new row has a value in it.
    """

    name: str
    kind: str
    options: Mapping[int, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    behavior: str = ""
    scale: int = 0
    entered: bool = True
    fill: float = 0.5


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        name: Logical name.
        primary_id: Column of the row's key.
        primary_name: Column of the row's name.
        columns: Name to column, in order.
        statuses: State to its statuses; the first state is that of a new row.
        entered: The columns a person or client sets.
    """

    name: str
    primary_id: str
    primary_name: str
    columns: Mapping[str, Column]
    statuses: Mapping[int, tuple[int, ...]]
    entered: tuple[Column, ...]


def build(
    name: str,
    *groups: Iterable[Column],
    primary_name: str,
    states: Mapping[int, str],
    statuses: Mapping[int, Mapping[int, str]],
    primary_id: str = "",
) -> Table:
    """Return a table of these columns and the ones that every table of the platform has.

    Args:
        name: Logical name.
        groups: The columns of its own.
        primary_name: Column of the row's name.
        states: State to label.
        statuses: State to its statuses, status to label.
        primary_id: Column of the key; ``<name>id`` unless given.
    """
    key = primary_id or f"{name}id"
    reasons = {number: label for group in statuses.values() for number, label in group.items()}
    columns = {
        column.name: column
        for group in (_identity(key), *groups, _platform(states, reasons))
        for column in group
    }
    entered = tuple(column for column in columns.values() if column.entered)
    return Table(
        name, key, primary_name, columns, {state: tuple(s) for state, s in statuses.items()}, entered
    )


def _identity(key: str) -> Iterator[Column]:
    yield Column(key, "Uniqueidentifier", entered=False)


def _platform(states: Mapping[int, str], reasons: Mapping[int, str]) -> Iterator[Column]:
    for name in ("createdon", "modifiedon"):
        yield Column(name, "DateTime", behavior="UserLocal", entered=False)
    for name in ("createdby", "modifiedby", "modifiedonbehalfby", "owninguser"):
        yield Column(name, "Lookup", targets=("systemuser",), entered=False)
    yield Column("ownerid", "Owner", targets=("systemuser", "team"), entered=False)
    yield Column("owningteam", "Lookup", targets=("team",), entered=False)
    yield Column("owningbusinessunit", "Lookup", targets=("businessunit",), entered=False)
    yield Column("statecode", "State", states, entered=False)
    yield Column("statuscode", "Status", reasons, entered=False)
    yield Column("versionnumber", "BigInt", entered=False)
    yield Column("timezoneruleversionnumber", "Integer", entered=False)


def plain_columns(kind: str, names: str, *, fill: float = 0.5, scale: int = 0) -> Iterator[Column]:
    """Yield columns that need nothing but a kind; names are separated by spaces."""
    for name in names.split():
        yield Column(name, kind, fill=fill, scale=scale)


def money(names: str, *, fill: float = 0.3) -> Iterator[Column]:
    """Yield amounts, each with its ``_base``, and the currency columns of the row."""
    for name in names.split():
        yield Column(name, "Money", fill=fill)
        yield Column(f"{name}_base", "Money", entered=False)
    yield Column("transactioncurrencyid", "Lookup", targets=("transactioncurrency",), entered=False)
    yield Column("exchangerate", "Decimal", scale=10, entered=False)


def choice(
    name: str, *labels: str, first: int = 1, fill: float = 0.5, many: bool = False
) -> Iterator[Column]:
    """Yield one choice column, its options numbered from ``first``."""
    options = dict(enumerate(labels, first))
    yield Column(name, "MultiSelectPicklist" if many else "Picklist", options, fill=fill)


def two_options(names: str, *, yes: str = "Yes", no: str = "No", fill: float = 1.0) -> Iterator[Column]:
    """Yield two-options columns with their labels."""
    for name in names.split():
        yield Column(name, "Boolean", YES_NO if yes == "Yes" else {1: yes, 0: no}, fill=fill)


def lookup(name: str, *targets: str, kind: str = "Lookup", fill: float = 0.5) -> Iterator[Column]:
    """Yield one lookup to the tables named."""
    yield Column(name, kind, targets=targets, fill=fill)


def dates(names: str, behavior: str = "UserLocal", *, fill: float = 0.3) -> Iterator[Column]:
    """Yield dates of one behaviour."""
    for name in names.split():
        yield Column(name, "DateTime", behavior=behavior, fill=fill)


def image() -> Iterator[Column]:
    """Yield the columns of a row's picture.  Messages carry the companions, not the bytes."""
    yield Column("entityimage", "Image", entered=False)
    yield Column("entityimageid", "Uniqueidentifier", fill=0.15)
    yield Column("entityimage_timestamp", "BigInt", entered=False)
    yield Column("entityimage_url", "String", entered=False)


def address(prefix: str, *, fill: float = 0.4) -> Iterator[Column]:
    """Yield the columns of one address."""
    parts = ("line1", "line2", "city", "stateorprovince", "postalcode", "country")
    for part in parts:
        yield Column(f"{prefix}_{part}", "String", fill=fill)
    yield Column(f"{prefix}_composite", "Memo", entered=False)
    yield Column(f"{prefix}_addressid", "Uniqueidentifier", entered=False)
    for part in ("latitude", "longitude"):
        yield Column(f"{prefix}_{part}", "Double", fill=fill / 2)


def describe(table: Table) -> dict[str, dict[str, object]]:
    """Return a table's columns as a schema file lists them.

    Column to ``attribute_type`` (Dataverse's), ``type`` (the SDK's),
    ``primary_id`` on the key, and for dates ``date_time_behavior`` and the
    ``kind`` as it is written.
    """
    described: dict[str, dict[str, object]] = {}
    for name, column in sorted(table.columns.items()):
        entry: dict[str, object] = {"attribute_type": column.kind, "type": _CONTRACT_TYPES[column.kind]}
        if name == table.primary_id:
            entry["primary_id"] = True
        if column.behavior:
            entry["date_time_behavior"] = column.behavior
            entry["kind"] = "Utc" if column.behavior == "UserLocal" else "Unspecified"
        described[name] = entry
    return described
