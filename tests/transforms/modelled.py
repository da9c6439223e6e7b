"""Contexts of the simulator's model as oracles, in the format of the conformance set."""

import base64
import struct
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from cdsbridge.emulator.dataverse.context import Context
from cdsbridge.emulator.dataverse.scalars import (
    Char,
    Duration,
    Enumeration,
    Guid,
    Long,
    Moment,
    Single,
    Sized,
    Uri,
)
from cdsbridge.emulator.dataverse.values import (
    Aliased,
    Array,
    Entities,
    Entity,
    Managed,
    Money,
    Option,
    Options,
    Reference,
    References,
    Relationship,
    Structure,
    TextMap,
    TextPairs,
    Value,
)

from .telling import as_dotnet

Node = dict[str, Any]


def oracle_of(context: Context) -> Node:
    """Return what rows are made of, as the oracles of the conformance set tell it."""
    return {
        "message": context.message_name,
        "primary_entity": context.primary_entity_name,
        "primary_id": str(context.primary_entity_id),
        "operation_created_on": typed(context.operation_created_on),
        "depth": context.depth,
        "mode": context.mode,
        "user_id": str(context.user_id),
        "initiating_user_id": str(context.initiating_user_id),
        "organization_name": context.organization_name or None,
        "correlation_id": str(context.correlation_id),
        "operation_id": str(context.operation_id),
        "input_parameters": named(context.input_parameters),
        "output_parameters": named(context.output_parameters),
        "pre_images": named(context.pre_images),
        "post_images": named(context.post_images),
    }


def named(values: Mapping[str, Any]) -> Node:
    return {name: typed(value) for name, value in values.items()}


def typed(value: Value) -> Node:
    """Return a value with its type."""
    return {"type": TYPES[type(value)], **MEMBERS[type(value)](value)}


def only(value: Any) -> Callable[[Any], Node]:
    return lambda held: {"value": value(held)}


def moment(value: date | Moment) -> Node:
    held = value if isinstance(value, Moment) else Moment.of(value)
    utc = None if held.kind == "Unspecified" else wall(held.utc_ticks)
    return {"value": wall(held.ticks), "kind": held.kind.value, "utc": utc}


def wall(ticks: int) -> str:
    return f"{Moment(ticks // 10_000_000 * 10_000_000).text}.{ticks % 10_000_000:07d}"


def double(value: float) -> Node:
    return {"value": as_dotnet(value), "bits": struct.pack(">d", value).hex()}


def single(value: float) -> Node:
    """Return a float of 32 bits: 7 digits, or 9 where it takes them."""
    text = f"{value:.7g}"
    return {"value": (text if nearest(float(text)) == value else f"{value:.9g}").upper()}


def nearest(value: float) -> float:
    """Return the nearest float of 32 bits; infinite beyond them."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf")


def reference(value: Reference) -> Node:
    return {
        "id": str(value.id),
        "logical_name": value.logical_name,
        "name": value.name,
        "row_version": value.row_version,
        "key_attributes": named(value.key_attributes),
    }


def entity(value: Entity) -> Node:
    related = [
        {"relationship": relationship(each), "entities": entities(rows)} for each, rows in value.related
    ]
    return {
        "logical_name": value.logical_name,
        "id": str(value.id),
        "row_version": value.row_version,
        "entity_state": value.state,
        "attributes": named(value.attributes),
        "formatted_values": dict(value.formatted_values),
        "key_attributes": named(value.key_attributes),
        "related_entities": related,
    }


def entities(value: Entities) -> Node:
    return {
        "entity_name": value.logical_name,
        "entities": [entity(each) for each in value.items],
        "more_records": value.more,
        "paging_cookie": value.cookie,
        "min_active_row_version": value.min_version,
        "total_record_count": value.total,
        "total_record_count_limit_exceeded": value.total_exceeded,
    }


def relationship(value: Relationship) -> Node:
    return {"schema_name": value.schema_name, "primary_entity_role": value.role}


def pairs(value: TextPairs | TextMap) -> Node:
    return {"items": [{"key": key, "value": text} for key, text in value.items]}


def columns(value: Structure) -> Node:
    named_columns = value.members["Columns"]
    assert isinstance(named_columns, Array)
    return {"all_columns": value.members["AllColumns"], "columns": list(named_columns.items)}


def aliased(value: Aliased) -> Node:
    inner = typed(value.value)
    named_so = {"entity_logical_name": value.logical_name, "attribute_logical_name": value.column}
    return {**named_so, "value": inner}


def managed(value: Managed) -> Node:
    told = {"value": value.value, "can_be_changed": value.can_be_changed}
    return {**told, "managed_property_logical_name": value.property_name}


TYPES: Mapping[type, str] = {
    type(None): "Null",
    bool: "Boolean",
    int: "Int32",
    Long: "Int64",
    Sized: "UInt64",
    float: "Double",
    Single: "Single",
    Decimal: "Decimal",
    str: "String",
    Char: "Char",
    Uri: "Uri",
    Guid: "Guid",
    Moment: "DateTime",
    Duration: "TimeSpan",
    Enumeration: "Enum",
    bytes: "ByteArray",
    Option: "OptionSetValue",
    Options: "OptionSetValueCollection",
    Money: "Money",
    Managed: "BooleanManagedProperty",
    Aliased: "AliasedValue",
    Reference: "EntityReference",
    References: "EntityReferenceCollection",
    Relationship: "Relationship",
    TextPairs: "KeyValueList",
    TextMap: "Dictionary",
    Entity: "Entity",
    Entities: "EntityCollection",
    Array: "Array",
    Structure: "ColumnSet",
}
"""Type of the model to type of an oracle."""

MEMBERS: Mapping[type, Callable[[Any], Node]] = {
    **dict.fromkeys((type(None), bool), only(lambda held: held)),
    **dict.fromkeys((int, Long, str, Char, Uri, Guid), only(str)),
    Sized: only(lambda held: str(held.value)),
    float: double,
    Single: single,
    Decimal: only(lambda held: f"{held:f}"),
    Moment: moment,
    Duration: only(lambda held: held.text),
    Enumeration: lambda held: {"enum": held.type_name, "name": held.name, "value": held.number},
    bytes: only(lambda held: base64.b64encode(held).decode()),
    Option: only(lambda held: held.value),
    Options: only(lambda held: list(held.values)),
    Money: only(lambda held: f"{held.value:f}"),
    Managed: managed,
    Aliased: aliased,
    Reference: reference,
    References: lambda held: {"items": [typed(each) for each in held.items]},
    Relationship: relationship,
    TextPairs: pairs,
    TextMap: pairs,
    Entity: entity,
    Entities: entities,
    Array: lambda held: {"element": held.element.value, "items": [typed(each) for each in held.items]},
    Structure: columns,
}
"""Type of the model to what else an oracle tells of it."""
