"""What every sink promises that keeps the current state.

To try all orders of some events at once, each order has a key of its own:
the first flush holds the first event of every order, and so on.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Final

import pyarrow as pa
import pytest

from ...model.errors import Fenced
from ...tables.columns import SYSTEM
from ...tables.contract import Contracts
from ...tables.fold import STANDING
from ...tables.order import order_key
from ...tables.schema import TableSchema
from ...tables.state import StateChanges, state_changes, state_schema
from .. import ledger, quarantine
from ..base import Claim, Flush, SinkWriter
from .places import Place

NOW: Final = 1_790_000_000_000_000
"""Microseconds since 1970: the instant of every commit but where a test says another."""

_DATA: Final[Mapping[str, pa.DataType]] = {
    "name": pa.string(),
    "size": pa.int64(),
    "price": pa.decimal128(38, 4),
    "kind": pa.int64(),
    "kindname": pa.string(),
    "ownerid": pa.string(),
    "ownerid_entitytype": pa.string(),
}
_PARTY: Final[Mapping[str, pa.DataType]] = {
    "activityid": pa.string(),
    "participationtypemask": pa.int64(),
    "ordinal": pa.int64(),
    "partyid": pa.string(),
}
_OURS: Final = ("Id", "IsDelete", "_order", "_versions", "_extra")


@dataclass(frozen=True, slots=True)
class Said:
    """One change of a row: when, what, and the columns it tells."""

    at: int
    op: str
    columns: Mapping[str, Any] = field(default_factory=dict)

    def row(self, key: str) -> dict[str, Any]:
        """Return it as a row of the history of a key."""
        event = f"e{self.at}-0"
        changed = sorted(name for name in self.columns if name not in {"kindname", "ownerid_entitytype"})
        return {
            "Id": key,
            "IsDelete": self.op == "delete",
            "_event_id": event,
            "_op": self.op,
            "_order": order_key(self.at, self.op, 1, event),
            "_changed": json.dumps(changed),
            "_truncated": False,
            **self.columns,
        }


SIX: Final = (
    Said(10, "create", {"name": "a", "size": 1, "kind": 3, "kindname": "Three", "ownerid": "u"}),
    Said(20, "update", {"size": 2, "kind": 4, "kindname": "Four"}),
    Said(30, "update", {"name": "b", "ownerid": "t", "ownerid_entitytype": "team"}),
    Said(40, "update", {"size": None, "kind": 5}),
    Said(50, "delete"),
    Said(25, "update", {"name": "late", "price": None}),
)
"""A create, partial updates of the same and of other columns, nulls, a delete, and a late update."""

_SIX_COME_TO: Final = {
    "IsDelete": 1,
    "name": "b",
    "size": None,
    "price": None,
    "kind": 5,
    "kindname": None,
    "ownerid": "t",
    "ownerid_entitytype": "team",
}


def changes_of(
    said: Sequence[tuple[str, Said]], data: Mapping[str, pa.DataType] = _DATA
) -> Mapping[str, StateChanges]:
    """Return what keys and changes say of the state of ``account``, by its name in the sink."""
    columns = {**SYSTEM, **data}
    rows = pa.Table.from_pylist(
        [each.row(key) for key, each in said], schema=pa.schema(list(columns.items()))
    )
    found = state_changes({"account": rows}, {"account": columns}, Contracts())
    return {each.schema.table: each for each in found if each.schema.table == "account"}


def commit_states(writer: SinkWriter, states: Mapping[str, StateChanges], now: int = NOW) -> None:
    """Commit a flush of nothing but states."""
    flush = Flush({}, quarantine.SCHEMA.empty_table(), ledger.SCHEMA.empty_table(), states, now=now)
    for state in states.values():
        writer.prepare(state.schema)
    writer.commit(writer.stage(flush))


def _parties(at: int, members: Sequence[str]) -> Mapping[str, StateChanges]:
    rows = [
        {
            **Said(at, "update").row(""),
            "Id": None,
            "_event_id": f"e{at}-{place + 1}",
            "_order": order_key(at, "update", 1, f"e{at}-{place + 1}"),
            "activityid": "act",
            "participationtypemask": 2,
            "ordinal": place,
            "partyid": member,
        }
        for place, member in enumerate(members)
    ]
    columns = {**SYSTEM, **_PARTY}
    table = pa.Table.from_pylist(rows, schema=pa.schema(list(columns.items())))
    found = state_changes({"activityparty": table}, {"activityparty": columns}, Contracts())
    return {each.schema.table: each for each in found}


def _content(place: Place) -> Iterator[dict[str, Any]]:
    for row in place.rows("account"):
        yield {name: value for name, value in row.items() if name in _DATA or name in _OURS}


class StateContract:
    """Tests over the fixture ``place``, an empty :class:`Place` whose sink keeps states."""

    def test_all_orders_of_six_changes_end_alike(self, place: Place) -> None:
        """Create, partial updates, a null, a delete and a late update, in all 720 orders."""
        orders = {f"k{number:03d}": order for number, order in enumerate(permutations(SIX))}
        with closing(place.sink.open()) as writer:
            for turn in range(len(SIX)):
                commit_states(writer, changes_of([(key, order[turn]) for key, order in orders.items()]))
        rows = list(_content(place))
        assert [row.pop("Id") for row in rows] == sorted(orders)
        assert len({tuple(row.items()) for row in rows}) == 1
        assert {name: rows[0][name] for name in _SIX_COME_TO} == _SIX_COME_TO

    def test_a_change_that_comes_twice_counts_once(self, place: Place) -> None:
        """Each of the six comes once more, somewhere in each of many orders."""
        posted: dict[str, list[Said]] = {}
        for number, order in enumerate(permutations(SIX)):
            again = SIX[number % 6]
            at = number // 6 % 7
            posted[f"k{number:03d}"] = [*order[:at], again, *order[at:]]
        with closing(place.sink.open()) as writer:
            for turn in range(0, len(SIX) + 1, 2):
                pairs = [(key, said) for key, order in posted.items() for said in order[turn : turn + 2]]
                commit_states(writer, changes_of(pairs))
        rows = list(_content(place))
        assert len(rows) == len(posted)
        assert len({tuple(v for n, v in row.items() if n != "Id") for row in rows}) == 1

    def test_a_state_outlives_its_writer(self, place: Place) -> None:
        """Each change is written by a writer of its own."""
        for said in SIX[:3]:
            with closing(place.sink.open()) as writer:
                commit_states(writer, changes_of([("k", said)]))
        (row,) = _content(place)
        assert (row["name"], row["size"], row["kindname"], row["IsDelete"]) == ("b", 2, "Four", 0)

    def test_what_changes_nothing_is_not_written_again(self, place: Place) -> None:
        """``SinkModifiedOn`` tells of the last change, ``SinkCreatedOn`` of the first."""
        with closing(place.sink.open()) as writer:
            commit_states(writer, changes_of([("k", SIX[0]), ("l", SIX[0])]))
            commit_states(writer, changes_of([("k", SIX[0]), ("l", SIX[1])]), NOW + 1_000_000)
        one, other = place.rows("account")
        assert one["SinkModifiedOn"] == one["SinkCreatedOn"] == other["SinkCreatedOn"]
        assert str(other["SinkModifiedOn"]) > str(one["SinkModifiedOn"])

    def test_a_state_widens_and_keeps_its_rows(self, place: Place) -> None:
        """A column that comes later is null in the rows before."""
        wide = {**_DATA, "colour": pa.string()}
        with closing(place.sink.open()) as writer:
            commit_states(writer, changes_of([("k", SIX[0])]))
            commit_states(writer, changes_of([("l", Said(60, "update", {"colour": "red"}))], wide))
            commit_states(writer, changes_of([("k", Said(61, "update", {"name": "z"}))], wide))
            assert writer.describe("account") == state_schema("account", wide)
        assert [(r["Id"], r["name"], r["size"], r["colour"]) for r in place.rows("account")] == [
            ("k", "z", 1, None),
            ("l", None, None, "red"),
        ]

    def test_parties_are_replaced_as_a_set(self, place: Place) -> None:
        """A set that comes late does not come back."""
        with closing(place.sink.open()) as writer:
            for states in (_parties(20, "xyz"), _parties(30, "y"), _parties(20, "xyz"), _parties(10, "abc")):
                commit_states(writer, states)
        assert [(r["_set"], r["ordinal"], r["partyid"]) for r in place.rows("activityparty")] == [
            ("act.2", 0, "y")
        ]

    def test_the_reader_gives_the_state(self, place: Place) -> None:
        """Names and types as prepared."""
        with closing(place.sink.open()) as writer:
            commit_states(writer, changes_of([("k", SIX[0]), ("l", SIX[2])]))
        with closing(place.sink.read()) as reader:
            found = reader.state("account").sort_by("Id")
            assert reader.state("contact").num_rows == 0
        assert found.schema.equals(state_schema("account", _DATA).arrow())
        assert found.select(["Id", "name", "size"]).to_pylist() == [
            {"Id": "k", "name": "a", "size": 1},
            {"Id": "l", "name": "b", "size": None},
        ]

    def test_the_reader_gives_what_stands_of_some_rows(self, place: Place) -> None:
        """All system columns of the rows asked for; rows that are not there are left out."""
        with closing(place.sink.open()) as writer:
            commit_states(writer, changes_of([("k", SIX[0]), ("l", SIX[4]), ("m", SIX[1])]))
        with closing(place.sink.read()) as reader:
            found = reader.standing("account", pa.array(["l", "k", "absent"])).sort_by("Id")
            whole = reader.state("account").sort_by("Id").select(STANDING.names).slice(0, 2)
            assert reader.standing("contact", pa.array(["k"])).num_rows == 0
        assert found.equals(whole.cast(STANDING))
        assert found.column("IsDelete").to_pylist() == [False, True]

    def test_the_newest_claim_has_the_sink(self, place: Place) -> None:
        """A bridge that was started before is told, and writes nothing more."""
        first, second = (Claim(run, f"bridge {run}") for run in ("one", "two"))
        with closing(place.sink.open(first)) as one:
            commit_states(one, changes_of([("k", SIX[0])]))
            with closing(place.sink.open(second)) as two:
                commit_states(two, changes_of([("l", SIX[0])]))
                with pytest.raises(Fenced, match="bridge two"):
                    commit_states(one, changes_of([("m", SIX[0])]))
                commit_states(two, changes_of([("n", SIX[0])]))
        assert [row["Id"] for row in place.rows("account")] == ["k", "l", "n"]

    def test_workers_of_one_claim_share_the_sink(self, place: Place) -> None:
        """One start of a bridge may write from several workers."""
        claim = Claim("one", "bridge one")
        with closing(place.sink.open(claim)) as some, closing(place.sink.open(claim)) as other:
            for number, writer in enumerate((some, other, some, other)):
                commit_states(writer, changes_of([("k", SIX[number]), (f"l{number}", SIX[0])]))
        rows = {row["Id"]: row for row in place.rows("account")}
        assert set(rows) == {"k", "l0", "l1", "l2", "l3"}
        assert (rows["k"]["name"], rows["k"]["kind"], rows["k"]["size"]) == ("b", 5, None)

    def test_a_table_of_a_sink_without_the_state_is_not_there(self, place: Place) -> None:
        """Nothing is described that was not prepared."""
        with closing(place.sink.open()) as writer:
            assert writer.describe("account") is None
            writer.prepare(TableSchema("account_history", dict(SYSTEM)))
            assert writer.describe("account") is None
