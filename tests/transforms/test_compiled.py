"""The compiled engine reads what it should, and whatever it leaves or breaks is read all the same."""

import random
import shutil
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdsbridge.emulator.dataverse import Organization, traffic
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.tables.types import ColumnTypes, Kind
from cdsbridge.transforms import compiled
from cdsbridge.transforms.flattener import Flattener
from cdsbridge.transforms.rules import FlattenRules, Images, Limits
from cdsbridge.transforms.slots import Slots

from .bodies import CONTACT, Tree, agree, batch, image, lookup, option, rows, thoroughly, typed, update

pytestmark = pytest.mark.skipif(
    not compiled.IS_USED, reason="THE COMPILED ENGINE IS NOT USED HERE: its reading was not tested"
)


def read(
    messages: MicroBatch, types: ColumnTypes | None = None, rules: FlattenRules | None = None
) -> list[bool]:
    """Tell of each message whether the engine reads it."""
    engine = compiled.Compiled(Slots(types or ColumnTypes()), rules or FlattenRules())
    return [event is not None for event in engine.read(messages)[1]]


@pytest.fixture(scope="module")
def simulated() -> MicroBatch:
    posts = traffic(
        Organization(seed=11, start=datetime(2026, 3, 2, 8, tzinfo=UTC)), 2_000, poison=0, asides=0
    )
    return MicroBatch("q", tuple(Envelope(post.body, "q", number) for number, post in enumerate(posts)))


def test_the_engine_reads_nearly_all_that_dataverse_writes(simulated: MicroBatch) -> None:
    assert sum(read(simulated)) > 0.9 * len(simulated.envelopes)


def test_one_engine_gives_the_rows_of_every_batch_and_nothing_of_earlier_ones(simulated: MicroBatch) -> None:
    flattener, rng = Flattener(), random.Random(4)
    for size in (1, 700, 3, 64, 400):
        messages = MicroBatch("q", tuple(rng.sample(simulated.envelopes, size)))
        agree(flattener.flatten(messages), thoroughly(messages))


odd_values: list[tuple[str, Tree]] = [
    ("a text that reads as a date", "/Date(0)/"),
    ("a list", [1, 2]),
    ("a member more", {**option(3), "more": 1}),
    ("a number as a text", typed("Money", Value="x")),
]


@pytest.mark.parametrize(("what", "value"), odd_values, ids=[what for what, _ in odd_values])
def test_what_is_doubtful_is_left(what: str, value: Tree) -> None:
    types = ColumnTypes({"account": {"a": Kind.TEXT}}) if what.startswith("a text") else ColumnTypes()
    sent = [update({"b": 1}), update({"a": value}), update({"b": 2})]
    assert read(batch(*sent), types) == [True, False, True]
    agree(Flattener(types).flatten(batch(*sent)), thoroughly(batch(*sent), types))


def test_a_value_that_a_later_one_replaces_is_to_fit_all_the_same() -> None:
    types = ColumnTypes({"account": {"a": Kind.INTEGER}})
    sent = update({"a": 1.5}, post={"post": image({"a": 2})})
    assert read(batch(sent), types) == [False]
    agree(Flattener(types).flatten(batch(sent)), thoroughly(batch(sent), types))


def test_a_label_belongs_to_the_value_of_its_own_source() -> None:
    alone = image({"b": 1}, labels={"a": "of no value", "b": "of a number"})
    beside = image({"a": option(2)}, labels={"a": "Two"})
    sent = batch(
        update({"a": option(1)}, post={"post": alone}),
        update({"a": option(1)}, labels={"a": "One"}, post={"post": alone}),
        update({"a": option(1)}, labels={"a": "One"}, post={"post": beside}),
    )
    assert read(sent) == [True] * 3
    flat = Flattener().flatten(sent)
    assert [row.get("aname") for row in rows(flat)] == [None, "One", "Two"]
    agree(flat, thoroughly(sent))


def test_rows_of_a_table_are_left_where_a_label_has_the_name_of_a_column() -> None:
    sent = [update({"owner": lookup(CONTACT, "contact", "x"), "ownername": "y"}), update({"a": 1})]
    assert read(batch(*sent)) == [False, False]
    agree(Flattener().flatten(batch(*sent)), thoroughly(batch(*sent)))


@pytest.mark.parametrize("depth", [-(2**63), 2**63 - 1, 2**31, 2**63])
def test_a_depth_that_no_column_holds_is_left(depth: int) -> None:
    sent = batch(update({"a": 1}, Depth=depth), update({"a": 2}))
    assert read(sent) == [False, True]
    agree(Flattener().flatten(sent), thoroughly(sent))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(1, 40), st.booleans())
def test_limits_and_images_are_those_of_the_rules(sizes: list[int], most: int, count: bool) -> None:
    limits = Limits(attributes=most, columns=3 * most + 2, body_bytes=4_000)
    rules = FlattenRules(limits=limits, images=Images(include=("post",) if count else ("other",)))
    sent = [
        update({f"c{number}": "x" for number in range(size)}, post={"post": image({"p": "y"})})
        for size in sizes
    ]
    messages = batch(*sent)
    agree(Flattener(rules=rules).flatten(messages), thoroughly(messages, rules=rules))


@pytest.mark.usefixtures("faults_expected")
def test_an_engine_that_fails_costs_time_and_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, table: int, key: str, sealed: bytes) -> None:
        raise ZeroDivisionError

    flattener = Flattener()
    monkeypatch.setattr("cdsbridge.transforms.slots.Slots.learnt", broken)
    flattener = Flattener()
    flat = flattener.flatten(batch(update({"a": "1"}), b"", update({"a": "2"})))
    assert [row["a"] for row in rows(flat)] == ["1", "2"]
    assert [verdict.outcome.value for verdict in flat.verdicts] == ["committed", "rejected", "committed"]
    monkeypatch.undo()
    again = batch(update({"a": "3"}))
    agree(flattener.flatten(again), thoroughly(again))
    assert flattener.flatten(again).verdicts[0].rows == 1


def test_rows_of_hundreds_of_columns_never_seen_before_are_right() -> None:
    flattener = Flattener()
    for start in range(3):
        messages = batch(*(update({f"n{start}x{one}y{two}": 1 for two in range(300)}) for one in range(5)))
        agree(flattener.flatten(messages), thoroughly(messages))


def test_where_there_is_rust_there_is_the_engine() -> None:
    assert shutil.which("cargo") is None or compiled.is_installed
