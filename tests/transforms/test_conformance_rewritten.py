"""What a message means does not hang on how it is written: order, blanks, escapes, members nobody knows."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.transforms.flattener import Flattener

from .conforming import BY_METADATA, MODES, cases, flattened, known, rows_of_message
from .notation import exact, rewritten
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


def of_tree(change: Callable[[Tree], Tree]) -> Callable[[bytes], bytes]:
    return lambda body: as_sent(change(exact(body)))


def as_sent(tree: Tree) -> bytes:
    """Write a tree as compactly as the sender does, with every slash escaped."""
    return rewritten(tree).replace("/", "\\/").encode()


WAYS: Mapping[str, Callable[[bytes], bytes]] = {
    "with a byte order mark": lambda body: BOM + body,
    "with members reversed": of_tree(reversed_members),
    "with members in any order": of_tree(shuffled_members),
    "with members of a later version": of_tree(members_added),
    "without optional members": of_tree(optional_members_removed),
    "with blanks and lines": lambda body: rewritten(exact(body), indent=3).encode().replace(b"\n", b"\r\n"),
    "with every letter escaped that may be": lambda body: rewritten(exact(body), ascii_only=True).encode(),
    "with slashes not escaped": lambda body: rewritten(exact(body)).encode(),
    "as a JSON string": lambda body: json.dumps(body.decode()).encode(),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
def test_a_message_written_otherwise_gives_the_same_rows(way: str, mode: str) -> None:
    plain = [case.body.removeprefix(BOM) for case in cases().values() if not kept_whole(way, case.oracle)]
    other = [WAYS[way](body) for body in plain]
    assert all(one != two for one, two in zip(plain, other, strict=True))
    types = known(mode)[1]
    assert meanings(flattened(other, types)) == meanings(flattened(plain, types))


def kept_whole(way: str, oracle: Mapping[str, Any]) -> bool:
    """Tell whether a message is kept verbatim, so that added members must show in its row."""
    return oracle["message"] not in ROWS and way == "with members of a later version"


def test_messages_written_each_in_their_own_way_share_a_batch() -> None:
    ways = list(WAYS.values())
    plain = [case.body.removeprefix(BOM) for case in cases().values() if case.oracle["message"] in ROWS]
    mixed = [body if at % 3 == 0 else ways[at % len(ways)](body) for at, body in enumerate(plain)]
    shared = Flattener(known(BY_METADATA)[1])
    wanted = meanings(flattened(plain, by=Flattener(known(BY_METADATA)[1])))
    assert meanings(flattened(mixed, by=shared)) == wanted
    assert meanings(flattened(plain, by=shared)) == wanted
    assert meanings(flattened(mixed, by=shared)) == wanted


def meanings(flat: FlattenedBatch) -> list[object]:
    """Return what became of each message, but for ids made of its bytes."""
    return [
        (verdict.outcome, verdict.rows, verdict.reason, verdict.where, rows_without_id(flat, at))
        for at, verdict in enumerate(flat.verdicts)
    ]


def rows_without_id(flat: FlattenedBatch, position: int) -> list[object]:
    event = flat.verdicts[position].event
    rows: list[object] = []
    for _, (table, system, data) in sorted(rows_of_message(flat, position).items()):
        plain = {name: value for name, value in system.items() if name not in {"_event_id", "_extra"}}
        plain["_order"] = plain["_order"].replace(event, "event")
        verbatim = {cell: exact(str(data[cell])) for cell in data if cell[0] in {"parameters", "outputs"}}
        rows.append(
            (table, plain, exact(system["_extra"]), {**data, **verbatim} if table == "event" else data)
        )
    return rows
