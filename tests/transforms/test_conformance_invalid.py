"""Damaged and unusual bodies are treated as their notes say, in bounded time and memory, and harm nobody."""

import hashlib
import json
import tracemalloc
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pytest

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.envelope import Envelope
from cdsbridge.model.verdict import Outcome, Reason, Verdict
from cdsbridge.transforms.flattener import Flattener
from cdsbridge.transforms.rules import FlattenRules, Limits

from .conforming import ENCODINGS, delivery, differences, flattened, rows_of_message
from .conftest import CONFORMANCE
from .notation import exact
from .placing import Expected
from .reference import Reference
from .telling import JsonTelling, XmlTelling

pytestmark = [pytest.mark.usefixtures("conformance"), pytest.mark.timeout(10)]
INVALID = CONFORMANCE / "invalid"
MEGABYTES = 1 << 20
XML, NBFX = "text XML", ".NET binary XML"


class Rejected(NamedTuple):
    """How a body is to be rejected.

    Attributes:
        reason: The code.
        where: The place must hold this; empty where none can be named.
        says: The sentence must hold these.
    """

    reason: Reason
    where: str = ""
    says: tuple[str, ...] = ()


REJECTED = {
    "ax01": Rejected(Reason.UNDECODABLE, "byte 5", ("JSON",)),
    "ax02": Rejected(Reason.UNDECODABLE, "byte 3686", ("JSON",)),
    "ax03": Rejected(Reason.UNDECODABLE, "byte 0", ("empty",)),
    "ax04": Rejected(Reason.UNDECODABLE, "", ("NaN",)),
    "ax05": Rejected(Reason.BAD_VALUE, "context", ("MessageName", "twice")),
    "ax06": Rejected(Reason.BAD_VALUE, "numberofemployees", ("numberofemployees", "twice")),
    "ax07": Rejected(Reason.UNDECODABLE, "byte 486", ("UTF-8",)),
    "ax08": Rejected(Reason.BAD_VALUE, "revenue", ("revenue", "number")),
    "ax10": Rejected(Reason.TOO_LARGE, "", ("nests",)),
    "ax11": Rejected(Reason.BAD_VALUE, "OperationCreatedOn", ("/Date(abc)/",)),
    "ax12": Rejected(Reason.BAD_VALUE, "PrimaryEntityId", ("GUID",)),
    "ax13": Rejected(Reason.NOT_A_CONTEXT, "", ("MessageName",)),
    "ax15": Rejected(Reason.UNDECODABLE, "byte 5503", (XML, "well-formed")),
    "ax16": Rejected(Reason.UNDECODABLE, "byte 33", (XML, "document type")),
    "ax17": Rejected(Reason.UNDECODABLE, "byte 12", (XML, "document type")),
    "ax18": Rejected(Reason.NOT_A_CONTEXT, "byte 0", (XML, "'RemoteExecutionContent'")),
    "ax19": Rejected(Reason.UNDECODABLE, "byte 741", ("prefix 'b'", "not declared")),
    "ax21": Rejected(Reason.UNDECODABLE, "byte 926", (NBFX, "ends inside a record")),
    "ax22": Rejected(Reason.UNDECODABLE, "byte 920", (NBFX, "0xFE")),
    "ax23": Rejected(Reason.UNDECODABLE, "byte 5381", (NBFX, "ends inside a record")),
    "ax24": Rejected(Reason.UNKNOWN_ENCODING, "byte 3689", (NBFX, "0x42", "dictionary")),
    "ax25": Rejected(Reason.UNDECODABLE, "byte 5378", (NBFX, "behind the end")),
    "ax26": Rejected(Reason.UNDECODABLE, "byte 924", (NBFX, "UTF-8")),
    "ax27": Rejected(Reason.TOO_LARGE, "byte 1259", ("nest", "120", "`nesting`")),
    "ax29": Rejected(Reason.NOT_A_CONTEXT, "byte 0", (f"a {NBFX} string", "neither JSON nor XML")),
    "ax30": Rejected(Reason.TOO_LARGE, "", ("10485760",)),
}
"""What stands in a larger set of the same kind and not here is judged by its note alone."""


class Body(NamedTuple):
    """A body of the set."""

    number: str
    expect: str
    content: bytes

    def __repr__(self) -> str:
        return f"{self.number}, {len(self.content)} bytes"


