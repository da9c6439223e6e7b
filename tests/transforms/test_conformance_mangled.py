"""Messages mangled in ways no sender intends: what becomes of one hangs on it alone, not on its company."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cdsbridge.model.verdict import Outcome, Reason
from cdsbridge.tables.types import ColumnTypes, Kind
from cdsbridge.transforms.flattener import Flattener

from .bodies import ACCOUNT, body, context, lookup, money, option, typed, update
from .conforming import BY_FORM, BY_METADATA, cases, flattened, known
from .meanings import meanings, meanings_alone
from .notation import as_sent, exact

Tree = Any
NULL_MONEY, NULL_OPTION = typed("Money", Value=None), typed("OptionSetValue", Value=None)
CANCELLING = {
    "an amount that is null, and a bare number": (NULL_MONEY, 5, money("1")),
    "an amount in an amount, and a bare number": (typed("Money", Value=money("7")), 5, money("1")),
    "a choice that is null, and a bare number": (NULL_OPTION, 5, option(1)),
    "a choice in a choice, and a bare number": (option(option(7)), 5, option(1)),
    "a choice in a choice in a list, and a bare list": ([option(option(7))], [5], [option(1)]),
    "two choices in one, and one in two": ([option(option(7))], [option(1), 2], [option(1)]),
}
"""Two values that are both wrong where the third is right, and whose faults cancel out if added up."""

METADATA = ColumnTypes({"account": {"money": Kind.MONEY, "option": Kind.CHOICE, "options": Kind.CHOICES}})


@pytest.mark.parametrize("types", [ColumnTypes(), METADATA], ids=[BY_FORM, BY_METADATA])
@pytest.mark.parametrize("values", CANCELLING.values(), ids=list(CANCELLING))
def test_two_wrongs_in_a_batch_make_no_right(values: tuple[Tree, Tree, Tree], types: ColumnTypes) -> None:
    wrong, other, right = values
    column = "options" if isinstance(right, list) else "money" if "Money" in right["__type"] else "option"
    sent = [update({column: wrong}), update({column: other})]
    alone = meanings_alone(sent, types)
    assert meanings(flattened(sent, types)) == alone
    seasoned = Flattener(types)
    flattened([update({column: right})], by=seasoned)
    assert meanings(flattened(sent, by=seasoned)) == alone
    assert flattened(sent[:1], types).verdicts[0].reason == Reason.BAD_VALUE


LABEL = '"key":"flag","value":"Yes"'
FLAG = '"key":"flag","value":true'


def faulty(written: str, instead: str) -> bytes:
    """Return an Update with labels, a piece of it written otherwise."""
    sent = update(
        {"money": money("1"), "flag": True, "text": "x"}, {"money": "$1", "flag": "Yes", "text": "X"}
    )
    assert written.encode() in sent
    return sent.replace(written.encode(), instead.encode())


FAULTY = {
    "a label without key": faulty(LABEL, '"value":"Yes"'),
    "a label whose key is no text": faulty(LABEL, '"key":false,"value":"Yes"'),
    "a label with two keys": faulty(LABEL, '"key":"flag","key":"flog","value":"Yes"'),
    "a label with two values": faulty(
        '"key":"flag","value":"Yes"', '"key":"flag","value":"Yes","value":"No"'
    ),
    "a value without key": faulty(FLAG, '"value":true'),
    "two values, the first null": faulty(
        '"key":"flag","value":true', '"key":"flag","value":null,"value":true'
    ),
    "no key after a null": faulty(
        '"key":"flag","value":true},{"key":"text"', '"key":"flag","value":null},{"Key":"text"'
    ),
    "a Target whose name is no text": body(
        context("Delete", inputs={"Target": {**lookup(ACCOUNT, "account"), "Name": 5}})
    ),
}


@pytest.mark.parametrize("sent", FAULTY.values(), ids=list(FAULTY))
def test_a_faulty_pair_is_found_wherever_it_stands(sent: bytes) -> None:
    (verdict,) = flattened([sent]).verdicts
    assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, Reason.BAD_VALUE)


ATOMS: list[Tree] = [
    None,
    True,
    "",
    "x",
    "Delete",
    "/Date(5)/",
    "/Date(5+0200)/",
    '},{"key":"',
    '","value":',
    "\\",
    "漢😀",
    ACCOUNT,
    [],
    {},
    *({"number": text} for text in ("0", "-0", "1.0", "1e0", "5.50", "99999999999999999999", "1E+400")),
    [{"key": "a", "value": {"number": "1"}}, {"key": "b", "value": "x"}],
    *(exact(json.dumps(each)) for each in (option(option(5)), NULL_OPTION, NULL_MONEY, [option(1), 2])),
]


def parts(tree: Tree) -> Iterator[Tree]:
    """Yield every object and every list that is not empty, but for what is never read."""
    if tree and isinstance(tree, dict | list) and not is_number(tree):
        yield tree
    for each in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        if each[0] != "ParentContext":
            yield from parts(each[1])


def is_number(tree: Tree) -> bool:
    return isinstance(tree, dict) and tree.keys() == {"number"}


def mangled(sent: bytes, chance: random.Random) -> bytes:
    """Change a few places of a message at random."""
    tree = exact(sent)
    for _ in range(chance.choice((1, 1, 2, 4))):
        part = chance.choice(list(parts(tree)))
        at = chance.choice(list(part) if isinstance(part, dict) else range(len(part)))
        chance.choice(CHANGES)(part, at, chance)
    return as_sent(tree)


def put_atom(part: Tree, at: Any, chance: random.Random) -> None:
    part[at] = chance.choice(ATOMS)


def remove(part: Tree, at: Any, _: random.Random) -> None:
    del part[at]


def shuffle(part: Tree, _: Any, chance: random.Random) -> None:
    if isinstance(part, dict):
        order = chance.sample(list(part), len(part))
        for name in sorted(order, key="__type".__ne__):
            part[name] = part.pop(name)
    else:
        chance.shuffle(part)


def rename(part: Tree, at: Any, chance: random.Random) -> None:
    if isinstance(part, dict):
        part[chance.choice(("key", "value", "Value", "Id", "Name", "New"))] = part.pop(at)


def repeat(part: Tree, at: Any, chance: random.Random) -> None:
    if isinstance(part, list):
        part.insert(chance.randrange(len(part) + 1), part[at])


Change = Callable[[Tree, Any, random.Random], None]
CHANGES: list[Change] = [
    put_atom,
    put_atom,
    remove,
    shuffle,
    rename,
    repeat,
]


@pytest.mark.usefixtures("conformance")
@pytest.mark.parametrize("seed", range(16))
def test_neither_company_nor_a_blank_changes_what_becomes_of_a_mangled_message(seed: int) -> None:
    chance = random.Random(seed)
    types = known(chance.choice((BY_FORM, BY_METADATA)))[1]
    good = [case.body.removeprefix(b"\xef\xbb\xbf") for case in cases().values()]
    some = chance.sample(good, 6)
    sent = [mangled(each, chance) for each in some for _ in range(2)]
    together = meanings(flattened(sent, types))
    assert meanings(flattened([b" " + each for each in sent], types)) == together
    assert meanings_alone(sent, types) == together
