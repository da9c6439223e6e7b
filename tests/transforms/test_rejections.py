"""What is rejected, why, and that nothing else suffers."""

import sys
from typing import Any

import pytest

from cdsbridge.transforms.encodings import open_body
from cdsbridge.transforms.rules import Filter, FlattenRules, Limits

from .bodies import (
    NONE,
    batch,
    body,
    collection,
    context,
    data,
    entity,
    flatten,
    image,
    only,
    rejection,
    rows,
    typed,
    update,
    written,
)

GOOD = update({"name": "A", "a": None})
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "undecodable"),
    "blank": (b" \r\n ", "undecodable"),
    "cut off": (GOOD[:-1], "undecodable"),
    "cut in a string": (GOOD[:500], "undecodable"),
    "trailing bytes": (GOOD + b"}", "undecodable"),
    "no UTF-8": (GOOD.replace(b"org1", b"org\xff"), "undecodable"),
    "no UTF-8 where nothing is read": (GOOD.replace(b"Mozilla", b"Moz\xc3"), "undecodable"),
    "NaN": (GOOD.replace(b'"Depth":1', b'"Depth":NaN'), "undecodable"),
    "half of UTF-16": (b"\xff\xfe{\x00", "undecodable"),
    "an odd byte of UTF-16": (b"\xff\xfe{\x00}\x00 ", "undecodable"),
    "UTF-16 without a mark": (GOOD.decode().encode("utf-16-le"), "undecodable"),
    "UTF-32": (GOOD.decode().encode("utf-32"), "unknown-encoding"),
    "text": (b"hello", "unknown-encoding"),
    "text that begins as binary XML might": (b"@hello", "undecodable"),
    "text that begins as binary XML does not": (b"Ahello", "unknown-encoding"),
    "XML of another namespace": (b"\xef\xbb\xbf  <RemoteExecutionContext/>", "not-a-context"),
    "binary XML that ends": (b"@\x16RemoteExecutionContext", "undecodable"),
    "a list": (b"[1]", "not-a-context"),
    "another event": (b'{"id":1,"eventType":"x"}', "not-a-context"),
    "a string without object": (b'"text"', "not-a-context"),
    "no message name": (body(context("Update", MessageName=None)), "not-a-context"),
    "no time": (update({"a": "1"}, OperationCreatedOn=None), "not-a-context"),
    "no table": (
        body(context("Update", inputs={"Target": entity({}, "")}, PrimaryEntityName="none")),
        "no-table",
    ),
    "no key": (
        body(context("Update", inputs={"Target": entity({}, identity=NONE)}, PrimaryEntityId=NONE)),
        "no-key",
    ),
    "a key that is no GUID": (update({"a": "1"}, PrimaryEntityId="1"), "bad-value"),
    "a time that is no date": (update({"a": "1"}, OperationCreatedOn="/Date(x)/"), "bad-value"),
    "a time out of range": (update({"modifiedon": "/Date(999999999999999)/"}), "bad-value"),
    "a depth that is text": (update({"a": "1"}, Depth="one"), "bad-value"),
    "a member twice": (GOOD[:-1] + b',"Mode":1}', "bad-value"),
    "an attribute twice": (GOOD.replace(b'"key":"a"', b'"key":"name"'), "bad-value"),
    "a value twice": (
        update({"a": typed("Money", Value=1)}).replace(b'"Value":1', b'"Value":1,"Value":2'),
        "bad-value",
    ),
    "a label twice": (
        update({"a": True}, {"a": "Yes", "b": "No"}).replace(b'"key":"b"', b'"key":"a"'),
        "bad-value",
    ),
    "the text of a label twice": (
        update({"a": 5}, {"a": "5"}).replace(b'"value":"5"', b'"value":"5","value":"6"'),
        "bad-value",
    ),
    "a parameter twice": (
        body(context("Update", inputs={"Target": entity({}), "Other": 1})).replace(b'"Other"', b'"Target"'),
        "bad-value",
    ),
    "another parameter twice": (
        body(context("Update", inputs={"Target": entity({}), "a": 1, "b": 2})).replace(b'"b"', b'"a"'),
        "bad-value",
    ),
    "attributes that are no list": (
        GOOD.replace(b'"Attributes":[', b'"Attributes":{"a":[').replace(b'null}],"En', b'null}]},"En'),
        "bad-value",
    ),
    "a pair without key": (GOOD.replace(b'{"key":"a","value":null}', b'{"value":null}'), "bad-value"),
    "a table name of half a pair": (update({"a": "1"}, PrimaryEntityName="\ud800"), "bad-value"),
}


