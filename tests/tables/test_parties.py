"""Party lists: the last message says what the whole set is, in any order of arrival."""

from itertools import permutations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.contract import Contracts
from cdsbridge.tables.order import order_key
from cdsbridge.tables.parties import SET
from cdsbridge.tables.state import StateChanges, state_changes

from .histories import NOW

PARTY = {
    "activityid": pa.string(),
    "participationtypemask": pa.int64(),
    "ordinal": pa.int64(),
    "partyid": pa.string(),
}
EMAIL = {"subject": pa.string()}
Sent = dict[str, list[str]]


def message(at: int, lists: Sent) -> dict[str, pa.Table]:
    """Return the rows of one message that sends party lists of the activity ``a``."""
    event = f"e{at}"
    parent = {"Id": "a", "_changed": repr(sorted(lists)).replace("'", '"'), "subject": "s"}
    parties = [
        {
            "activityid": "a",
            "participationtypemask": {"to": 2, "cc": 3}[name],
            "ordinal": place,
            "partyid": who,
        }
        for name, members in lists.items()
        for place, who in enumerate(members)
    ]
    tables = {"email": _rows(at, event, [parent], EMAIL, 0)}
    return tables | ({"activityparty": _rows(at, event, parties, PARTY, 1)} if parties else {})


def _rows(
    at: int, event: str, found: list[dict[str, Any]], data: dict[str, pa.DataType], first: int
) -> pa.Table:
    system = [
        {
            "_event_id": f"{event}-{first + i}",
            "_op": "update",
            "_order": order_key(at, "update", 1, f"{event}-{first + i}"),
            "IsDelete": False,
            "_truncated": False,
            "_changed": "[]",
        }
        for i in range(len(found))
    ]
    rows = [{**own, **each} for own, each in zip(system, found, strict=True)]
    columns = {**SYSTEM, **data}
    return pa.Table.from_pylist(rows, schema=pa.schema(list(columns.items()))).select(
        [name for name in columns if any(row.get(name) is not None for row in rows)]
    )


def state_of(*flushes: dict[str, pa.Table]) -> list[tuple[Any, ...]]:
    held: pa.Table | None = None
    for flush in flushes:
        data = {"email": {**SYSTEM, **EMAIL}, "activityparty": {**SYSTEM, **PARTY}}
        for each in state_changes(flush, data, Contracts()):
            if each.group == SET:
                before = each.schema.arrow().empty_table() if held is None else held
                written = each.folded(before.filter(pc.is_in(before[SET], each.groups)), NOW)
                kept = before.filter(pc.invert(pc.is_in(before[SET], pc.unique(written[SET]))))
                held = pa.concat_tables([kept, written])
                assert len(set(held["Id"].to_pylist())) == held.num_rows
    rows = [] if held is None else held.to_pylist()
    return sorted((r[SET], r["ordinal"], r["partyid"], r["IsDelete"]) for r in rows) if rows else []


MANY, FEW, NONE = (
    message(10, {"to": ["x", "y", "z"], "cc": ["c"]}),
    message(20, {"to": ["y"]}),
    message(30, {"to": []}),
)


def test_the_set_that_was_sent_last_replaces_the_one_before() -> None:
    for order in permutations([MANY, FEW]):
        assert state_of(*order) == [("a.2", 0, "y", False), ("a.3", 0, "c", False)]


def test_an_empty_list_leaves_a_tombstone_that_no_older_message_fills() -> None:
    for order in permutations([MANY, FEW, NONE, MANY]):
        found = state_of(*order)
        assert [(r[0], r[2], r[3]) for r in found] == [("a.2", None, True), ("a.3", "c", False)]


def test_a_list_that_comes_after_an_empty_one_fills_it_again() -> None:
    again = message(40, {"to": ["n"]})
    for order in permutations([MANY, NONE, again]):
        assert state_of(*order) == [("a.2", 0, "n", False), ("a.3", 0, "c", False)]


def test_one_set_twice_in_one_flush_is_one_set() -> None:
    twice = {name: pa.concat_tables([table, table]) for name, table in MANY.items()}
    assert state_of(twice) == state_of(MANY)
    assert len(state_of(MANY)) == 4


def test_a_change_that_sends_no_list_says_nothing_of_parties() -> None:
    plain = message(50, {})
    assert not [
        c
        for c in state_changes(plain, {"email": {**SYSTEM, **EMAIL}}, Contracts())
        if isinstance(c, StateChanges) and c.group == SET
    ]
