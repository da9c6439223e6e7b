"""Values of attributes and parameters, out of the tree of a context.

The tree is as DataContractJsonSerializer writes it, whatever encoding it came
in.  A typed value is an object whose ``__type`` begins with the name of its
contract; its place among the members means nothing.  Text, numbers, booleans
and null stand bare; lists of choices, parties and bytes are bare arrays
(https://learn.microsoft.com/dotnet/framework/wcf/feature-details/stand-alone-json-serialization).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from . import numbers
from .contexts import (
    Binary,
    Empty,
    Instant,
    Money,
    Number,
    Option,
    Options,
    Record,
    Records,
    Reference,
    References,
    Relationship,
    Unknown,
    Value,
)
from .rules import Limits
from .spelling import is_sound
from .trees import Ambiguous, Tree, compact

_LEVELS: Final = 4
"""Levels of JSON from a record to a record in one of its attributes: object, list, pair, value."""

_LONGEST_PATH: Final = 300
_T = TypeVar("_T")
_BYTE: Final = frozenset(map(str, range(256)))


class Values:
    """Reads values out of trees, within limits.

    Every method takes the path of what it reads, for the sentence that says
    what is wrong.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._within = 0
        self._typed: Mapping[str, Callable[[dict[str, Tree], str], Value]] = {
            "Entity": self._entity,
            "EntityCollection": self._collection,
            "EntityReference": self._reference,
            "Money": _money,
            "OptionSetValue": _option,
            "AliasedValue": self._aliased,
            "BooleanManagedProperty": _managed,
            "Relationship": _relationship,
        }

    def value(self, tree: Tree, path: str) -> Value:
        """Return the value of one attribute or parameter."""
        if tree is None or isinstance(tree, (bool, str, Number, Instant)):
            return tree
        if isinstance(tree, bytes):
            return Binary(tree) if tree else Empty()
        if isinstance(tree, list):
            return self._array(tree, path)
        members = unambiguous(tree, path)
        read = self._typed.get(type_name(members))
        return read(members, path) if read else Unknown(compact(tree, self._limits.depth))

    def record(self, tree: Tree, path: str) -> Record:
        """Return an entity: a Target, an image, a party."""
        return self._deeper(self._record, tree, path)

    def _deeper(self, read: Callable[[Tree, str], _T], tree: Tree, path: str) -> _T:
        """Read what may itself hold such values."""
        if self._within * _LEVELS > self._limits.depth:
            raise MessageRejected(Reason.TOO_LARGE, "values nest deeper than the limit `depth` allows", path)
        self._within += 1
        try:
            return read(tree, path)
        finally:
            self._within -= 1

    def _aliased(self, members: dict[str, Tree], path: str) -> Value:
        return self._deeper(self.value, members.get("Value"), path)

    def _record(self, tree: Tree, path: str) -> Record:
        members = unambiguous(tree, path)
        attributes = self.pairs(members.get("Attributes"), f"{path}.Attributes")
        if len(attributes) > self._limits.attributes:
            sentence = f"{path} has {len(attributes)} attributes; the limit is {self._limits.attributes}"
            raise MessageRejected(Reason.TOO_LARGE, sentence, path)
        return Record(
            (text(members, "LogicalName", path) or "").lower(),
            text(members, "Id", path) or "",
            {key: self.value(tree, under(path, key)) for key, tree in attributes.items()},
            self._labels(members.get("FormattedValues"), f"{path}.FormattedValues"),
        )

    def pairs(self, tree: Tree, path: str) -> dict[str, Tree]:
        """Return a list of keys and values as a mapping; an absent one is empty."""
        found: dict[str, Tree] = {}
        for item in listed(tree, path):
            members = unambiguous(item, path)
            key = members.get("key")
            if not isinstance(key, str) or not is_sound(key):
                raise bad(path, "a pair has no key")
            if key in found:
                raise bad(under(path, key), "the key stands twice, and nothing says which value holds")
            found[key] = members.get("value")
        return found

    def _labels(self, tree: Tree, path: str) -> dict[str, str]:
        pairs = self.pairs(tree, path)
        return {key: label for key, label in pairs.items() if isinstance(label, str)}

    def _array(self, items: list[Tree], path: str) -> Value:
        if not items:
            return Empty()
        names = {type_name(item) if isinstance(item, dict) else "" for item in items}
        if names == {"OptionSetValue"}:
            return Options(tuple(_option(unambiguous(item, path), path).code for item in items))
        if names == {"EntityReference"}:
            references = tuple(self._reference(unambiguous(item, path), path) for item in items)
            return References(references, self._spelled(items))
        if names == {"Entity"}:
            return self._records(items, items, path)
        if all(isinstance(item, Number) and item.kind is None and item.text in _BYTE for item in items):
            return Binary(bytes([int(item.text) for item in items]))
        return Unknown(compact(items, self._limits.depth))

    def _entity(self, members: dict[str, Tree], path: str) -> Value:
        record = self.record(members, path)
        return Records((record,), record.table, self._spelled(members))

    def _collection(self, members: dict[str, Tree], path: str) -> Value:
        entities = listed(members.get("Entities"), f"{path}.Entities")
        name = text(members, "EntityName", path) or ""
        return self._records(entities, members, path, name.lower())

    def _records(self, items: list[Tree], whole: Tree, path: str, table: str = "") -> Records:
        records = tuple(self.record(item, f"{path}[{index}]") for index, item in enumerate(items))
        tables = {record.table or table for record in records}
        return Records(records, tables.pop() if len(tables) == 1 else "", self._spelled(whole))

    def _spelled(self, tree: Tree) -> Callable[[], str]:
        return partial(compact, tree, self._limits.depth)

    def _reference(self, members: dict[str, Tree], path: str) -> Reference:
        identity = text(members, "Id", path)
        if identity is None:
            raise bad(path, "a lookup has no Id")
        keys = members.get("KeyAttributes")
        return Reference(
            identity,
            text(members, "LogicalName", path),
            text(members, "Name", path),
            compact(keys, self._limits.depth) if keys else "",
        )


