"""Values as text: JSON for what fits no column, and texts that a column can hold."""

import json
from typing import Any

from .contexts import Money, Number, Option, Options, Records, Reference, References, Unknown, Value


def as_json(value: Value) -> str:
    """Return a value as JSON text; typed values without their type.

    >>> as_json(Option(3)), as_json(Number("1.50")), as_json("a")
    ('3', '1.50', '"a"')
    """
    if isinstance(value, (Number, Money)):
        return value.text
    if isinstance(value, Option):
        return str(value.code)
    if isinstance(value, Options):
        return json.dumps(value.codes)
    if isinstance(value, Reference):
        return dump({"Id": value.id, "LogicalName": value.table, "Name": value.name})
    if isinstance(value, (Unknown, Records, References)):
        return value.json
    return dump(value) if value is None or isinstance(value, (str, bool)) else "[]"


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
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
    return text if is_sound(text) else json.dumps(tree, separators=(",", ":"))


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
        ValueError: It holds half of a surrogate pair, which is no Unicode.
    """
    if not is_sound(text):
        raise ValueError("the text holds half of a surrogate pair, which no column can hold")
    return text
