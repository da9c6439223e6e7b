"""What the elements of an execution context mean: to the tree that the same context has in JSON.

Both serializers of .NET write the same data contracts, so one reader of trees
serves all encodings.  Elements tell more than JSON does, and the tree keeps
it: a number knows its kind, a date is an instant, bytes are bytes.

Source: the data contracts of the public SDK
(https://learn.microsoft.com/dotnet/api/microsoft.xrm.sdk), and the mapping of
types in https://learn.microsoft.com/dotnet/framework/wcf/feature-details/data-contract-schema-reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SDK: Final = "http://schemas.microsoft.com/xrm/2011/Contracts"
"""Namespace of the contracts of the SDK."""

SERIALIZATION: Final = "http://schemas.microsoft.com/2003/10/Serialization/"
"""Namespace of types that XML Schema lacks, and of bare strings and bytes."""

KNOWN_SPACES: Final = (
    "http://www.w3.org/2001/XMLSchema",
    "http://schemas.microsoft.com/",
    "http://schemas.datacontract.org/2004/07/System.Collections.Generic",
)
"""What the namespaces begin with whose types are known by their local names."""

PAIR: Final = "KeyValuePairOfstringstring:#System.Collections.Generic"
"""``__type`` of a pair of texts in JSON."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; its items are of that type."""

    item: str


@dataclass(frozen=True, slots=True)
class PairsOf:
    """A list of keys and values; the values are of that type."""

    value: str


Member = str | ListOf | PairsOf
"""What a member holds: the name of a type, or a list."""

ANY: Final = ""
"""The type of a member that says itself, in ``i:type``, what it holds."""

_CONTEXT: Final[Mapping[str, Member]] = {
    "Depth": "int",
    "InputParameters": PairsOf(ANY),
    "IsExecutingOffline": "boolean",
    "IsInTransaction": "boolean",
    "IsOfflinePlayback": "boolean",
    "IsolationMode": "int",
    "Mode": "int",
    "OperationCreatedOn": "dateTime",
    "OutputParameters": PairsOf(ANY),
    "OwningExtension": "EntityReference",
    "ParentContext": "RemoteExecutionContext",
    "PostEntityImages": PairsOf("Entity"),
    "PreEntityImages": PairsOf("Entity"),
    "SharedVariables": PairsOf(ANY),
    "Stage": "int",
}

CONTRACTS: Final[Mapping[str, Mapping[str, Member]]] = {
    "RemoteExecutionContext": _CONTEXT,
    "Entity": {
        "Attributes": PairsOf(ANY),
        "EntityState": "EntityState",
        "FormattedValues": PairsOf("string"),
        "KeyAttributes": PairsOf(ANY),
        "RelatedEntities": PairsOf("EntityCollection"),
    },
    "EntityReference": {"KeyAttributes": PairsOf(ANY)},
    "EntityCollection": {
        "Entities": ListOf("Entity"),
        "MoreRecords": "boolean",
        "TotalRecordCount": "int",
        "TotalRecordCountLimitExceeded": "boolean",
    },
    "Money": {"Value": "decimal"},
    "OptionSetValue": {"Value": "int"},
    "BooleanManagedProperty": {"CanBeChanged": "boolean", "Value": "boolean"},
    "AliasedValue": {"NeedFormatting": "boolean", "ReturnType": "int", "Value": ANY},
    "Relationship": {"PrimaryEntityRole": "EntityRole"},
    "ColumnSet": {"AllColumns": "boolean", "AttributeExpressions": ListOf(ANY), "Columns": ListOf("string")},
    "QueryExpression": {
        "ColumnSet": "ColumnSet",
        "Criteria": "FilterExpression",
        "Distinct": "boolean",
        "LinkEntities": ListOf("LinkEntity"),
        "NoLock": "boolean",
        "Orders": ListOf("OrderExpression"),
        "PageInfo": "PagingInfo",
        "SubQueryExpression": "QueryExpression",
        "TopCount": "int",
    },
    "FilterExpression": {
        "AnyAllFilterLinkEntity": "LinkEntity",
        "Conditions": ListOf("ConditionExpression"),
        "FilterOperator": "LogicalOperator",
        "Filters": ListOf("FilterExpression"),
        "IsQuickFindFilter": "boolean",
    },
    "ConditionExpression": {"CompareColumns": "boolean", "Values": ListOf(ANY)},
    "LinkEntity": {
        "Columns": "ColumnSet",
        "JoinOperator": "JoinOperator",
        "LinkCriteria": "FilterExpression",
        "LinkEntities": ListOf("LinkEntity"),
        "Orders": ListOf("OrderExpression"),
    },
    "OrderExpression": {"OrderType": "OrderType"},
    "PagingInfo": {"Count": "int", "PageNumber": "int", "ReturnTotalRecordCount": "boolean"},
    "Label": {"LocalizedLabels": ListOf("LocalizedLabel"), "UserLocalizedLabel": "LocalizedLabel"},
    "LocalizedLabel": {"HasChanged": "boolean", "IsManaged": "boolean", "LanguageCode": "int"},
}
"""Contract to member to type; members that are not named here are texts."""

COLLECTIONS: Final[Mapping[str, str]] = {
    "EntityReferenceCollection": "EntityReference",
    "OptionSetValueCollection": "OptionSetValue",
    "EntityCollectionCollection": "EntityCollection",
    "ColumnSetCollection": "ColumnSet",
    "LocalizedLabelCollection": "LocalizedLabel",
}
"""Contracts that are lists, to the contract of an item; ``ArrayOf...`` says it itself."""

ENUMERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "EntityState": ("Unchanged", "Created", "Changed"),
    "EntityRole": ("Referencing", "Referenced"),
    "ConcurrencyBehavior": ("Default", "IfRowVersionMatches", "AlwaysOverwrite"),
    "LogicalOperator": ("And", "Or"),
    "OrderType": ("Ascending", "Descending"),
}
"""Enumerations whose names in XML become the numbers that JSON has for them; others keep their names."""