def names() -> list[str]:
    index = INVALID / "INDEX.json"
    entries = json.loads(index.read_text()) if index.exists() else []
    return [entry["body"] for entry in entries] or ["no conformance set"]


def body_of(name: str) -> Body:
    stem = name.rpartition(".")[0]
    note = (INVALID / f"{stem}.note.txt").read_text()
    (expect,) = (line.removeprefix("expect: ") for line in note.splitlines() if line.startswith("expect: "))
    built = INVALID / f"{stem}.params.json"
    content = build(json.loads(built.read_text())) if built.exists() else (INVALID / name).read_bytes()
    return Body(name[:4], expect, content)


def build(described: Mapping[str, Any]) -> bytes:
    """Return a body that is not stored but described."""
    content = b"".join(part_of(part) * part.get("repeat", 1) for part in described["parts"])
    assert len(content) == described["length"]
    assert hashlib.sha256(content).hexdigest() == described["sha256"]
    return content


def part_of(part: Mapping[str, Any]) -> bytes:
    if "text" in part:
        return str(part["text"]).encode()
    if "hex" in part:
        return bytes.fromhex(part["hex"])
    if "file" in part:
        return (INVALID / part["file"]).read_bytes()[part["from"] : part.get("to")]
    seed, length = part["sha256_stream"]["seed"].encode(), part["sha256_stream"]["length"]
    blocks = (hashlib.sha256(seed + at.to_bytes(8, "big")).digest() for at in range(-(-length // 32)))
    return b"".join(blocks)[:length]


def base(encoding: str = "json") -> bytes:
    return (INVALID / f"base.{encoding}").read_bytes()


def within(megabytes: int, act: Callable[[], FlattenedBatch]) -> FlattenedBatch:
    """Do something that may hold that much memory at once."""
    tracemalloc.start()
    try:
        done = act()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < megabytes * MEGABYTES
    return done


def check_rejection(verdict: Verdict, expected: Rejected | None) -> None:
    assert verdict.outcome == Outcome.REJECTED
    assert (verdict.event, verdict.rows) == ("", 0)
    assert verdict.reason in set(Reason)
    for text in (verdict.sentence, verdict.where):
        assert len(text) < 500
        assert text.isprintable()
    assert verdict.sentence
    assert "report it" not in verdict.sentence
    if expected is not None:
        assert verdict.reason == expected.reason
        assert expected.where in verdict.where
        assert bool(expected.where) == bool(verdict.where)
        for word in expected.says:
            assert word in verdict.sentence


def test_the_table_of_rejections_is_of_this_set() -> None:
    rejected = {body.number for body in map(body_of, names()) if body.expect in {"reject", "either"}}
    assert rejected >= REJECTED.keys()


def encoding_of(body: bytes) -> str:
    return {b"{": "json", b"<": "xml", b"@": "bin"}[body[:1]]


def expected_rows(encoding: str) -> list[Expected]:
    """Return the row of the base in an encoding, from its oracle."""
    entry = {"case": "base", "writer_time_zone": "UTC", "tags": [], "json_date_exceptions": []}
    telling = JsonTelling(entry, exact(base())) if encoding == "json" else XmlTelling()
    return Reference(oracle(), telling, {}).expected()


def oracle() -> Any:
    return json.loads((INVALID / "base.oracle.json").read_text())


def differs_from_base(
    body: bytes, replaced: str = "", unknown: object = None, encoding: str = ""
) -> list[object]:
    """Return how the row of a body differs from that of the base.

    Args:
        body: The body.
        replaced: A column whose value was replaced by one of no known type.
        unknown: That value, as :func:`exact` reads it.
        encoding: Its encoding; else its first byte tells.
    """
    (row,) = expected_rows(encoding or encoding_of(body))
    if replaced:
        row.cells = {cell: held for cell, held in row.cells.items() if not cell[0].startswith(replaced)}
        row.extra[replaced] = unknown
    return differences(oracle(), [row], body)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_base_is_what_its_oracle_says(encoding: str) -> None:
    assert differs_from_base(base(encoding)) == []


FANCY = exact(
    '{"__type":"FancyValue:http://schemas.microsoft.com/xrm/2011/Contracts","Value":1,"Extra":{"a":[1]}}'
)


@pytest.mark.parametrize("name", names())
def test_a_body_is_treated_as_its_note_says(name: str) -> None:
    body = body_of(name)
    flat = within(64, lambda: flattened([body.content]))
    (verdict,) = flat.verdicts
    if body.expect == "reject" or (body.expect == "either" and verdict.outcome == Outcome.REJECTED):
        check_rejection(verdict, REJECTED.get(body.number))
        assert flat.tables == ()
    elif body.expect == "tolerate-same":
        assert differs_from_base(body.content) == []
    elif body.number == "ax09":
        assert differs_from_base(body.content, "parentaccountid", FANCY) == []
    else:
        assert (verdict.outcome, verdict.rows, verdict.sentence) == (Outcome.COMMITTED, 1, "")


@pytest.mark.parametrize("mixed_with", [1, 10])
def test_bad_bodies_leave_their_neighbours_as_they_are(mixed_with: int) -> None:
    good = [
        base(),
        *(base(each) for each in ENCODINGS),
        *(path.read_bytes() for path in sorted((CONFORMANCE / "published").glob("*.json"))),
    ]
    bad = [body_of(name) for name in names()]
    sent: list[Envelope] = []
    neighbours: list[Envelope] = []
    where: dict[int, Body] = {}
    for at, body in enumerate(bad):
        for each in good[at % len(good) :][:mixed_with]:
            neighbours.append(delivery(len(sent), each))
            sent.append(neighbours[-1])
        where[len(sent)] = body
        sent.append(delivery(len(sent), body.content))
    flat = within(128, lambda: flattened(sent))
    undisturbed = flattened(neighbours)
    assert [flat.verdicts[at] for at in range(len(sent)) if at not in where] == list(undisturbed.verdicts)
    assert rows_beside(flat, where) == rows_beside(undisturbed, ())
    for at, body in where.items():
        if body.expect.startswith("tolerate"):
            assert flat.verdicts[at].outcome == Outcome.COMMITTED
        elif flat.verdicts[at].outcome == Outcome.REJECTED or body.expect == "reject":
            check_rejection(flat.verdicts[at], REJECTED.get(body.number))
            assert rows_of_message(flat, at) == {}


def rows_beside(flat: FlattenedBatch, others: Iterable[int]) -> list[object]:
    """Return the rows of all messages but some, in the order of the messages."""
    every = range(len(flat.verdicts))
    return [rows_of_message(flat, at) for at in every if at not in others]


def test_a_flattener_that_met_bad_bodies_reads_good_ones_as_before() -> None:
    fresh = rows_of_message(flattened([base()]))
    used = Flattener()
    for name in names():
        flattened([body_of(name).content], by=used)
        assert rows_of_message(flattened([base()], by=used)) == fresh, name


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_message_cut_anywhere_is_rejected_whole(encoding: str) -> None:
    whole = base(encoding)
    cut = [whole[:length] for length in range(0, len(whole), 7 if encoding == "json" else 3)]
    flat = flattened([*cut, whole])
    assert flat.verdicts[-1].outcome == Outcome.COMMITTED
    assert sum(each.records.num_rows for each in flat.tables) == 1
    for at, verdict in enumerate(flat.verdicts[:-1]):
        check_rejection(verdict, None)
        known = Reason.UNKNOWN_ENCODING if len(cut[at]) == 1 and encoding == "bin" else Reason.UNDECODABLE
        assert (verdict.reason, len(cut[at])) == (known, len(cut[at]))


def test_garbage_below_the_limit_of_size_is_refused_as_quickly() -> None:
    garbage = body_of("ax30_any_garbage_10mb.bin").content
    rules = FlattenRules(limits=Limits(body_bytes=len(garbage)))
    for first in (b"", b"{", b"[", b'"', b"\xef\xbb\xbf{", b"<", b"@"):
        body = first + garbage[len(first) :]
        (verdict,) = within(128, lambda body=body: flattened([body], by=Flattener(rules=rules))).verdicts  # type: ignore[misc]
        assert verdict.outcome == Outcome.REJECTED
        assert verdict.reason in {Reason.UNDECODABLE, Reason.UNKNOWN_ENCODING}
        assert len(verdict.sentence) < 500
        assert verdict.sentence.isprintable()
