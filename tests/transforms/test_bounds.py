"""Bodies made to be expensive: none takes much more memory than it has bytes; limits say their names."""

import tracemalloc
from collections.abc import Callable

import pytest

from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Verdict
from cdsbridge.transforms.flattener import Flattener
from cdsbridge.transforms.rules import FlattenRules, Limits

from .bodies import body, context, data, flatten, only, rejection, update
from .bodies import entity as record
from .nbfx import END, SDK, XSI, chars, element, length, xmlns

pytestmark = pytest.mark.timeout(20)
SIZE = 260_000
TIMES, MORE = 120, 4 << 20
"""Bytes that may be held at once: so many times the body, and so many more."""


def in_nbfx(*inside: bytes) -> bytes:
    head = xmlns(SDK), xmlns(XSI, "i"), element("MessageName", chars("new_DoIt"))
    return element("RemoteExecutionContext", *head, *inside, END)


def in_xml(inside: str) -> bytes:
    head = f'<RemoteExecutionContext xmlns="{SDK}" xmlns:i="{XSI}"><MessageName>new_DoIt</MessageName>'
    return f"{head}{inside}</RemoteExecutionContext>".encode()


def in_json(inside: bytes) -> bytes:
    return b'{"MessageName":"new_DoIt","OperationCreatedOn":"/Date(0)/",' + inside + b"}"


def array(count: int) -> bytes:
    return b"\x03" + element("b", END) + b"\xb5" + length(count) + b"\x01" * count


DEAR: dict[str, Callable[[], bytes]] = {
    "an array of truth values": lambda: in_nbfx(element("SharedVariables", array(50_000), END)),
    "an array beyond the limit": lambda: in_nbfx(element("SharedVariables", array(SIZE), END)),
    "texts in pieces": lambda: in_nbfx(element("SharedVariables", b"\x80" * SIZE, END)),
    "pieces of texts and bytes": lambda: in_nbfx(element("A", b"\x9e\x01a\x98\x01b" * (SIZE // 6), END)),
    "comments": lambda: in_nbfx(b"\x02\x00" * (SIZE // 2)),
    "empty elements": lambda: in_nbfx(element("InputParameters", b"\x40\x00\x01" * 50_000, END)),
    "elements of many names": lambda: in_nbfx(*(element(f"{at:05}", END) for at in range(28_000))),
    "empty elements of XML": lambda: in_xml(f"<InputParameters>{'<a/>' * 50_000}</InputParameters>"),
    "names of XML": lambda: in_xml("".join(f"<a{at}/>" for at in range(28_000))),
    "prefixes of XML": lambda: in_xml("".join(f"<a xmlns:p{at}='x'/>" for at in range(12_000))),
    "references to what XML forbids": lambda: in_xml(f"<a>{'&#0;' * (SIZE // 4)}</a>"),
    "texts between comments": lambda: in_xml(f"<a>{'x<!---->' * (SIZE // 8)}</a>"),
    "a number of a million digits": lambda: in_xml(f"<Depth>{'9' * SIZE}</Depth>"),
    "numbers of JSON": lambda: in_json(b'"InputParameters":[' + b"1," * 50_000 + b"1]"),
    "objects of JSON": lambda: in_json(b'"InputParameters":[' + b'{"":1},' * 16_000 + b"1]"),
    "lists of JSON": lambda: in_json(b'"InputParameters":[' + b"[]," * 50_000 + b"1]"),
    "a number of JSON": lambda: in_json(b'"Depth":' + b"9" * SIZE),
    "a date of JSON": lambda: in_json(b'"OperationCreatedOn":"/Date(' + b"9" * SIZE + b')/"'),
    "quotes": lambda: b'"' * SIZE,
    "braces": lambda: b"{" * SIZE,
}


@pytest.mark.parametrize("made", DEAR.values(), ids=list(DEAR))
def test_no_body_takes_much_more_memory_than_it_has_bytes(made: Callable[[], bytes]) -> None:
    sent = made()
    assert len(sent) <= 1 << 20
    messages = MicroBatch("q", (Envelope(sent, "q", 1),))
    flattener = Flattener()
    tracemalloc.start()
    try:
        (verdict,) = flattener.flatten(messages).verdicts
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < TIMES * len(sent) + MORE
    assert "report it" not in verdict.sentence
    assert len(verdict.sentence) < 400


def too_large(sent: bytes, **limits: float) -> Verdict:
    """See a body taken as it is, and rejected as too large with other limits."""
    (verdict,) = flatten(sent).verdicts
    assert verdict.outcome.value == "committed", verdict
    rejected = rejection(flatten(sent, rules=FlattenRules(limits=Limits.model_validate(limits))))
    assert rejected.reason == "too-large"
    return rejected


def test_the_limit_of_bytes_says_both_sizes() -> None:
    sent = update({"a": "1"})
    assert too_large(sent, body_bytes=100).sentence == f"the body has {len(sent)} bytes; the limit is 100"


def test_the_limit_of_elements_holds_in_json() -> None:
    sent = body(context("new_DoIt", inputs={"a": [1] * 600}))
    assert "more than 500 members and items, the limit `elements`" in too_large(sent, elements=500).sentence


def test_the_limit_of_attributes_says_how_many_there_are() -> None:
    verdict = too_large(update({f"c{at}": "x" for at in range(9)}), attributes=8)
    assert "has 9 attributes; the limit is 8" in verdict.sentence
    assert verdict.where == "InputParameters.Target"


def test_the_limit_of_columns_says_how_many_there_are() -> None:
    verdict = too_large(update({f"c{at}": "x" for at in range(9)}), columns=8)
    assert verdict.sentence == "a row of account has 9 columns; the limit is 8"


def test_the_limit_of_depth_says_its_name() -> None:
    sent = body(context("new_DoIt", inputs={"a": [[[[1]]]]}))
    assert "deeper than the limit `depth` allows" in too_large(sent, depth=4).sentence


@pytest.mark.parametrize("rows", [2, 9])
def test_the_limit_of_rows_says_how_many_there_are(rows: int) -> None:
    targets = [{"key": "Targets", "value": [entity_of(at) for at in range(rows + 1)]}]
    sent = body({**context("UpdateMultiple"), "InputParameters": targets})
    assert too_large(sent, rows=rows).sentence == f"the message has {rows + 1} rows; the limit is {rows}"


def entity_of(number: int) -> dict[str, object]:
    return {
        "__type": f"Entity:{SDK}",
        "Attributes": [],
        "FormattedValues": [],
        "Id": f"{number:08}-0000-4000-8000-000000000000",
        "LogicalName": "account",
    }


@pytest.mark.parametrize("depth", [60, 200, 3_000])
def test_records_in_records_end_at_a_limit(depth: int) -> None:
    inner = '{"__type":"Entity:x","Attributes":[{"key":"a","value":'
    sent = update({"a": "?"}).replace(b'"?"', (inner * depth + "1" + "}]}" * depth).encode())
    assert rejection(flatten(sent)).reason == "too-large"


def test_commas_in_texts_are_no_items() -> None:
    sent = body(context("Update", inputs={"Target": record({"name": "," * 150_000})}))
    assert data(only(flatten(sent)))["name"] == "," * 150_000
    many = body(context("Update", inputs={"Target": record({"name": "A"})}, SharedVariables=[0] * 100_001))
    assert rejection(flatten(many)).reason == "too-large"


def test_looking_for_texts_in_a_broken_body_ends() -> None:
    sent = b"," * 100_001 + b'"' + b'\\"' * 400_000
    assert rejection(flatten(b"{" + sent)).reason == "too-large"
