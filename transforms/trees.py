"""JSON text to a tree that keeps every digit and knows what is ambiguous."""

import json
from typing import Any, Final, NoReturn

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from .contexts import Number
from .encodings import Document
from .spelling import dump

Tree = Any
"""``None``, bool, str, :class:`Number`, list of trees, or dict of name to tree."""


class Ambiguous(dict[str, Any]):
    """An object in which a name stands twice.

    Attributes:
        name: One such name.
    """

    name: str = ""


def parse(document: Document) -> Tree:
    """Return the tree of a JSON document.

    Raises:
        MessageRejected: ``undecodable``, with the byte where it went wrong, or
            ``too-large`` where it nests deeper than the parser follows.
    """
    try:
        text = document.data.decode()
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


def compact(tree: Tree, depth: int) -> str:
    """Return a tree as JSON text: no blanks, digits as they came, order as it came.

    Args:
        tree: What to write.
        depth: Levels it may nest at most.

    Raises:
        MessageRejected: ``too-large`` where it nests deeper.

    >>> compact({"a": [Number("1.50"), None]}, 2)
    '{"a":[1.50,null]}'
    """
    if isinstance(tree, Number):
        return tree.text
    if not isinstance(tree, (list, dict)):
        return dump(tree)
    if depth < 1:
        raise MessageRejected(Reason.TOO_LARGE, "a value nests deeper than the limit `depth` allows")
    if isinstance(tree, list):
        return f"[{','.join(compact(item, depth - 1) for item in tree)}]"
    return f"{{{','.join(f'{dump(name)}:{compact(item, depth - 1)}' for name, item in tree.items())}}}"


class _NoJson(ValueError):
    """A bare token such as NaN."""


def _object(pairs: list[tuple[str, Tree]]) -> dict[str, Tree]:
    tree = dict(pairs)
    if len(tree) == len(pairs):
        return tree
    ambiguous = Ambiguous(tree)
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            ambiguous.name = name
        seen.add(name)
    return ambiguous


def _refuse(token: str) -> NoReturn:
    raise _NoJson(token)


def _broken(document: Document, at: int | None, clause: str) -> MessageRejected:
    inside = " (inside the JSON string that is the body)" if document.wrapped else ""
    where = "" if at is None else f"byte {at + document.offset}"
    return MessageRejected(Reason.UNDECODABLE, f"the body{inside} {clause}", where)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_refuse
)
