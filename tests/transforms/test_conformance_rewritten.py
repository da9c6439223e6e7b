"""What a message means does not hang on how it is written: order, blanks, escapes, members nobody knows."""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from cdsbridge.tables.types import ColumnTypes
from cdsbridge.transforms.flattener import Flattener

from .conforming import BY_FORM, BY_METADATA, cases, flattened, known
from .meanings import Meaning, meanings, meanings_alone
from .notation import as_sent, exact, rewritten
from .reference import ROWS

pytestmark = [pytest.mark.usefixtures("conformance"), pytest.mark.timeout(60)]
BOM = b"\xef\xbb\xbf"
Tree = Any


def reversed_members(tree: Tree) -> Tree:
    """Return a tree in which the members of every object stand in the other order, ``__type`` last."""
    if isinstance(tree, list):
        return [reversed_members(each) for each in tree]
    if isinstance(tree, dict):
        return {name: reversed_members(tree[name]) for name in reversed(tree)}
    return tree


def shuffled_members(tree: Tree) -> Tree:
    """Return a tree in which the members of every object stand in any order, but ``__type`` first."""
    if isinstance(tree, list):
        return [shuffled_members(each) for each in tree]
    if isinstance(tree, dict):
        order = random.Random(len(json.dumps(tree))).sample(list(tree), len(tree))
        return {name: shuffled_members(tree[name]) for name in sorted(order, key="__type".__ne__)}
    return tree


def pairs_after_nulls_turned_round(tree: Tree) -> Tree:
    """Return a tree in which a pair has its value first where the pair before it has none."""
    if isinstance(tree, list):
        turned = [pairs_after_nulls_turned_round(each) for each in tree]
        return [
            reversed_pair(each) if is_pair(one) and one["value"] in (None, []) else each
            for one, each in zip((None, *turned), turned, strict=False)
        ]
    if isinstance(tree, dict):
        return {name: pairs_after_nulls_turned_round(each) for name, each in tree.items()}
    return tree


