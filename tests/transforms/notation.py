"""How a body is written: its parts by the paths of an oracle, its numbers digit by digit, its dates."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

DATE = re.compile(r"/Date\((-?\d+)(?:([+-])(\d\d)(\d\d))?\)/", re.ASCII)


def parts(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object in a tree."""
    if isinstance(tree, dict):
        yield tree
    for each in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from parts(each)


MEMBERS = {
    "input_parameters": "InputParameters",
    "output_parameters": "OutputParameters",
    "pre_images": "PreEntityImages",
    "post_images": "PostEntityImages",
    "attributes": "Attributes",
    "entities": "Entities",
    "key_attributes": "KeyAttributes",
    "value": "Value",
}


def at(tree: Any, steps: Iterable[str]) -> Any:
    """Follow a path of the oracle through a body: members by name, pairs by key, items by number."""
    for step in steps:
        if isinstance(tree, dict):
            tree = tree if step == "items" else tree[MEMBERS.get(step, step)]
        elif step == "items":
            continue
        elif tree and isinstance(tree[0], dict) and "key" in tree[0]:
            (tree,) = (pair["value"] for pair in tree if pair["key"] == step)
        else:
            tree = tree[int(step)]
    return tree


def exact(text: str | bytes) -> Any:
    """Parse JSON; a number becomes its text, so that 1.50 is not 1.5."""
    return json.loads(text, parse_int=_number, parse_float=_number)


def _number(text: str) -> dict[str, str]:
    return {"number": text}


def ticks_of(wall_clock: str) -> int:
    """Return units of 100 ns since 1970."""
    second, _, fraction = wall_clock.partition(".")
    passed = datetime.fromisoformat(second) - datetime(1970, 1, 1)
    return (passed.days * 86_400 + passed.seconds) * 10_000_000 + int(fraction)


def written_date(text: str) -> datetime:
    """Return what a text means that nothing tells from a date."""
    match = DATE.fullmatch(text)
    assert match is not None
    number, sign, hours, minutes = match.groups(default="0")
    shift = (int(hours) * 60 + int(minutes)) * 60_000
    return utc(int(number) + (-shift if sign == "-" else shift))


def utc(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def rewritten(tree: Any, indent: int | None = None, ascii_only: bool = False) -> str:
    """Write what :func:`exact` read; numbers as they were."""
    blanks = (",", ":") if indent is None else None
    marked = json.dumps(_marked(tree), indent=indent, ensure_ascii=ascii_only, separators=blanks)
    return MARKED.sub(r"\1", marked)


def as_sent(tree: Any) -> bytes:
    """Write a tree as compactly as the sender does, with every slash escaped."""
    return rewritten(tree).replace("/", "\\/").encode()


MARK = "\x00number "
MARKED = re.compile(r'"\\u0000number ([^"]*)"')


def _marked(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_marked(each) for each in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.keys() == {"number"}:
        return MARK + tree["number"]
    return {name: _marked(each) for name, each in tree.items()}


def as_iso(ticks: int) -> str:
    """Return units of 100 ns since 1970 as ISO 8601, as short as it is exact."""
    seconds, rest = divmod(ticks, 10_000_000)
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    return f"{moment.isoformat()}{f'.{rest:07d}'.rstrip('0') if rest else ''}Z"


def dated(tree: Any) -> Any:
    """Return a tree in which texts that nothing tells from dates are in ISO 8601."""
    if isinstance(tree, list):
        return [dated(each) for each in tree]
    if isinstance(tree, dict):
        return {name: dated(each) for name, each in tree.items()}
    if isinstance(tree, str) and DATE.fullmatch(tree):
        try:
            return as_iso((written_date(tree) - datetime(1970, 1, 1, tzinfo=UTC)) // RESOLUTION * 10)
        except OverflowError:
            return tree
    return tree


RESOLUTION = timedelta(microseconds=1)
