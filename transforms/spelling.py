"""Values as text: JSON for what fits no column, and texts that a column can hold."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from . import numbers
from .contexts import (
    Binary,
    Empty,
    Instant,
    Money,
    Number,
    Option,
    Options,
    PlainText,
    Records,
    Reference,
    References,
    Relationship,
    Unknown,
    Value,
)

_PLAIN: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ESCAPED: Final = json.JSONEncoder(separators=(",", ":")).encode


def as_json(value: Value) -> str:
    """Return a value as JSON text; typed values without their type, dates in ISO 8601.

    >>> as_json(Option(3)), as_json(Number("1.50")), as_json("a")
    ('3', '1.50', '"a"')
    """
    spell = _SPELLINGS.get(type(value))
    return dump(value) if spell is None else spell(value)


def number_json(number: Number) -> str:
    """Return a number as JSON; what JSON has no number for becomes a text.

    >>> number_json(Number("1.50")), number_json(Number("INF"))
    ('1.50', '"INF"')
    """
    return dump(number.text) if number.text in {"NaN", "INF", "-INF"} else number.text


def date_json(text: str) -> str | None:
    """Return a text that is a date of .NET in ISO 8601, as JSON; ``None`` for other texts.

    >>> date_json("/Date(1722582039000)/"), date_json("a")
    ('"2024-08-02T07:00:39Z"', None)
    """
    if not numbers.is_date(text):
        return None
    try:
        return dump(numbers.iso(numbers.milliseconds(text) * 10_000))
    except ValueError:
        return None


_SPELLINGS: Final[Mapping[type, Callable[[Any], str]]] = {
    str: lambda value: date_json(value) or dump(value),
    PlainText: lambda value: dump(str(value)),
    Number: number_json,
    Instant: lambda value: dump(numbers.iso(value.ticks)),
    Money: lambda value: value.text,
    Option: lambda value: str(value.code),
    Options: lambda value: json.dumps(value.codes),
    Reference: lambda value: dump({"Id": value.id, "LogicalName": value.table, "Name": value.name}),
    References: lambda value: value.spelling(),
    Relationship: lambda value: dump({"PrimaryEntityRole": value.role, "SchemaName": value.name}),
    Records: lambda value: value.spelling(),
    Unknown: lambda value: value.json,
    Binary: lambda value: f"[{','.join(map(str, value.data))}]",
    Empty: lambda _: "[]",
}


def json_object(members: dict[str, str]) -> str | None:
    """Return JSON texts as one JSON object, names sorted; ``None`` for none.

    >>> json_object({"b": "1.50", "a": "null"})
    '{"a":null,"b":1.50}'
    """
    if not members:
        return None
    return f"{{{','.join(f'{dump(name)}:{members[name]}' for name in sorted(members))}}}"


def dump(tree: Any) -> str:
    """Return compact JSON; half surrogate pairs stay escaped, other text is itself.

    >>> dump({"a": ["é", None]})
    '{"a":["é",null]}'
    """
    text = _PLAIN(tree)
    return text if is_sound(text) else _ESCAPED(tree)


def is_sound(text: str) -> bool:
    """Tell whether a text is Unicode: no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def sound(text: str) -> str:
    """Return the text.

    Raises:
        Misfit: It holds half of a surrogate pair, which is no Unicode.
    """
    if not is_sound(text):
        raise numbers.Misfit("the text holds half of a surrogate pair, which no column can hold")
    return text
