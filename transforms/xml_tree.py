"""Elements to the tree that the same values have in JSON."""

from typing import Any, Final

from .contexts import Number
from .contracts import (
    ANY,
    COLLECTIONS,
    CONTRACTS,
    ENUMERATIONS,
    KNOWN_SPACES,
    PAIR,
    SDK,
    ListOf,
    Member,
    PairsOf,
)
from .infoset import Element
from .numbers import shortened
from .scalars import SCALARS, plain
from .trees import Ambiguous, Tree
from .values import bad, under

_ARRAY: Final = "ArrayOf"
_IN_NO_ROW: Final = frozenset({"ParentContext", "SharedVariables"})
_PAIR_NAMES: Final = ("KeyValuePairOf", "KeyValueOf")


def tree_of(root: Element, *, whole: bool = False) -> dict[str, Tree]:
    """Return the tree of an execution context.

    Args:
        root: An element ``RemoteExecutionContext``.
        whole: Also read what no row is made of; else there is ``True`` in its place.

    Raises:
        MessageRejected: ``bad-value``, with the path: a text is not of its type, or an
            element stands where it cannot.
    """
    return _members("RemoteExecutionContext", root, "", frozenset() if whole else _IN_NO_ROW)


def _value(element: Element, member: Member, path: str) -> Tree:
    """Return the value of an element whose place says what it holds, unless it says so itself."""
    if element.nil:
        return None
    if element.type and element.type != member:
        return _typed(element, path)
    if isinstance(member, PairsOf):
        return _pairs(element, member.value, path)
    if isinstance(member, ListOf):
        return [_value(item, member.item, path) for item in _children(element, path)]
    return _untyped(element, path) if member == ANY else _named(member, element, path)


def _named(name: str, element: Element, path: str) -> Tree:
    """Return a value of a type by its name."""
    if name in SCALARS:
        return _scalar(name, element, path)
    if name in ENUMERATIONS:
        return _enumerated(name, element, path)
    return _contract(name, element, path)


def _typed(element: Element, path: str) -> Tree:
    """Return a value that says its type, where JSON would have to say it too."""
    name = element.type
    if not element.space.startswith(KNOWN_SPACES):
        return _marked(_untyped(element, path), f"{name}:{element.space}")
    item = COLLECTIONS.get(name) or (name[len(_ARRAY) :] if name.startswith(_ARRAY) else None)
    if item is not None:
        return [_item(each, item, path) for each in _children(element, path)]
    if name not in CONTRACTS and name not in SCALARS and not element.children:
        return _enumerated(name, element, path)
    return _marked(_named(name, element, path), f"{name}:{element.space}")


def _item(element: Element, name: str, path: str) -> Tree:
    """Return an item of a list that stands in the place of any value."""
    if element.nil:
        return None
    if element.type:
        return _typed(element, path)
    if name.startswith(_PAIR_NAMES):
        members = {child.name.lower(): child for child in _children(element, path)}
        key, value = (members.get(part) for part in ("key", "value"))
        return {
            "__type": PAIR,
            "key": None if key is None else _value(key, "string", path),
            "value": None if value is None else _value(value, "string" if not value.children else ANY, path),
        }
    return _marked(_named(name, element, path), f"{name}:{SDK}")


def _contract(name: str, element: Element, path: str) -> Tree:
    """Return an object of a contract by its name."""
    if name in CONTRACTS:
        return _members(name, element, path)
    return _unknown(_children(element, path), path)


def _members(
    name: str, element: Element, path: str, left_out: frozenset[str] = frozenset()
) -> dict[str, Tree]:
    contract = CONTRACTS[name]
    found: dict[str, Any] = {}
    twice = ""
    for child in _children(element, path):
        if child.name in found:
            twice = child.name
        if child.name in left_out:
            found[child.name] = True if child.children else None
        else:
            found[child.name] = _value(child, contract.get(child.name, ANY), under(path, child.name))
    return Ambiguous.over(found, twice) if twice else found


def _untyped(element: Element, path: str) -> Tree:
    """Return a value of which nothing says what it is."""
    if element.children:
        return _unknown(_children(element, path), path)
    return _text(element, path)


def _unknown(children: list[Element], path: str) -> Tree:
    """Return an object of a contract that is not known; a list where names repeat."""
    names = {child.name for child in children}
    if len(names) < len(children) or any(name.startswith(_PAIR_NAMES) for name in names):
        return [_value(child, ANY, path) for child in children]
    return {child.name: _value(child, ANY, under(path, child.name)) for child in children}


def _pairs(element: Element, member: str, path: str) -> Tree:
    found = []
    for item in _children(element, path):
        key: Tree = None
        value: Tree = None
        for part in _children(item, path):
            if part.name == "key":
                key = _contract("Relationship", part, path) if part.children else _text(part, path)
            elif part.name == "value":
                value = _value(part, member, under(path, key) if isinstance(key, str) else path)
        found.append({"key": key, "value": value})
    return found


def _scalar(name: str, element: Element, path: str) -> Tree:
    if element.children:
        raise bad(path, f"a value of type {name} is expected here, not elements")
    text = element.text
    if isinstance(text, bytes):
        if name == "base64Binary":
            return text
        raise bad(path, f"bytes stand where a value of type {name} is expected")
    try:
        return SCALARS[name](text or "")
    except ValueError as error:
        raise bad(path, str(error)) from error


def _enumerated(name: str, element: Element, path: str) -> Tree:
    text = _text(element, path)
    names = ENUMERATIONS.get(name, ())
    return Number(str(names.index(text))) if text in names else text


def _text(element: Element, path: str) -> str:
    if element.children:
        raise bad(path, "a text is expected here, not elements")
    if isinstance(element.text, bytes):
        raise bad(path, "a text is expected here, not bytes")
    return plain(element.text or "")


def _children(element: Element, path: str) -> list[Element]:
    text = element.text
    if text and (isinstance(text, bytes) or not text.isspace()):
        shown = "bytes" if isinstance(text, bytes) else shortened(text.strip())
        raise bad(path, f"elements are expected here, not {shown}")
    return element.children or []


def _marked(tree: Tree, mark: str) -> Tree:
    """Say the type of an object, as JSON does."""
    if isinstance(tree, Ambiguous):
        tree["__type"] = mark
        return tree
    return {"__type": mark, **tree} if isinstance(tree, dict) else tree