@pytest.mark.parametrize(("sent", "reason"), BAD.values(), ids=list(BAD))
def test_a_bad_message_is_rejected_with_its_reason(sent: bytes, reason: str) -> None:
    assert rejection(flatten(sent)).reason == reason


def test_bad_messages_do_not_harm_good_ones() -> None:
    sent = [each for bad, _ in BAD.values() for each in (GOOD, bad)]
    flat = flatten(*sent)
    assert [verdict.outcome.value for verdict in flat.verdicts] == ["committed", "rejected"] * len(BAD)
    alone = only(flatten(GOOD))
    for number, row in enumerate(rows(flat)):
        assert {**alone, "_sequence_number": 2 * number, "_order": row["_order"]} == row


def test_a_column_of_a_bad_message_alone_is_not_made() -> None:
    bad = update({"only": "x", "revenue": typed("Money", Value="abc")})
    (table,) = flatten(GOOD, bad).tables
    assert "name" in table.records.schema.names
    assert "only" not in table.records.schema.names
    assert table.positions.to_pylist() == [0]


def test_a_rejection_says_where() -> None:
    verdict = rejection(flatten(GOOD[:-1] + b"\xff}"))
    assert verdict.where == f"byte {len(GOOD) - 1}"
    assert rejection(flatten(b"\xef\xbb\xbf" + GOOD[:-1])).where == f"byte {len(GOOD) + 2}"
    deep = body(context("Update", inputs={"Target": entity({"x": typed("Money", Value="abc")})}))
    assert rejection(flatten(deep)).where.startswith("InputParameters.Target")


def test_a_byte_order_mark_blanks_and_strings_are_seen_through() -> None:
    wrapped = written(GOOD.decode()).encode()
    for sent in (b"\xef\xbb\xbf" + GOOD, b"\r\n " + GOOD, wrapped, b"\xef\xbb\xbf" + wrapped):
        assert data(only(flatten(sent))) == {"name": "A"}
    assert open_body(wrapped, Limits()).wrappers == ("a JSON string",)


def test_a_string_in_a_string_is_not_seen_through_for_ever() -> None:
    text = GOOD.decode()
    for _ in range(3):
        text = written(text)
        assert data(only(flatten(text.encode()))) == {"name": "A"}
    verdict = rejection(flatten(written(text).encode()))
    assert verdict.reason == "too-large"
    assert "wrapped more than 3 times" in verdict.sentence


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_mark_is_read(encoding: str) -> None:
    text = update({"name": "é漢😀"}).decode()
    sent = f"\ufeff{text}".encode(encoding)
    assert data(only(flatten(sent))) == {"name": "é漢😀"}
    assert data(only(flatten(f"\ufeff  {written(text)}".encode(encoding)))) == {"name": "é漢😀"}


def test_a_wrong_content_type_does_not_matter() -> None:
    assert data(only(flatten(GOOD, content_type="application/xml"))) == {"name": "A"}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("levels", [2_000, 10_000, 100_000])
def test_deep_nesting_is_too_large_and_nothing_worse(levels: int) -> None:
    """What nobody reads may nest as deep as the interpreter follows: 2,000 levels since Python 3.12."""
    deep = b"[" * levels + b"]" * levels
    for place in (b'"SharedVariables":[]', b'"ParentContext":null'):
        name = place.partition(b":")[0]
        flat = flatten(GOOD.replace(place, name + b":" + deep))
        if levels > 2_000 or sys.version_info < (3, 12) or flat.verdicts[0].reason:
            assert rejection(flat).reason == "too-large"
        else:
            assert data(only(flat)) == data(only(flatten(GOOD)))
    assert rejection(flatten(update({"a": "?"}).replace(b'"?"', deep))).reason == "too-large"


def limited(**limits: int) -> FlattenRules:
    return FlattenRules(limits=Limits(**limits))