def type_name(tree: dict[str, Tree]) -> str:
    """Return the name of a typed value's contract, without its namespace.

    >>> type_name({"__type": "Money:http://schemas.microsoft.com/xrm/2011/Contracts"})
    'Money'
    """
    name = tree.get("__type")
    return name.partition(":")[0] if isinstance(name, str) else ""


def under(path: str, name: str) -> str:
    """Return the path of a member; a path that is very long grows no longer.

    >>> under("InputParameters", "Target"), under("", "Depth")
    ('InputParameters.Target', 'Depth')
    """
    if len(path) > _LONGEST_PATH:
        return path
    return f"{path}.{name[:_LONGEST_PATH]}" if path else name[:_LONGEST_PATH]


def unambiguous(tree: Tree, path: str) -> dict[str, Tree]:
    """Return an object in which no member stands twice."""
    if isinstance(tree, Ambiguous):
        raise bad(path, f"the member {numbers.shortened(tree.name)} stands twice")
    if not isinstance(tree, dict):
        raise bad(path, "an object is expected here")
    return tree


def listed(tree: Tree, path: str) -> list[Tree]:
    """Return a list; an absent one is empty."""
    if tree is None:
        return []
    if not isinstance(tree, list):
        raise bad(path, "a list is expected here")
    return tree


def text(members: dict[str, Tree], name: str, path: str) -> str | None:
    """Return a member that is a text or null."""
    found = members.get(name)
    if found is not None and not (isinstance(found, str) and is_sound(found)):
        raise bad(f"{path}.{name}", "a text is expected here")
    return found


def bad(path: str, clause: str) -> MessageRejected:
    """Return the rejection of a value, naming where it stands."""
    path = numbers.legible(path.lstrip("."), 200)
    return MessageRejected(Reason.BAD_VALUE, f"{path}: {clause}", path)


def _money(members: dict[str, Tree], path: str) -> Money:
    amount = members.get("Value")
    if not isinstance(amount, Number):
        raise bad(path, "an amount of money must be a number")
    return Money(amount.text)


def _option(members: dict[str, Tree], path: str) -> Option:
    code = members.get("Value")
    if not isinstance(code, Number):
        raise bad(path, "the code of a choice must be a number")
    try:
        return Option(numbers.integer(code.text))
    except ValueError as error:
        raise bad(path, str(error)) from error


def _relationship(members: dict[str, Tree], path: str) -> Relationship:
    role = members.get("PrimaryEntityRole")
    if role is not None and not (isinstance(role, Number) and role.text in {"0", "1"}):
        raise bad(f"{path}.PrimaryEntityRole", "the role of a table is neither 0 nor 1")
    return Relationship(text(members, "SchemaName", path) or "", None if role is None else int(role.text))


def _managed(members: dict[str, Tree], path: str) -> bool | None:
    held = members.get("Value")
    if held is not None and not isinstance(held, bool):
        raise bad(path, "a managed property must be true or false")
    return held
