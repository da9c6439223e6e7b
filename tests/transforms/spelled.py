"""Values of an oracle as the JSON an exact encoding leaves in a row: parameters of events, ``_extra``."""

import base64
from collections.abc import Mapping
from typing import Any, Protocol

Node = Mapping[str, Any]
SDK = "http://schemas.microsoft.com/xrm/2011/Contracts"
PAIR = "KeyValuePairOfstringstring:#System.Collections.Generic"
ROLES = ("Referencing", "Referenced")
NUMBERED = frozenset({"ConcurrencyBehavior", "EntityState", "EntityRole", "LogicalOperator", "OrderType"})
"""Enumerations whose members have their numbers, as in JSON; of others XML tells the names only."""

NUMBERS = frozenset(
    {
        *("Byte", "SByte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"),
        *("Decimal", "Double", "Single"),
    }
)


class Atoms(Protocol):
    """How numbers and dates are written."""

    def number(self, value: Node) -> Any: ...

    def date(self, value: Node) -> str: ...


class Partly(dict[str, Any]):
    """An object of which an oracle tells these members only; others may stand beside them."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and all(
            name in other and value == other[name] for name, value in self.items()
        )

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


def number(value: int) -> Any:
    return {"number": str(value)}


def pairs_of(values: Mapping[str, Node], atoms: Atoms) -> Any:
    """Return named values as a list of keys and values."""
    return [{"key": key, "value": tree_of(value, atoms)} for key, value in values.items()]


def tree_of(value: Node, atoms: Atoms) -> Any:  # noqa: C901
    """Return a value that stands where any may, so that objects name their contract."""
    kind = value["type"]
    if kind in NUMBERS:
        return atoms.number(value)
    if kind in {"String", "Char", "Uri", "Guid", "Boolean", "Null", "TimeSpan"}:
        return value["value"]
    if kind == "DateTime":
        return atoms.date(value)
    if kind == "ByteArray":
        return [number(each) for each in base64.b64decode(value["value"])]
    if kind == "Money":
        return marked(kind, {"Value": {"number": value["value"]}})
    if kind == "OptionSetValue":
        return option(value["value"])
    if kind == "OptionSetValueCollection":
        return [option(code) for code in value["value"]]
    if kind == "Enum":
        return number(value["value"]) if value["enum"] in NUMBERED else value["name"]
    if kind == "EntityReference":
        return marked(kind, reference(value, atoms))
    if kind in {"EntityReferenceCollection", "Array"}:
        return [tree_of(each, atoms) for each in value["items"]]
    if kind in {"KeyValueList", "Dictionary"}:
        return [{"__type": PAIR, "key": each["key"], "value": each["value"]} for each in value["items"]]
    if kind == "Entity":
        return marked(kind, entity(value, atoms))
    if kind == "EntityCollection":
        return marked(kind, collection(value, atoms))
    if kind == "Relationship":
        return marked(kind, relationship(value))
    if kind == "BooleanManagedProperty":
        managed = {"Value": value["value"], "CanBeChanged": value["can_be_changed"]}
        return marked(kind, {**managed, "ManagedPropertyLogicalName": value["managed_property_logical_name"]})
    return marked(kind, partly(value, atoms))


def partly(value: Node, atoms: Atoms) -> Any:
    """Return what an oracle tells of an object that it does not tell in full."""
    kind = value["type"]
    if kind == "AliasedValue":
        named = {"EntityLogicalName": value["entity_logical_name"]}
        named |= {"AttributeLogicalName": value["attribute_logical_name"]}
        return Partly({**named, "Value": tree_of(value["value"], atoms)})
    if kind == "ColumnSet":
        return Partly({"AllColumns": value["all_columns"], "Columns": value["columns"]})
    if kind == "QueryExpression":
        return Partly({"EntityName": value["entity_name"]})
    assert kind == "Label", f"no rule for {kind}"
    labels = [
        Partly({"Label": each["label"], "LanguageCode": number(each["language_code"])})
        for each in value["labels"]
    ]
    return Partly({"LocalizedLabels": labels})


def marked(kind: str, members: dict[str, Any]) -> Any:
    members["__type"] = f"{kind}:{SDK}"
    return members


def option(code: int) -> Any:
    return marked("OptionSetValue", {"Value": number(code)})


def reference(value: Node, atoms: Atoms) -> dict[str, Any]:
    return {
        "Id": value["id"],
        "KeyAttributes": pairs_of(value["key_attributes"], atoms),
        "LogicalName": value["logical_name"],
        "Name": value["name"],
        "RowVersion": value["row_version"],
    }


def entity(value: Node, atoms: Atoms) -> dict[str, Any]:
    state = value["entity_state"]
    related = [
        {"key": relationship(each["relationship"]), "value": collection(each["entities"], atoms)}
        for each in value["related_entities"]
    ]
    return {
        "Attributes": pairs_of(value["attributes"], atoms),
        "EntityState": None if state is None else number(state),
        "FormattedValues": [{"key": key, "value": text} for key, text in value["formatted_values"].items()],
        "Id": value["id"],
        "KeyAttributes": pairs_of(value["key_attributes"], atoms),
        "LogicalName": value["logical_name"],
        "RelatedEntities": related,
        "RowVersion": value["row_version"],
    }


def collection(value: Node, atoms: Atoms) -> dict[str, Any]:
    return {
        "Entities": [entity(each, atoms) for each in value["entities"]],
        "EntityName": value["entity_name"],
        "MinActiveRowVersion": value["min_active_row_version"],
        "MoreRecords": value["more_records"],
        "PagingCookie": value["paging_cookie"],
        "TotalRecordCount": number(value["total_record_count"]),
        "TotalRecordCountLimitExceeded": value["total_record_count_limit_exceeded"],
    }


def relationship(value: Node) -> dict[str, Any]:
    role = value["primary_entity_role"]
    return {
        "PrimaryEntityRole": None if role is None else number(ROLES.index(role)),
        "SchemaName": value["schema_name"],
    }