@pytest.mark.parametrize(
    ("sent", "rules"),
    [
        (GOOD, limited(body_bytes=len(GOOD) - 1)),
        (update({"a": "1", "b": "2", "c": "3"}), limited(attributes=2)),
        (update({"a": {"__type": "Lookup:x", "b": [[[1]]]}}), limited(depth=3)),
        (body(context("new_Do", inputs={"a": [[[[1]]]]})), limited(depth=4)),
        (update({f"c{number}": "x" for number in range(9)}), limited(columns=8)),
        (
            body(context("UpdateMultiple", inputs={"Targets": collection([image({})] * 3, "account")})),
            limited(rows=2),
        ),
    ],
    ids=["body", "attributes", "depth", "depth of an event", "columns", "rows"],
)
def test_limits_hold(sent: bytes, rules: FlattenRules) -> None:
    assert only_committed(flatten(sent))
    assert rejection(flatten(sent, rules=rules)).reason == "too-large"


def only_committed(flat: Any) -> bool:
    return [verdict.outcome.value for verdict in flat.verdicts] == ["committed"]


def test_a_message_at_the_limit_is_taken() -> None:
    sent = update({f"c{number}": "x" for number in range(9)})
    rules = limited(body_bytes=len(sent), attributes=9, columns=9)
    assert only_committed(flatten(sent, rules=rules))


@pytest.mark.parametrize(
    "rules",
    [
        FlattenRules(tables=Filter(exclude=("Account",))),
        FlattenRules(tables=Filter(include=("contact",))),
        FlattenRules(messages=Filter(exclude=("Update",))),
        FlattenRules(messages=Filter(include=("Create",))),
    ],
)
def test_rules_skip_messages(rules: FlattenRules) -> None:
    bad_but_skipped = update({"a": typed("Money", Value="abc")})
    flat = flatten(GOOD, bad_but_skipped, rules=rules)
    assert [(verdict.outcome.value, verdict.event, verdict.rows) for verdict in flat.verdicts] == [
        ("skipped", "", 0)
    ] * 2
    assert flat.tables == ()


def test_rules_skip_events_by_the_name_of_their_table() -> None:
    sent = body(context("new_Do", inputs={}, PrimaryEntityName="account"))
    taken = flatten(sent, rules=FlattenRules(tables=Filter(include=("event",))))
    skipped = flatten(sent, rules=FlattenRules(tables=Filter(include=("account",))))
    assert [flat.verdicts[0].outcome.value for flat in (taken, skipped)] == ["committed", "skipped"]


def test_an_excluded_name_is_left_even_if_included() -> None:
    rules = FlattenRules(tables=Filter(include=("account", "contact"), exclude=("account",)))
    assert flatten(GOOD, rules=rules).verdicts[0].outcome.value == "skipped"


@pytest.mark.timeout(20)
def test_many_values_of_another_form_are_read_in_bounded_time() -> None:
    odd = [update({"a": number if number % 3 else f"text {number}"}) for number in range(600)]
    flat = flatten(*odd)
    assert {verdict.outcome.value for verdict in flat.verdicts} == {"committed"}


def test_an_empty_batch_is_flattened_to_nothing() -> None:
    messages = batch()
    assert flatten(*(envelope.body for envelope in messages.envelopes)).tables == ()


ODD = "a\x1b[31m\n\u202e" + "x" * 5_000


@pytest.mark.parametrize(
    "sent",
    [
        body(context(ODD, OperationCreatedOn=None)),
        update({ODD: typed("Money", Value="x")}),
        body(
            context(
                "Update",
                inputs={"Target": entity({"a": typed("Money", Value="x")}, ODD)},
                PrimaryEntityName=ODD,
            )
        ),
        body(
            context(
                "Update",
                inputs={"Target": entity({}, ODD, NONE)},
                PrimaryEntityName=ODD,
                PrimaryEntityId=NONE,
            )
        ),
        update({"a": [typed(ODD, Value=1), {ODD: 1}], "b": {"__type": "Money:x", "Value": ODD}}),
    ],
)
def test_a_rejection_can_be_printed_whatever_the_names_in_a_message(sent: bytes) -> None:
    verdict = rejection(flatten(sent))
    for text in (verdict.sentence, verdict.where):
        assert text.isprintable()
        assert len(text) < 400
