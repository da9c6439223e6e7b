"""``_extra``: what of a row stands in no column, as one JSON object.

A member is named as the column it belongs to, or ``<column>@<what>`` for what
stands beside that column.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

Members = Mapping[str, str | msgspec.Raw]
"""Name to JSON."""


def members(text: str | None) -> Mapping[str, msgspec.Raw]:
    """Return the members of an ``_extra``, each as the JSON it is."""
    return _decode(text) if text else {}


def spelled(found: Members) -> str | None:
    """Return members as text, names sorted; ``None`` for none.

    >>> spelled({"b": "1.50", "a": "null"})
    '{"a":null,"b":1.50}'
    """
    if not found:
        return None
    parts = (f"{msgspec.json.encode(name).decode()}:{_text(found[name])}" for name in sorted(found))
    return f"{{{','.join(parts)}}}"


def owner(name: str) -> str:
    """Return the column a member belongs to.

    >>> owner("ownerid@name"), owner("note")
    ('ownerid', 'note')
    """
    return name.partition("@")[0] or name


def _text(json: str | msgspec.Raw) -> str:
    return json if isinstance(json, str) else bytes(json).decode()
