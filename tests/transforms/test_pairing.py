"""Associate and Disassociate become rows of the intersect table, the same whichever end is the target."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cdsbridge.tables.types import ColumnTypes, Intersect
from cdsbridge.transforms.rules import Filter, FlattenRules

from .bodies import (
    ACCOUNT,
    CONTACT,
    NONE,
    USER,
    Tree,
    body,
    context,
    data,
    flatten,
    lookup,
    only,
    rows,
    typed,
)

NAME = "AccountLeads_Association"
TABLE = NAME.lower()
KNOWN = ColumnTypes(
    intersects={
        TABLE: Intersect("accountleads", ("account", "accountid"), ("lead", "leadid")),
        "team_team": Intersect("teamteam", ("team", "parentteamid"), ("team", "childteamid")),
    }
)
End = tuple[str, str]
ends = st.tuples(
    st.sampled_from(["account", "contact", "lead", "Team", "zebra"]),
    st.uuids(version=4).map(str) | st.sampled_from([ACCOUNT, CONTACT, ACCOUNT.upper()]),
)


def associate(
    target: End, *related: End, message: str = "Associate", role: int | None = None, name: str = NAME
) -> bytes:
    inputs = {
        "Target": lookup(target[1], target[0]),
        "Relationship": typed("Relationship", PrimaryEntityRole=role, SchemaName=name),
        "RelatedEntities": [lookup(key, table) for table, key in related],
    }
    return body(context(message, inputs=inputs, PrimaryEntityName="none", PrimaryEntityId=NONE))


def pairs(sent: bytes, types: ColumnTypes | None = None, table: str = TABLE) -> list[dict[str, Any]]:
    """Return the rows of a message, without what tells deliveries apart, in any order."""
    found = rows(flatten(sent, types=types), table)
    beside = {"_event_id", "_order", "_sequence_number"}
    kept = [{name: value for name, value in row.items() if name not in beside} for row in found]
    return sorted(kept, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def test_a_pair_is_a_row_with_both_keys() -> None:
    (row,) = pairs(associate(("account", ACCOUNT), ("lead", CONTACT)))
    assert data(row) == {"accountid": ACCOUNT, "leadid": CONTACT}
    assert (row["_op"], row["IsDelete"], row["_changed"]) == ("create", False, '["accountid","leadid"]')
    assert row["_message"] == "Associate"


def test_its_key_never_changes_between_versions() -> None:
    (row,) = pairs(associate(("account", ACCOUNT), ("lead", CONTACT)))
    assert row["Id"] == "b270675c-511c-a2af-e1e3-0db5301f3e29"


@given(ends, st.lists(ends, min_size=1, max_size=4), st.sampled_from([None, 0, 1]), st.booleans())
def test_either_end_may_be_the_target(target: End, related: list[End], role: int | None, known: bool) -> None:
    assume(role is not None or all(each[0].lower() != target[0].lower() for each in related))
    types = KNOWN if known else None
    table = "accountleads" if known else TABLE
    together = pairs(associate(target, *related, role=role), types, table)
    turned = None if role is None else 1 - role
    apart = [
        row
        for each in dict.fromkeys(lowered(related))
        for row in pairs(associate(each, target, role=turned), types, table)
    ]
    assert sorted(map(told, together)) == sorted(map(told, apart))


def lowered(related: Sequence[End]) -> list[End]:
    return [(table.lower(), key.lower()) for table, key in related]


def told(row: dict[str, Any]) -> str:
    return json.dumps([row["Id"], data(row), row["_op"]], sort_keys=True)


def test_a_disassociate_deletes_what_an_associate_made() -> None:
    made, ended = (
        pairs(associate(("account", ACCOUNT), ("lead", CONTACT), ("lead", USER), message=message))
        for message in ("Associate", "Disassociate")
    )
    assert [row["Id"] for row in made] == [row["Id"] for row in ended]
    assert {(row["_op"], row["IsDelete"]) for row in ended} == {("delete", True)}
    assert [data(row) for row in made] == [data(row) for row in ended]


def test_a_pair_named_twice_is_one_row() -> None:
    sent = associate(("account", ACCOUNT), ("lead", CONTACT), ("Lead", CONTACT.upper()), ("lead", USER))
    assert [row["leadid"] for row in pairs(sent)] == sorted([CONTACT, USER])


def test_metadata_names_the_table_and_its_columns() -> None:
    for sent in (
        associate(("account", ACCOUNT), ("lead", CONTACT)),
        associate(("lead", CONTACT), ("account", ACCOUNT), name=NAME.upper()),
    ):
        (row,) = pairs(sent, KNOWN, "accountleads")
        assert data(row) == {"accountid": ACCOUNT, "leadid": CONTACT}


@pytest.mark.parametrize(
    ("types", "table", "columns"),
    [
        (None, "team_team", ("teamidone", "teamidtwo")),
        (KNOWN, "teamteam", ("parentteamid", "childteamid")),
    ],
)
def test_pairs_of_one_table_are_told_apart_by_their_roles(
    types: ColumnTypes | None, table: str, columns: tuple[str, str]
) -> None:
    referencing = associate(("team", ACCOUNT), ("team", CONTACT), role=0, name="team_team")
    referenced = associate(("team", CONTACT), ("team", ACCOUNT), role=1, name="team_team")
    turned = associate(("team", CONTACT), ("team", ACCOUNT), role=0, name="team_team")
    one, other, third = (pairs(sent, types, table) for sent in (referencing, referenced, turned))
    assert data(one[0]) == dict(zip(columns, (ACCOUNT, CONTACT), strict=True))
    assert one == other
    assert data(third[0]) == dict(zip(columns, (CONTACT, ACCOUNT), strict=True))
    assert third[0]["Id"] != one[0]["Id"]


NO_PAIRS: dict[str, Tree] = {
    "no target": {"Target": None},
    "a target of no table": {"Target": lookup(ACCOUNT, "")},
    "a target by an alternate key": {"Target": lookup(NONE, "account", keys=[{"key": "a", "value": "b"}])},
    "a target whose key is no GUID": {"Target": lookup("5", "account")},
    "a related row by an alternate key": {"RelatedEntities": [lookup(CONTACT, "lead"), lookup(NONE, "lead")]},
    "no related rows": {"RelatedEntities": []},
    "no list of related rows": {"RelatedEntities": "x"},
    "no relationship": {"Relationship": None},
    "a relationship without a name": {
        "Relationship": typed("Relationship", PrimaryEntityRole=None, SchemaName="")
    },
    "a relationship that is called as a system column": {
        "Relationship": typed("Relationship", PrimaryEntityRole=None, SchemaName="_order")
    },
}


@pytest.mark.parametrize("members", NO_PAIRS.values(), ids=list(NO_PAIRS))
@pytest.mark.parametrize("message", ["Associate", "Disassociate"])
def test_a_message_that_names_no_pairs_is_an_event(message: str, members: Tree) -> None:
    inputs = {
        "Target": lookup(ACCOUNT, "account"),
        "Relationship": typed("Relationship", PrimaryEntityRole=None, SchemaName=NAME),
        "RelatedEntities": [lookup(CONTACT, "lead")],
        **members,
    }
    row = only(flatten(body(context(message, inputs=inputs))), "event")
    assert (row["_message"], row["_truncated"]) == (message, False)


def test_a_truncated_one_is_an_event_that_says_so() -> None:
    row = only(flatten(body(context("Associate", PrimaryEntityName="account"))), "event")
    assert (row["_truncated"], row["primaryentity"]) == (True, "account")


def test_a_custom_message_without_parameters_is_not_taken_for_truncated() -> None:
    assert only(flatten(body(context("new_DoIt"))), "event")["_truncated"] is False


@pytest.mark.parametrize(("tables", "outcome"), [((TABLE,), "committed"), (("account", "lead"), "skipped")])
def test_rules_skip_pairs_by_the_name_of_their_table(tables: tuple[str, ...], outcome: str) -> None:
    sent = associate(("account", ACCOUNT), ("lead", CONTACT))
    flat = flatten(sent, rules=FlattenRules(tables=Filter(include=tables)))
    assert flat.verdicts[0].outcome.value == outcome
