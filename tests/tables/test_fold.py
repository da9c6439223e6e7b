"""The same changes, in any order, any number of times, in any batches: one state."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.state import StateChanges, state_schema

from .histories import DATA, NOW, Event, expected, rows, shown, state_of

CREATE = Event(10, "create", {"name": "a", "size": 1, "kind": 3, "kindname": "Three"})
ONE = Event(20, "update", {"size": 2, "kind": 4, "kindname": "Four"})
OTHER = Event(30, "update", {"name": "b"})
SAME = Event(40, "update", {"size": None, "kind": 5})
DELETE = Event(50, "delete")
LATE = Event(25, "update", {"name": "late", "domain": "d", "domainname": "dn"})
SIX = (CREATE, ONE, OTHER, SAME, DELETE, LATE)


def test_a_row_is_what_was_said_last_of_each_column() -> None:
    (row,) = shown(state_of([[CREATE], [ONE], [OTHER], [SAME]]))
    assert (row["name"], row["size"], row["kind"], row["kindname"]) == ("b", None, 5, None)
    assert row["IsDelete"] is False


def test_all_orders_of_six_events_end_in_one_row() -> None:
    wanted = expected(SIX)
    assert (wanted[0]["IsDelete"], wanted[0]["name"], wanted[0]["domain"]) == (True, "b", "d")
    whole = {repr(state_of([[event] for event in order])) for order in permutations(SIX)}
    assert len(whole) == 1
    assert shown(state_of([SIX])) == wanted


@pytest.mark.parametrize("again", SIX, ids=[f"{e.op}@{e.at}" for e in SIX])
def test_any_one_of_them_twice_changes_nothing(again: Event) -> None:
    whole = state_of([SIX])
    for order in list(permutations(SIX))[::36]:
        for place in range(7):
            posted = [*order[:place], again, *order[place:]]
            assert state_of([posted[:3], posted[3:]]) == whole


def test_what_is_told_again_is_not_written_again() -> None:
    schema = state_schema("account", {**SYSTEM, **DATA})
    change = StateChanges(schema, "Id", rows(SIX))
    held = change.folded(schema.arrow().empty_table(), NOW)
    assert held.num_rows == 1
    for order in permutations(SIX, 2):
        assert StateChanges(schema, "Id", rows(order)).folded(held, NOW + 1).num_rows == 0


def test_a_row_made_again_has_nothing_of_the_one_deleted() -> None:
    again = Event(60, "create", {"name": "new"})
    (row,) = shown(state_of([[*SIX, again]]))
    assert (row["IsDelete"], row["name"], row["size"], row["domain"]) == (False, "new", None, None)


def test_an_update_after_the_delete_does_not_revive() -> None:
    (row,) = shown(state_of([[CREATE, DELETE, Event(70, "update", {"name": "z"})]]))
    assert (row["IsDelete"], row["name"]) == (True, "z")


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": st.none() | st.sampled_from("abc"),
    "size": st.none() | st.integers(0, 3),
    "domain": st.none() | st.sampled_from("xyz"),
    "domainname": st.none() | st.sampled_from("uvw"),
    "kind": st.none() | st.integers(0, 3),
    "ownerid": st.none() | st.sampled_from("pq"),
}


@st.composite
def said(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.sets(st.sampled_from(sorted(VALUES))))
    found = {name: draw(VALUES[name]) for name in sorted(names)}
    if found.get("kind") is not None and draw(st.booleans()):
        found["kindname"] = f"k{found['kind']}"
    if found.get("ownerid") is not None:
        found["ownerid_entitytype"] = "team"
        if draw(st.booleans()):
            found["owneridname"] = f"n{found['ownerid']}"
    return found


@st.composite
def events(draw: st.DrawFn) -> Event:
    op = draw(st.sampled_from(["create", "update", "update", "update", "delete"]))
    told = draw(said())
    image = {name: value for name, value in draw(said()).items() if value is not None and name not in told}
    extra = draw(st.dictionaries(st.sampled_from(["size", "odd"]), st.integers(0, 5), max_size=1))
    told = {name: value for name, value in told.items() if name not in extra}
    image = {name: value for name, value in image.items() if name not in extra}
    for beside, stem in (("kindname", "kind"), ("owneridname", "ownerid"), ("ownerid_entitytype", "ownerid")):
        if stem in told:
            image.pop(beside, None)
    return Event(draw(st.integers(0, 40)), op, told, image, extra, draw(st.sampled_from(["k1", "k2", "k3"])))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Event], list[Sequence[Event]]]:
    """Return events, and the same in some order, some twice, cut into batches."""
    happened = draw(st.lists(events(), min_size=1, max_size=14, unique_by=lambda event: (event.id, event.at)))
    again = draw(st.lists(st.sampled_from(happened), max_size=6))
    posted = draw(st.permutations([*happened, *again]))
    cuts = sorted(draw(st.sets(st.integers(0, len(posted)))))
    return happened, [posted[a:b] for a, b in zip([0, *cuts], [*cuts, len(posted)], strict=True)]


@settings(max_examples=300)
@given(deliveries())
def test_any_history_is_what_the_rules_say(found: tuple[list[Event], list[Sequence[Event]]]) -> None:
    happened, batches = found
    folded = state_of(batches)
    assert shown(folded) == expected(happened)
    assert folded == state_of([happened])
