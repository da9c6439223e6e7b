"""Limits, rates, and which messages a plan selects."""

from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.model.envelope import Envelope
from cdsbridge.sources.pace import Pace
from cdsbridge.sources.plan import DESCRIPTION, REASON, TABLE, ReadPlan, Selection

STEPS = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50), st.floats(0, 3)), max_size=40)


@given(STEPS, st.integers(1, 200))
def test_no_more_are_taken_than_the_limit(steps: list[tuple[int, int, float]], limit: int) -> None:
    pace, taken = Pace(ReadPlan(limit=limit)), 0
    for asked, came, _ in steps:
        booked = pace.book(asked)
        assert booked <= asked
        took = min(came, booked)
        pace.took(booked, took)
        taken += took
        assert taken <= limit
        assert pace.spent == (taken == limit)
    while not pace.spent:
        booked = pace.book(50)
        assert booked > 0
        pace.took(booked, booked)
        taken += booked
    assert taken == limit


@given(STEPS, st.floats(0.5, 1000))
def test_no_more_are_taken_than_the_rate_allows(steps: list[tuple[int, int, float]], rate: float) -> None:
    now = 0.0
    pace, taken = Pace(ReadPlan(rate=rate), lambda: now), 0
    for asked, came, passes in steps:
        now += passes
        booked = pace.book(asked)
        took = min(came, booked)
        pace.took(booked, took)
        taken += took
        assert taken <= max(rate, 1.0) + now * rate + 1
    now += 1.0 + 1 / rate
    assert pace.book(1) == 1


def dead(reason: str = "r", table: str = "account", message_id: str = "m", at: int = 5) -> Envelope:
    properties = {REASON: reason, DESCRIPTION: "d", TABLE: table}
    return Envelope(b"", "q", 1, enqueued_at=at, message_id=message_id, properties=properties)


@given(
    st.builds(
        Selection,
        st.frozensets(st.sampled_from("rs")),
        st.frozensets(st.sampled_from(["account", "task"])),
        st.frozensets(st.sampled_from("mn")),
        st.none() | st.integers(0, 9),
        st.none() | st.integers(0, 9),
    ),
    st.builds(
        dead, st.sampled_from("rst"), st.sampled_from(["Account", "task", "x"]), st.sampled_from("mno")
    ),
)
def test_a_message_is_taken_if_every_part_that_asks_takes_it(asked: Selection, message: Envelope) -> None:
    parts = [
        Selection(reasons=asked.reasons),
        Selection(tables=asked.tables),
        Selection(message_ids=asked.message_ids),
        Selection(since=asked.since),
        Selection(until=asked.until),
    ]
    assert asked.takes(message) == all(part.takes(message) for part in parts)
    assert Selection().takes(message)
    assert Selection().everything


def test_each_part_of_a_selection_takes_its_own() -> None:
    assert Selection(reasons=frozenset("r")).takes(dead("r"))
    assert not Selection(reasons=frozenset("r")).takes(dead("s"))
    assert Selection(tables=frozenset({"account"})).takes(dead(table="Account"))
    assert not Selection(tables=frozenset({"account"})).takes(dead(table="task"))
    assert Selection(message_ids=frozenset("m")).takes(dead(message_id="m"))
    assert not Selection(message_ids=frozenset("m")).takes(dead(message_id="n"))
    assert [Selection(since=4, until=6).takes(dead(at=at)) for at in (3, 4, 5, 6)] == [
        False,
        True,
        True,
        False,
    ]
