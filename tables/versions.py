"""The versions of a row's columns: when each was last said, kept beside the row as JSON.

``{"<order>": ["name", ...], ...}``: each order of events with the columns that
owe it their value.  Three names begin with an asterisk, which no column does:
``*create`` is the latest create, ``*delete`` a delete that still matters, and
``*cut`` the latest truncated message or the reading that answered one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

CREATE: Final = "*create"
DELETE: Final = "*delete"
CUT: Final = "*cut"
MARKS: Final = frozenset({CREATE, DELETE, CUT})

Versions = Mapping[str, Sequence[str]]
"""Order to names."""

_decode: Final = msgspec.json.Decoder(dict[str, list[str]]).decode
_encode: Final = msgspec.json.encode


def parse(texts: Iterable[str | None]) -> list[Versions]:
    """Return the versions of many rows.

    Raises:
        msgspec.DecodeError: A text was not written by :func:`spell`.
    """
    return [_decode(text) if text else {} for text in texts]


def spell(said: Iterable[tuple[str, str]]) -> str:
    """Return versions as text: one text for one meaning.

    Args:
        said: Order and name, each pair once.

    >>> spell([("2", "b"), ("1", "c"), ("2", "a")])
    '{"1":["c"],"2":["a","b"]}'
    """
    found: dict[str, list[str]] = {}
    for order, name in sorted(said):
        found.setdefault(order, []).append(name)
    return _encode(found).decode()
