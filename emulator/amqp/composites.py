"""Composite types: described lists with a fixed row of fields.

A composite class is a named tuple registered with :func:`composite`; every
field is always written, trailing ones included, because clients read fields
by position.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from .encode import FALSE, NULL, TRUE, encode_list, encode_value
from .errors import DecodeError
from .types import Described, Symbol, UByte, UInt, ULong, UShort, Value


class Field(NamedTuple):
    """How one field of a composite is written and what it may hold.

    Attributes:
        encode: From the value, not ``None``, to bytes.
        holds: The Python types allowed, ``None`` aside.
        required: Whether ``None`` is refused.
    """

    encode: Callable[[Any], bytes]
    holds: tuple[type, ...]
    required: bool = False

    def must(self) -> "Field":
        """Return the same field, required."""
        return self._replace(required=True)


def _typed(wrap: Callable[[Any], Value]) -> Callable[[Any], bytes]:
    return lambda value: encode_value(wrap(value))


ANY = Field(encode_value, (object,))
BOOLEAN = Field(lambda value: TRUE if value else FALSE, (bool,))
UBYTE = Field(_typed(UByte), (int,))
USHORT = Field(_typed(UShort), (int,))
UINT = Field(_typed(UInt), (int,))
ULONG = Field(_typed(ULong), (int,))
STRING = Field(_typed(str), (str,))
SYMBOL = Field(_typed(Symbol), (str,))
BINARY = Field(encode_value, (bytes,))
MAP = Field(encode_value, (dict,))


class _Layout(NamedTuple):
    code: int
    fields: tuple[Field, ...]
    encoders: tuple[Callable[[Any], bytes], ...]
    defaults: tuple[Any, ...]


_BY_DESCRIPTOR: dict[Value, type[Any]] = {}
_LAYOUTS: dict[type[Any], _Layout] = {}
_T = TypeVar("_T")


def composite(code: int, name: str, *fields: Field) -> Callable[[type[_T]], type[_T]]:
    """Register a named tuple as a composite type.

    Args:
        code: The numeric descriptor, under 256.
        name: The symbolic descriptor (``amqp:open:list``).
        fields: One for each field, in wire order.
    """

    def register(cls: type[_T]) -> type[_T]:
        _BY_DESCRIPTOR[ULong(code)] = _BY_DESCRIPTOR[Symbol(name)] = cls
        names, defaults = getattr(cls, "_fields", ()), getattr(cls, "_field_defaults", {})
        encoders = tuple(field.encode for field in fields)
        _LAYOUTS[cls] = _Layout(code, fields, encoders, tuple(defaults.get(name) for name in names))
        return cls

    return register


def encode_composite(value: Any) -> bytes:
    """Encode a composite, every field of it; other values as they are.

    Raises:
        EncodeError: A field holds a value that is out of its range.
    """
    layout = _LAYOUTS.get(type(value))
    if layout is None:
        return encode_value(value)
    encoded = [
        NULL if item is None else encode(item) for encode, item in zip(layout.encoders, value, strict=True)
    ]
    return bytes((0, 0x53, layout.code)) + (encode_list(encoded) if encoded else b"\x45")


COMPOSITE = Field(encode_composite, (tuple,))


def to_composite(value: Value) -> Value:
    """Turn a described list into its composite, fields of it too.

    A descriptor that is not known leaves the value as it is.

    Raises:
        DecodeError: The fields do not fit the type.
    """
    if type(value) is not Described or type(value.descriptor) not in {ULong, Symbol}:
        return value
    cls = _BY_DESCRIPTOR.get(value.descriptor)
    if cls is None:
        return value
    if type(value.value) is not list:
        raise DecodeError(f"{cls.__name__.lower()} is not a list of fields")
    return _build(cls, value.value)


def _build(cls: type[Any], values: list[Value]) -> Any:
    """Make a composite of decoded fields: defaults for what is absent or null."""
    _, fields, _, defaults = _LAYOUTS[cls]
    missing = len(fields) - len(values)
    if missing < 0:
        raise DecodeError(f"{cls.__name__.lower()} has {len(fields)} fields, not {len(values)}")
    row: list[Any] = []
    for field, default, item in zip(fields, defaults, values + [None] * missing, strict=True):
        if item is None:
            if field.required:
                raise DecodeError(f"{cls.__name__.lower()} lacks {cls._fields[len(row)]}")
            row.append(default)
        elif field is COMPOSITE:
            row.append(to_composite(item))
        elif isinstance(item, field.holds):
            row.append(item)
        else:
            raise DecodeError(f"{cls.__name__.lower()}: {cls._fields[len(row)]} is a {type(item).__name__}")
    return cls._make(row)
