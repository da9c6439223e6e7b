"""Reading in bulk gives what reading one by one gives, and what the naive flattener gives."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import compare
import naive
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdsbridge.emulator.dataverse import Organization, metadata, traffic
from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.tables.types import ColumnTypes, Kind
from cdsbridge.transforms.flattener import Flattener
from cdsbridge.transforms.gather import Gatherer
from cdsbridge.transforms.identity import event_id
from cdsbridge.transforms.pool import Pool
from cdsbridge.transforms.rules import FlattenRules
from cdsbridge.transforms.slots import Slots

from .bodies import (
    ACCOUNT,
    CONTACT,
    NONE,
    Tree,
    agree,
    batch,
    body,
    cells,
    collection,
    context,
    entity,
    flatten,
    image,
    lookup,
    money,
    option,
    rows,
    thoroughly,
    typed,
    update,
)

TYPES = ColumnTypes(
    {"account": {"known": Kind.DOUBLE, "day": Kind.DATE, "whole": Kind.INTEGER, "blob": Kind.BINARY}}
)

numbers = st.one_of(
    st.integers(-(2**65), 2**65),
    st.decimals(allow_nan=False, allow_infinity=False, places=11).map(Decimal),
    st.sampled_from([Decimal("1E+18"), Decimal("-0"), Decimal("0.10"), Decimal("1E-9"), Decimal("1E+400")]),
)
texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ['","value":', '},{"key":"', "null", "\\", '"', "/Date(0)/", "/Date(abc)/", "]", "\u2028"]
    ),
)
dates = st.builds(
    "/Date({}{})/".format,
    st.one_of(st.integers(-(10**15), 10**15), st.integers(-5, 5).map(lambda day: day * 86_400_000)),
    st.sampled_from(["", "+0000", "-0700", "+0530", "+1", "-07000"]),
)
lookups = st.builds(
    lookup, st.sampled_from([CONTACT, NONE]), st.sampled_from(["contact", "team"]), st.none() | texts
)
values: st.SearchStrategy[Tree] = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    texts,
    dates,
    lookups,
    st.integers(-3, 3).map(option),
    numbers.map(lambda amount: typed("Money", Value=amount)),
    st.lists(st.integers(-3, 3).map(option), max_size=3),
    st.sampled_from(
        [
            [0, 255],
            [1.5],
            lookup(NONE, "account", keys=[{"key": "a", "value": 1}]),
            lookup(CONTACT, "contact", keys=[{"key": "a", "value": '},{"key":"'}]),
            typed("Money", Value="abc"),
            typed("FancyValue", Value=[1]),
            typed("AliasedValue", Value=money("1")),
            collection([image({"partyid": lookup(CONTACT, "contact")}, "activityparty", NONE)], None),
            [{"key": "a", "value": 1}],
        ]
    ),
)
keys = st.sampled_from(
    ["a", "b", "c", "aname", "known", "day", "whole", "blob", "modifiedon", "Name", "id", "é", "x y"]
)
attributes = st.dictionaries(keys, values, max_size=6)
labels = st.dictionaries(keys, texts, max_size=3)
records = st.builds(
    lambda a, f, i: image(a, labels=f, identity=i), attributes, labels, st.sampled_from([ACCOUNT, CONTACT])
)
images = st.dictionaries(st.sampled_from(["AsynchronousStepPrimaryName", "x", "y"]), records, max_size=2)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    message = draw(
        st.sampled_from(["Create", "Update", "Update", "Delete", "SetState", "Assign", "Merge", "new_Do"])
    )
    target: Tree = entity(draw(attributes), labels=draw(labels))
    inputs: dict[str, Tree] = {"Target": target}
    if message in {"Delete", "Assign", "Merge"}:
        inputs = {"Target": lookup(ACCOUNT, "account"), "Assignee": draw(values), "UpdateContent": target}
    if message == "SetState":
        inputs = {"EntityMoniker": lookup(ACCOUNT, "account"), "State": draw(values), "Status": draw(values)}
    sent = context(message, inputs=inputs, pre=draw(images), post=draw(images))
    sent["PrimaryEntityName"] = draw(st.sampled_from(["account", "account", "Contact", "none"]))
    return draw(spoilt(body(sent)))


def spoilt(sent: bytes) -> st.SearchStrategy[bytes]:
    """Mostly the body as it is; else with a few bytes of it changed."""
    edits = [
        (b'"Mode":1', b'"Mode":1,"Mode":1'),
        (b'"Stage":40', b'"Stage":40,"Later":{}'),
        (b":", b": "),
        (b"\\/", b"/"),
        (b'"key":"a"', b'"key":"b"'),
        (b'{"key":"a",', b'{"extra":1,"key":"a",'),
        (b'"RowVersion":null', b'"RowVersion":"7"'),
        (b'"Attributes":[', b'"Attributes":null,"Others":['),
        (b'"Value":', b'"Value":1,"Value":'),
        (b'"FormattedValues":[]', b'"FormattedValues":null'),
        (b"a", b"\\u0061"),
        (b"}", b""),
        (ACCOUNT.encode(), ACCOUNT.upper().encode()),
    ]
    edited = [sent.replace(old, new) for old, new in edits] + [
        sent.replace(old, new, 1) for old, new in edits
    ]
    return st.one_of(st.just(sent), st.just(sent), st.sampled_from(edited))


@settings(max_examples=300, deadline=None)
@given(st.lists(bodies(), min_size=1, max_size=5))
def test_reading_in_bulk_gives_what_reading_one_by_one_gives(sent: list[bytes]) -> None:
    flatten(*sent)
    flatten(*sent, types=TYPES)


@settings(max_examples=60, deadline=None)
@given(st.lists(bodies(), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_company_and_order_change_no_row(sent: list[bytes], rng: random.Random) -> None:
    """However messages are mixed and split, by one flattener, each gives its verdict and its rows."""
    flattener = Flattener(TYPES)
    envelopes = [Envelope(each, "q", number) for number, each in enumerate(sent)]
    alone = {
        each.sequence_number: outcome(Flattener(TYPES).flatten(MicroBatch("q", (each,))))[0]
        for each in envelopes
    }
    for _ in range(3):
        rng.shuffle(envelopes)
        cut = rng.randrange(1, len(envelopes))
        for part in (envelopes[:cut], envelopes[cut:]):
            found = outcome(flattener.flatten(MicroBatch("q", tuple(part))))
            assert found == [alone[each.sequence_number] for each in part]


def outcome(flat: FlattenedBatch) -> list[tuple[Any, Any]]:
    """Return verdict and cells of every message."""
    told: list[dict[Any, Any]] = [{} for _ in flat.verdicts]
    for (table, row, column, kind), value in cells(flat).items():
        event, _, position = row.partition(" of message ")
        told[int(position)][table, event, column, kind] = value
    assert len(flat.verdicts) == len(flat.batch.envelopes)
    for verdict, found in zip(flat.verdicts, told, strict=True):
        events = {event for _, event, _, _ in found}
        assert events == {f"{verdict.event}-{ordinal}" for ordinal in range(verdict.rows)}
    return list(zip(flat.verdicts, told, strict=True))


@pytest.fixture(scope="module")
def simulated() -> list[Envelope]:
    organization = Organization(seed=5, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
    posts = traffic(organization, 1_200, poison=0.02, asides=0.02)
    return [
        Envelope(post.body, "q", number, 1, 2, post.message_id, properties=dict(post.properties))
        for number, post in enumerate(posts)
    ]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> ColumnTypes:
    path = tmp_path_factory.mktemp("types") / "types.json"
    path.write_text(json.dumps(metadata()))
    return load_metadata(path).types


def sizes(envelopes: Sequence[Envelope], *wanted: int) -> list[MicroBatch]:
    rng = random.Random(3)
    return [MicroBatch("q", tuple(rng.sample(envelopes, size))) for size in wanted]


def test_simulated_traffic_is_the_same_in_bulk_one_by_one_and_naively(
    simulated: list[Envelope], known: ColumnTypes
) -> None:
    flattener = Flattener(known)
    for messages in sizes(simulated, 1, 3, 64, 65, 400):
        flat = flattener.flatten(messages)
        agree(flat, thoroughly(messages, known))
        good = [
            envelope
            for envelope, verdict in zip(messages.envelopes, flat.verdicts, strict=True)
            if verdict.outcome.value == "committed"
        ]
        theirs = naive.flatten(MicroBatch("q", tuple(good)), known)
        ours = compare.cells((table.table, table.records) for table in flat.tables)
        assert compare.differences(ours, compare.cells((n, r) for n, (r, _) in theirs.items())) == []


def test_familiar_messages_are_read_in_bulk(simulated: list[Envelope], known: ColumnTypes) -> None:
    pool = Pool()
    gatherer = Gatherer(Slots(known), FlattenRules())
    found = gatherer.gather(pool, list(enumerate(simulated)))
    assert len(found) > 0.9 * len(simulated)
    assert len(pool.seeds) == len(found)


@pytest.mark.parametrize(
    "place", [b'"Stage":40', b'"EntityState":null'], ids=["of the context", "of an entity"]
)
def test_members_that_a_later_server_adds_do_not_slow_reading(place: bytes) -> None:
    sent = update({"a": "1"}, post={"x": image({"b": "2"})}).replace(place, place + b',"Later":{"x":1}')
    pool = Pool()
    gatherer = Gatherer(Slots(ColumnTypes()), FlattenRules())
    messages = batch(*[sent] * 70)
    assert len(gatherer.gather(pool, list(enumerate(messages.envelopes)))) == 70
    agree(Flattener().flatten(messages), thoroughly(messages))
    twice = sent.replace(b'"Later":{"x":1}', b'"Later":1,"Later":2')
    assert not gatherer.gather(pool, list(enumerate(batch(twice).envelopes)))
    flatten(twice)


@pytest.mark.usefixtures("faults_expected")
def test_a_fault_in_bulk_reading_costs_time_and_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr("cdsbridge.transforms.flattener.harvested", broken)
    sent = [update({"a": "1"}), b"", update({"a": "2"})]
    flat = Flattener().flatten(batch(*sent))
    assert [row["a"] for row in rows(flat)] == ["1", "2"]
    assert [verdict.outcome.value for verdict in flat.verdicts] == ["committed", "rejected", "committed"]


def test_a_fault_on_one_message_rejects_that_one_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sent: bytes, job: str, step: str, message: str, table: str, key: str) -> str:
        if b"poison" in sent:
            raise ZeroDivisionError
        return event_id(sent, job, step, message, table, key)

    monkeypatch.setattr("cdsbridge.transforms.rows.event_id", broken)
    good = body(context("new_Do", inputs={"a": "x"}))
    flat = Flattener().flatten(batch(good, body(context("new_Do", inputs={"a": "poison"})), good))
    assert [verdict.outcome.value for verdict in flat.verdicts] == ["committed", "rejected", "committed"]
    assert "ZeroDivisionError" in flat.verdicts[1].sentence


def test_too_many_names_are_forgotten_and_rows_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdsbridge.transforms.slots._MOST", 5)
    flattener = Flattener()
    for start in range(4):
        messages = batch(*(update({f"c{start}{number}": "x"}) for number in range(4)))
        agree(flattener.flatten(messages), thoroughly(messages))
