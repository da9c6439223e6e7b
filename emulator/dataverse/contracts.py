"""Names and namespaces of the data contracts, as the SDK and .NET declare them."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from .scalars import (
    CONTRACTS,
    Char,
    Duration,
    Enumeration,
    Guid,
    Long,
    Moment,
    Single,
    Sized,
    Uri,
    Width,
)
from .values import (
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
    Structure,
    TextMap,
    TextPairs,
    Value,
)

SERIALIZATION: Final = "http://schemas.microsoft.com/2003/10/Serialization/"
"""Namespace of .NET's own simple types, and of a body that is one."""
ARRAYS: Final = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
"""Namespace of arrays of simple types, and of dictionaries."""
CONTRACTS_9_0: Final = "http://schemas.microsoft.com/xrm/9.0/Contracts"
"""Namespace of choices of several options."""
GENERIC: Final = "http://schemas.datacontract.org/2004/07/System.Collections.Generic"
"""Namespace of keys and values."""
_SCHEMA: Final = "http://www.w3.org/2001/XMLSchema"

_WIDTHS: Final = {
    Width.BYTE: "unsignedByte",
    Width.SBYTE: "byte",
    Width.INT16: "short",
    Width.UINT16: "unsignedShort",
    Width.UINT32: "unsignedInt",
    Width.UINT64: "unsignedLong",
}
ELEMENTS: Final[Mapping[Element, tuple[str, str]]] = {
    Element.BOOLEAN: ("boolean", ARRAYS),
    Element.DATE_TIME: ("dateTime", ARRAYS),
    Element.DECIMAL: ("decimal", ARRAYS),
    Element.DOUBLE: ("double", ARRAYS),
    Element.ENTITY: ("Entity", CONTRACTS),
    Element.GUID: ("guid", ARRAYS),
    Element.INT32: ("int", ARRAYS),
    Element.INT64: ("long", ARRAYS),
    Element.OBJECT: ("anyType", ARRAYS),
    Element.OPTION: ("OptionSetValue", CONTRACTS),
    Element.REFERENCE: ("EntityReference", CONTRACTS),
    Element.STRING: ("string", ARRAYS),
}
"""What an array holds, to name and namespace of an item."""
_TYPES: Final[Mapping[type, tuple[str, str]]] = {
    bool: ("boolean", _SCHEMA),
    int: ("int", _SCHEMA),
    Long: ("long", _SCHEMA),
    float: ("double", _SCHEMA),
    Single: ("float", _SCHEMA),
    Decimal: ("decimal", _SCHEMA),
    str: ("string", _SCHEMA),
    Char: ("char", SERIALIZATION),
    Uri: ("anyURI", _SCHEMA),
    Guid: ("guid", SERIALIZATION),
    datetime: ("dateTime", _SCHEMA),
    date: ("dateTime", _SCHEMA),
    Moment: ("dateTime", _SCHEMA),
    Duration: ("duration", SERIALIZATION),
    bytes: ("base64Binary", _SCHEMA),
    Option: ("OptionSetValue", CONTRACTS),
    Options: ("OptionSetValueCollection", CONTRACTS_9_0),
    Money: ("Money", CONTRACTS),
    Managed: ("BooleanManagedProperty", CONTRACTS),
    Aliased: ("AliasedValue", CONTRACTS),
    Reference: ("EntityReference", CONTRACTS),
    References: ("EntityReferenceCollection", CONTRACTS),
    Relationship: ("Relationship", CONTRACTS),
    TextPairs: ("ArrayOfKeyValuePairOfstringstring", GENERIC),
    TextMap: ("ArrayOfKeyValueOfstringstring", ARRAYS),
    Entity: ("Entity", CONTRACTS),
    Entities: ("EntityCollection", CONTRACTS),
}


def contract(value: Value) -> tuple[str, str]:
    """Return name and namespace of the contract of a value that is not null.

    Raises:
        KeyError: It is of a type the model does not have.
    """
    match value:
        case Sized():
            return _WIDTHS[value.width], _SCHEMA
        case Enumeration():
            return value.type_name, value.namespace
        case Structure():
            return value.name, CONTRACTS
        case Array():
            name, uri = ELEMENTS[value.element]
            return f"ArrayOf{name}", uri
        case _:
            return _TYPES[type(value)]
