"""JSON text to a tree that keeps every digit and knows what is ambiguous."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from .contexts import Instant, Number
from .numbers import iso
from .rules import Limits
from .spelling import date_json, dump, number_json

Tree = Any
"""``None``, bool, str, :class:`Number`, list of trees, or dict of name to tree.

Encodings with types also have :class:`Instant` for a date and ``bytes``.
"""


class Ambiguous(dict[str, Any]):
    """An object in which a name stands twice.

    Attributes:
        name: One such name.
    """

    name: str = ""

    @classmethod
    def over(cls, members: dict[str, Any], name: str) -> "Ambiguous":
        """Return the same members, of which that one stands twice."""
        ambiguous = cls(members)
        ambiguous.name = name
        return ambiguous


IN_WRAPPER: Final = " of what is wrapped"
"""Behind the number of a byte that is counted from the start of an unwrapped document."""


@dataclass(frozen=True, slots=True)
class Text:
    """JSON text of a message.

    Attributes:
        data: UTF-8, not yet validated.
        offset: Where it begins in the body, bytes.
        inside: What holds it, for a sentence: empty, or `` (inside ...)``.
    """

    data: bytes
    offset: int = 0
    inside: str = ""


def parse(document: Text, limits: Limits) -> Tree:
    """Return the tree of a JSON document.

    Raises:
        MessageRejected: ``undecodable``, with the byte where it went wrong, or
            ``too-large`` where it nests deeper than the parser follows or has
            more members and items than the limit ``elements``.
    """
    data = document.data
    if _has_more(data, limits.elements):
        sentence = f"the body has more than {limits.elements} members and items, the limit `elements`"
        raise MessageRejected(Reason.TOO_LARGE, sentence)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _broken(document, error.start, "holds a byte that is not UTF-8") from error
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        at = len(text[: error.pos].encode())
        raise _broken(document, at, f"is not JSON: {error.msg[:60]}") from error
    except _NoJson as error:
        raise _broken(document, None, f"holds the token {error}, which is not JSON") from error
    except RecursionError as error:
        raise MessageRejected(
            Reason.TOO_LARGE, "the body nests deeper than a message of Dataverse ever does"
        ) from error


def _has_more(data: bytes, most: int) -> bool:
    """Tell whether JSON has more members and items; what stands in strings counts only if it might matter."""
    return len(data) > most and _marks(data) > most and _marks(_STRING.sub(b"", data)) > most


def _marks(data: bytes) -> int:
    return sum(map(data.count, (b",", b"[", b"{")))


def compact(tree: Tree, depth: int) -> str:
    r"""Return a tree as JSON text: no blanks, digits as they came, order as it came, dates in ISO 8601.

    A text that reads as a date of .NET is taken for one, as it is in a column,
    unless its encoding says that it is none.

    Args:
        tree: What to write.
        depth: Levels it may nest at most.

    Raises:
        MessageRejected: ``too-large`` where it nests deeper.

    >>> compact({"a": [Number("1.50"), None]}, 2)
    '{"a":[1.50,null]}'
    >>> compact(["/Date(0)/", b"\x01"], 2)
    '["1970-01-01T00:00:00Z",[1]]'
    """
    if isinstance(tree, (str, bool)) or tree is None:
        return (date_json(tree) if type(tree) is str else None) or dump(tree)
    if isinstance(tree, Number):
        return number_json(tree)
    if isinstance(tree, Instant):
        return dump(iso(tree.ticks))
    if isinstance(tree, bytes):
        return f"[{','.join(map(str, tree))}]"
    if depth < 1:
        raise MessageRejected(Reason.TOO_LARGE, "a value nests deeper than the limit `depth` allows")
    if isinstance(tree, list):
        return f"[{','.join(compact(item, depth - 1) for item in tree)}]"
    return f"{{{','.join(f'{dump(name)}:{compact(item, depth - 1)}' for name, item in tree.items())}}}"


def readable(tree: Tree, depth: int, indent: str = "") -> str:
    """Return a tree as JSON for people: a member a line, digits as they came, dates in ISO 8601.

    Args:
        tree: What to write.
        depth: Levels below which all stands in one line.
        indent: Blanks before what stands inside.

    >>> print(readable({"a": [Number("1.50")], "b": {}}, 9))
    {
      "a": [
        1.50
      ],
      "b": {}
    }
    """
    if not isinstance(tree, (list, dict)) or not tree or depth < 1:
        return compact(tree, _DEEPEST)
    inner = f"{indent}  "
    if isinstance(tree, list):
        lines = [readable(item, depth - 1, inner) for item in tree]
    else:
        lines = [f"{dump(name)}: {readable(item, depth - 1, inner)}" for name, item in tree.items()]
    begin, end = "[]" if isinstance(tree, list) else "{}"
    between = f",\n{inner}"
    return f"{begin}\n{inner}{between.join(lines)}\n{indent}{end}"


class _NoJson(ValueError):
    """A bare token such as NaN."""


def _object(pairs: list[tuple[str, Tree]]) -> dict[str, Tree]:
    tree = dict(pairs)
    if len(tree) == len(pairs):
        return tree
    seen: set[str] = set()
    twice = ""
    for name, _ in pairs:
        twice = name if name in seen else twice
        seen.add(name)
    return Ambiguous.over(tree, twice)


def _refuse(token: str) -> NoReturn:
    raise _NoJson(token)


def _broken(document: Text, at: int | None, clause: str) -> MessageRejected:
    where = "" if at is None else f"byte {at + document.offset}{IN_WRAPPER if document.inside else ''}"
    return MessageRejected(Reason.UNDECODABLE, f"the body{document.inside} {clause}", where)


_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_DEEPEST: Final = 200
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_refuse
)