def later_labels_turned_round(tree: Tree) -> Tree:
    """Return a tree in which every label but the first of a record has its text first."""
    if isinstance(tree, list):
        return [later_labels_turned_round(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    changed = {name: later_labels_turned_round(each) for name, each in tree.items()}
    labels = changed.get("FormattedValues", [])
    return (
        {**changed, "FormattedValues": [*labels[:1], *map(reversed_pair, labels[1:])]} if labels else changed
    )


def reversed_pair(tree: Tree) -> Tree:
    return {"value": tree["value"], "key": tree["key"]} if is_pair(tree) else tree


def every_pair_turned_round(tree: Tree) -> Tree:
    """Return a tree in which every pair has its value first."""
    if isinstance(tree, list):
        return [reversed_pair(every_pair_turned_round(each)) for each in tree]
    if isinstance(tree, dict):
        return {name: every_pair_turned_round(each) for name, each in tree.items()}
    return tree


def is_pair(tree: Tree) -> bool:
    return isinstance(tree, dict) and tree.keys() == {"key", "value"}


def names_of_lookups_early(tree: Tree) -> Tree:
    """Return a tree in which the name of a lookup stands before its table."""
    if isinstance(tree, list):
        return [names_of_lookups_early(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    changed = {name: names_of_lookups_early(each) for name, each in tree.items()}
    if not str(changed.get("__type")).startswith("EntityReference:"):
        return changed
    return {name: changed[name] for name in ("__type", "Id", "Name", *changed)}


def members_added(tree: Tree) -> Tree:
    """Return a tree in which every typed object, entity and pair has members of a later version.

    What is kept verbatim stays as it is: alternate keys, and lists of nothing.
    """
    if isinstance(tree, list):
        return [members_added(each) for each in tree]
    if not isinstance(tree, dict) or tree.keys() == {"number"} or tree.get("Entities") == []:
        return tree
    same = {"KeyAttributes"}
    changed = {name: each if name in same else members_added(each) for name, each in tree.items()}
    return {
        "ANewOne": None,
        **changed,
        "HasLazyFileAttribute": False,
        "NewList": [{"key": "k"}, {"number": "1"}],
    }


def optional_members_removed(tree: Tree) -> Tree:
    """Return a context without the members that older versions do not send."""
    absent = {
        "InitiatingUserAgent",
        "InitiatingUserAzureActiveDirectoryObjectId",
        "UserAzureActiveDirectoryObjectId",
        "RequestId",
        "SharedVariables",
        "IsolationMode",
        "SecondaryEntityName",
        "BusinessUnitId",
    }
    empty = {name for name, each in tree.items() if each in (None, [])} - {
        "InputParameters",
        "OutputParameters",
    }
    return {name: each for name, each in tree.items() if name not in absent | empty}


KEY = re.compile(rb'"key":"([a-z])')


LABELS = re.compile(rb'"FormattedValues":\[[^\]]*\]')


def escaped_labels(match: re.Match[bytes]) -> bytes:
    return KEY.sub(escaped_key, match[0])


def escaped_key(match: re.Match[bytes]) -> bytes:
    """Write the first letter of a key by its number."""
    return b'"key":"\\u%04x' % ord(match[1])


def of_tree(change: Callable[[Tree], Tree]) -> Callable[[bytes], bytes]:
    return lambda body: as_sent(change(exact(body)))


WAYS: Mapping[str, Callable[[bytes], bytes]] = {
    "with a byte order mark": lambda body: BOM + body,
    "with members reversed": of_tree(reversed_members),
    "with members in any order": of_tree(shuffled_members),
    "with every pair turned round": of_tree(every_pair_turned_round),
    "with pairs after nulls turned round": of_tree(pairs_after_nulls_turned_round),
    "with later labels turned round": of_tree(later_labels_turned_round),
    "with names of lookups before their tables": of_tree(names_of_lookups_early),
    "with keys escaped": lambda body: KEY.sub(escaped_key, body),
    "with keys of labels escaped": lambda body: LABELS.sub(escaped_labels, body),
    "with members of a later version": of_tree(members_added),
    "without optional members": of_tree(optional_members_removed),
    "with blanks and lines": lambda body: rewritten(exact(body), indent=3).encode().replace(b"\n", b"\r\n"),
    "with every letter escaped that may be": lambda body: rewritten(exact(body), ascii_only=True).encode(),
    "with slashes not escaped": lambda body: rewritten(exact(body)).encode(),
    "as a JSON string": lambda body: json.dumps(body.decode()).encode(),
}


@cache
def plain(mode: str) -> Mapping[str, object]:
    """Return what becomes of each message as it was written, by the name of its case."""
    bodies = [case.body.removeprefix(BOM) for case in cases().values()]
    return dict(zip(cases(), meanings_alone(bodies, known(mode)[1]), strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_a_message_written_otherwise_gives_the_same_rows_alone(way: str) -> None:
    assert_same(way, BY_FORM, meanings_alone)


@pytest.mark.parametrize("way", WAYS)
def test_messages_written_otherwise_give_the_same_rows_in_a_batch(way: str) -> None:
    assert_same(way, BY_METADATA, lambda sent, types: meanings(flattened(sent, types)))


def assert_same(way: str, mode: str, read: Callable[[Sequence[bytes], ColumnTypes], list[Meaning]]) -> None:
    bodies = {name: case.body.removeprefix(BOM) for name, case in cases().items()}
    others = {
        name: body if kept_whole(way, cases()[name].oracle) else WAYS[way](body)
        for name, body in bodies.items()
    }
    assert sum(others[name] != body for name, body in bodies.items()) > 30
    found = read(list(others.values()), known(mode)[1])
    for name, meaning in zip(bodies, found, strict=True):
        assert meaning == plain(mode)[name], name


def kept_whole(way: str, oracle: Mapping[str, Any]) -> bool:
    """Tell whether a message is kept verbatim, so that added members must show in its row."""
    return oracle["message"] not in ROWS and way == "with members of a later version"


def test_messages_written_each_in_their_own_way_share_a_batch() -> None:
    ways = list(WAYS.values())
    bodies = [case.body.removeprefix(BOM) for case in cases().values() if case.oracle["message"] in ROWS]
    mixed = [body if at % 3 == 0 else ways[at % len(ways)](body) for at, body in enumerate(bodies)]
    shared = Flattener(known(BY_METADATA)[1])
    wanted = meanings(flattened(bodies, by=Flattener(known(BY_METADATA)[1])))
    assert meanings(flattened(mixed, by=shared)) == wanted
    assert meanings(flattened(bodies, by=shared)) == wanted
    assert meanings(flattened(mixed, by=shared)) == wanted
