"""The definitions of tables: columns, keys, options, many-to-many relationships.

Source: https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api.
What only some types of column have is asked for by a cast to each of those types.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from ..model.errors import ConfigError
from ..tables.description import (
    ColumnDescription,
    Description,
    RelationshipDescription,
    Side,
    TableDescription,
)
from .answers import RequestRefused, judged
from .client import WebClient

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,127}")
_TABLE: Final = (
    "?$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute"
    "&$expand=Attributes($select=LogicalName,AttributeType,AttributeTypeName,AttributeOf)"
)
_PAIRS: Final = (
    "RelationshipDefinitions/Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata"
    "?$select=SchemaName,IntersectEntityName,Entity1LogicalName,Entity1IntersectAttribute,"
    "Entity2LogicalName,Entity2IntersectAttribute"
)
_OPTIONS: Final = "&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"

Column = Mapping[str, Any]
Detail = Callable[[Column], dict[str, Any]]


def table_names(client: WebClient) -> list[str]:
    """Return the logical names of all tables, sorted.

    Raises:
        NotPermitted: As :meth:`cdsbridge.webapi.client.WebClient.get`; so are the others.
    """
    return sorted(each["LogicalName"] for each in client.pages("EntityDefinitions?$select=LogicalName"))


def describe_table(client: WebClient, table: str) -> TableDescription:
    """Return the definition of one table, asked for in one batch.

    Labels of choices and names of lookups, which metadata lists as columns
    too, are left out: a message does not carry them as such.

    Raises:
        ConfigError: There is no such table.
        NotPermitted: As :meth:`cdsbridge.webapi.client.WebClient.get`; so are the others.
    """
    if not _NAME.fullmatch(table):
        raise ConfigError(
            f"{table[:128]!r} is no logical name of a table: lower case, digits and underscores"
        )
    definition = f"EntityDefinitions(LogicalName='{table}')"
    casts = [f"{definition}/Attributes/Microsoft.Dynamics.CRM.{cast}" for cast in _CASTS]
    answers = client.batch([definition + _TABLE, *casts])
    url = client.api.url
    try:
        whole, *details = [judged(answer, url, f"the definition of {table}").json() for answer in answers]
    except RequestRefused as refused:
        if refused.status == 404:
            raise ConfigError(f"{url} has no table {table!r}; use its logical name ({refused})") from None
        raise
    columns = {column["LogicalName"]: _column(column) for column in whole["Attributes"]}
    for detail, found in zip(_CASTS.values(), details, strict=True):
        for column in _all(client, found):
            name = column["LogicalName"]
            if name in columns:
                columns[name] |= detail(column)
    described = {name: ColumnDescription(**told) for name, told in columns.items()}
    return TableDescription(
        entity_set=whole.get("EntitySetName"),
        primary_id=whole.get("PrimaryIdAttribute"),
        primary_name=whole.get("PrimaryNameAttribute"),
        columns={name: column for name, column in sorted(described.items()) if _is_kept(name, column)},
    )


def describe(
    client: WebClient, tables: Sequence[str], on_table: Callable[[str], None] = lambda _: None
) -> Description:
    """Return the definitions of some tables, and of the many-to-many relationships they take part in.

    Args:
        client: Whom to ask.
        tables: Logical names.
        on_table: Told before each table.

    Raises:
        ConfigError: As :func:`describe_table`; so are the others.
    """
    described: dict[str, TableDescription] = {}
    for table in sorted(set(tables)):
        on_table(table)
        described[table] = describe_table(client, table)
    return Description(
        organization=client.api.url, tables=described, relationships=dict(_relationships(client, described))
    )


def _relationships(client: WebClient, tables: Iterable[str]) -> Iterator[tuple[str, RelationshipDescription]]:
    wanted = set(tables)
    for each in sorted(client.pages(_PAIRS), key=lambda found: str(found["SchemaName"])):
        names = (each["IntersectEntityName"], each["Entity1LogicalName"], each["Entity2LogicalName"])
        if all(names) and wanted.intersection(names):
            first = Side(table=names[1], column=each["Entity1IntersectAttribute"])
            second = Side(table=names[2], column=each["Entity2IntersectAttribute"])
            yield (
                each["SchemaName"],
                RelationshipDescription(intersect=names[0], first=first, second=second),
            )


def _column(column: Column) -> dict[str, Any]:
    described = ColumnDescription(
        attribute_type=column.get("AttributeType"),
        attribute_type_name=(column.get("AttributeTypeName") or {}).get("Value"),
    )
    kind = described.form() or described.attribute_type
    return {"attribute_type": kind, "attribute_of": column.get("AttributeOf")}


def _is_kept(name: str, column: ColumnDescription) -> bool:
    return column.attribute_type != "Virtual" and not column.is_label(name)


def _all(client: WebClient, page: Mapping[str, Any]) -> Iterator[Column]:
    yield from page.get("value", ())
    if link := page.get("@odata.nextLink"):
        yield from client.pages(link)


def _options(column: Column) -> dict[str, Any]:
    held = column.get("OptionSet") or column.get("GlobalOptionSet") or {}
    return {"options": dict(sorted(_labels(held.get("Options") or ())))}


def _two_options(column: Column) -> dict[str, Any]:
    held = column.get("OptionSet") or column.get("GlobalOptionSet") or {}
    both = [held[name] for name in ("FalseOption", "TrueOption") if held.get(name)]
    return {"options": dict(_labels(both))}


def _labels(options: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    for option in options:
        label = (option.get("Label") or {}).get("UserLocalizedLabel") or {}
        if option.get("Value") is not None and label.get("Label") is not None:
            yield option["Value"], label["Label"]


_CASTS: Final[Mapping[str, Detail]] = {
    "StringAttributeMetadata?$select=LogicalName,MaxLength": lambda c: {"max_length": c.get("MaxLength")},
    "MemoAttributeMetadata?$select=LogicalName,MaxLength": lambda c: {"max_length": c.get("MaxLength")},
    "DecimalAttributeMetadata?$select=LogicalName,Precision": lambda c: {"precision": c.get("Precision")},
    "DoubleAttributeMetadata?$select=LogicalName,Precision": lambda c: {"precision": c.get("Precision")},
    "MoneyAttributeMetadata?$select=LogicalName,Precision": lambda c: {"precision": c.get("Precision")},
    "DateTimeAttributeMetadata?$select=LogicalName,DateTimeBehavior": lambda c: {
        "date_time_behavior": (c.get("DateTimeBehavior") or {}).get("Value")
    },
    "LookupAttributeMetadata?$select=LogicalName,Targets": lambda c: {
        "targets": tuple(sorted(c.get("Targets") or ()))
    },
    f"PicklistAttributeMetadata?$select=LogicalName{_OPTIONS}": _options,
    f"MultiSelectPicklistAttributeMetadata?$select=LogicalName{_OPTIONS}": _options,
    f"StateAttributeMetadata?$select=LogicalName{_OPTIONS}": _options,
    f"StatusAttributeMetadata?$select=LogicalName{_OPTIONS}": _options,
    "BooleanAttributeMetadata?$select=LogicalName"
    "&$expand=OptionSet($select=TrueOption,FalseOption),GlobalOptionSet($select=TrueOption,FalseOption)": (
        _two_options
    ),
}
"""Type of column, with what is asked of it, to what its answer tells.

There is no cast to all choices at once."""
