"""Contexts of the model out of the oracles of the conformance set."""

import base64
import struct
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from cdsbridge.emulator.dataverse.context import Context
from cdsbridge.emulator.dataverse.scalars import (
    CONTRACTS,
    CONTRACTS_7_1,
    Char,
    Duration,
    Enumeration,
    Guid,
    Kind,
    Long,
    Moment,
    Single,
    Sized,
    Uri,
    Width,
)
from cdsbridge.emulator.dataverse.values import (
    Aliased,
    Array,
    Element,
    Entities,
    Entity,
    Managed,
    Money,
    Option,
    Options,
    Reference,
    References,
    Relationship,
    TextMap,
    TextPairs,
    Value,
)

_YEAR_ONE = datetime(1, 1, 1)
_NAMESPACES = {"ConcurrencyBehavior": CONTRACTS_7_1}


class Untold(Exception):
    """The oracle tells only a part of the value, so its bytes cannot be known."""


def context(oracle: Mapping[str, Any]) -> Context:
    """Return the context an oracle tells of.

    Raises:
        Untold: It has a value of which the oracle has only a part.
    """

    def values(name: str) -> dict[str, Value]:
        return {key: value(each) for key, each in oracle[name].items()}

    def images(name: str) -> dict[str, Entity]:
        return {alias: _entity(image) for alias, image in oracle[name].items()}

    def guid(name: str) -> Guid | None:
        return None if oracle[name] is None else Guid(oracle[name])

    ids = "business_unit_id correlation_id initiating_user_id operation_id organization_id user_id"
    same = "depth is_executing_offline is_in_transaction is_offline_playback isolation_mode mode stage"
    plain: dict[str, Any] = {name: Guid(oracle[name]) for name in ids.split()}
    plain |= {name: oracle[name] for name in same.split()}
    return Context(
        **plain,
        initiating_user_agent=oracle["initiating_user_agent"],
        initiating_user_azure_id=guid("initiating_user_aad_object_id"),
        input_parameters=values("input_parameters"),
        message_name=oracle["message"],
        operation_created_on=_moment(oracle["operation_created_on"]),
        organization_name=oracle["organization_name"],
        output_parameters=values("output_parameters"),
        owning_extension=_reference(oracle["owning_extension"]) if oracle["owning_extension"] else None,
        parent=context(oracle["parent"]) if oracle["parent"] else None,
        post_images=images("post_images"),
        pre_images=images("pre_images"),
        primary_entity_id=Guid(oracle["primary_id"]),
        primary_entity_name=oracle["primary_entity"],
        request_id=guid("request_id"),
        secondary_entity_name=oracle["secondary_entity"],
        shared_variables=values("shared_variables"),
        user_azure_id=guid("user_aad_object_id"),
    )


def value(told: Mapping[str, Any]) -> Value:
    """Return the value that a typed value of an oracle tells of."""
    kind = told["type"]
    if kind in Width.__members__.values():
        return Sized(Width(kind), int(told["value"]))
    make = _MAKERS.get(kind)
    if make is None:
        raise Untold(kind)
    return make(told)


def _moment(told: Mapping[str, Any]) -> Moment:
    ticks, kind = _ticks(told["value"]), Kind(told["kind"])
    offset = ticks - _ticks(told["utc"]) if kind is Kind.LOCAL else 0
    return Moment(ticks, kind, offset // 600_000_000)


def _ticks(text: str) -> int:
    second, fraction = text.split(".")
    return (datetime.fromisoformat(second) - _YEAR_ONE) // timedelta(seconds=1) * 10_000_000 + int(fraction)


def _values(told: Mapping[str, Any], name: str) -> dict[str, Value]:
    return {key: value(each) for key, each in told[name].items()}


def _reference(told: Mapping[str, Any]) -> Reference:
    keys = _values(told, "key_attributes")
    return Reference(Guid(told["id"]), told["logical_name"], told["name"], keys, told["row_version"])


def _entity(told: Mapping[str, Any]) -> Entity:
    return Entity(
        told["logical_name"],
        Guid(told["id"]),
        _values(told, "attributes"),
        told["formatted_values"],
        _values(told, "key_attributes"),
        tuple(
            (_relationship(each["relationship"]), _entities(each["entities"]))
            for each in told["related_entities"]
        ),
        told["entity_state"],
        told["row_version"],
    )


def _entities(told: Mapping[str, Any]) -> Entities:
    return Entities(
        tuple(map(_entity, told["entities"])),
        told["entity_name"],
        told["more_records"],
        told["paging_cookie"],
        told["min_active_row_version"],
        told["total_record_count"],
        told["total_record_count_limit_exceeded"],
    )


def _relationship(told: Mapping[str, Any]) -> Relationship:
    return Relationship(told["schema_name"], told["primary_entity_role"])


def _pairs(told: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((each["key"], each["value"]) for each in told["items"])


def _array(told: Mapping[str, Any]) -> Array:
    if told["element"] not in Element.__members__.values():
        raise Untold(f"array of {told['element']}")
    return Array(Element(told["element"]), tuple(map(value, told["items"])))


def _bits(form: str, told: Mapping[str, Any]) -> float:
    return float(struct.unpack(form, bytes.fromhex(told["bits"]))[0])


def _enumeration(told: Mapping[str, Any]) -> Enumeration:
    namespace = _NAMESPACES.get(told["enum"], CONTRACTS)
    return Enumeration(told["enum"], told["name"], told["value"], namespace)


_MAKERS: Mapping[str, Any] = {
    "Null": lambda _: None,
    "String": lambda told: told["value"],
    "Boolean": lambda told: told["value"],
    "Int32": lambda told: told["value"],
    "Char": lambda told: Char(told["value"]),
    "Uri": lambda told: Uri(told["value"]),
    "Guid": lambda told: Guid(told["value"]),
    "Int64": lambda told: Long(told["value"]),
    "Decimal": lambda told: Decimal(told["value"]),
    "Money": lambda told: Money(Decimal(told["value"])),
    "Double": lambda told: _bits(">d", told),
    "Single": lambda told: Single(_bits(">f", told)),
    "DateTime": _moment,
    "TimeSpan": lambda told: Duration(int(told["ticks"])),
    "ByteArray": lambda told: base64.b64decode(told["value"]),
    "Enum": _enumeration,
    "OptionSetValue": lambda told: Option(told["value"]),
    "OptionSetValueCollection": lambda told: Options(tuple(told["value"])),
    "EntityReference": _reference,
    "EntityReferenceCollection": lambda told: References(tuple(map(_reference, told["items"]))),
    "Entity": _entity,
    "EntityCollection": _entities,
    "Relationship": _relationship,
    "BooleanManagedProperty": lambda told: Managed(
        told["value"], told["can_be_changed"], told["managed_property_logical_name"]
    ),
    "AliasedValue": lambda told: Aliased(
        told["entity_logical_name"], told["attribute_logical_name"], value(told["value"])
    ),
    "Array": _array,
    "KeyValueList": lambda told: TextPairs(_pairs(told)),
    "Dictionary": lambda told: TextMap(_pairs(told)),
}
