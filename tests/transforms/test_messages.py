"""Which rows each kind of message becomes."""

import json
from decimal import Decimal

import pytest

from cdsbridge.transforms.rules import Filter, FlattenRules

from .bodies import (
    ACCOUNT,
    CONTACT,
    NONE,
    USER,
    body,
    collection,
    context,
    data,
    entity,
    flatten,
    image,
    lookup,
    only,
    option,
    rejection,
    rows,
    typed,
    update,
)


@pytest.mark.parametrize(
    ("message", "op"),
    [
        ("Create", "create"),
        ("Update", "update"),
        ("Upsert", "update"),
        ("OnExternalCreated", "create"),
        ("OnExternalUpdated", "update"),
        ("OnExternalDeleted", "delete"),
    ],
)
def test_a_target_becomes_a_row(message: str, op: str) -> None:
    row = only(flatten(body(context(message, inputs={"Target": entity({"name": "A"})}))))
    assert (row["_op"], row["_message"], row["Id"], row["IsDelete"]) == (op, message, ACCOUNT, op == "delete")
    assert data(row) == {"name": "A"}


def test_the_target_names_the_row_where_the_context_does_not() -> None:
    sent = context(
        "OnExternalCreated",
        inputs={"Target": entity({"name": "A"}, identity=CONTACT.upper()), "EventId": "e"},
        PrimaryEntityId=NONE,
    )
    assert only(flatten(body(sent)))["Id"] == CONTACT


def test_the_output_names_the_row_of_a_create_where_nothing_else_does() -> None:
    sent = context(
        "Create",
        inputs={"Target": entity({"name": "A"}, identity=NONE)},
        outputs={"id": CONTACT},
        PrimaryEntityId=NONE,
    )
    assert only(flatten(body(sent)))["Id"] == CONTACT


def test_an_update_by_alternate_key_takes_the_id_of_the_context() -> None:
    sent = context("Update", inputs={"Target": entity({"name": "A"}, identity=NONE)})
    assert only(flatten(body(sent)))["Id"] == ACCOUNT


def test_assign_sets_the_owner() -> None:
    inputs = {"Target": lookup(ACCOUNT, "account"), "Assignee": lookup(USER, "systemuser")}
    row = only(flatten(body(context("Assign", inputs=inputs))))
    assert data(row) == {"ownerid": USER, "ownerid_entitytype": "systemuser"}
    assert (row["_op"], row["_changed"]) == ("update", '["ownerid"]')


@pytest.mark.parametrize("message", ["SetState", "SetStateDynamicEntity"])
def test_set_state_sets_state_and_status(message: str) -> None:
    inputs = {"EntityMoniker": lookup(ACCOUNT, "account"), "State": option(1), "Status": option(2)}
    row = only(flatten(body(context(message, inputs=inputs))))
    assert data(row) == {"statecode": 1, "statuscode": 2}
    assert row["_changed"] == '["statecode","statuscode"]'


def test_a_post_image_of_set_state_brings_labels() -> None:
    inputs = {"EntityMoniker": lookup(ACCOUNT, "account"), "State": option(1), "Status": option(2)}
    post = {"x": image({"statecode": option(1)}, labels={"statecode": "Inactive"})}
    row = only(flatten(body(context("SetState", inputs=inputs, post=post))))
    assert data(row) == {"statecode": 1, "statecodename": "Inactive", "statuscode": 2}


def test_merge_changes_both_rows() -> None:
    inputs = {
        "Target": lookup(ACCOUNT, "account"),
        "SubordinateId": CONTACT,
        "UpdateContent": entity({"phone": "1"}, identity=NONE),
        "PerformParentingChecks": False,
    }
    winner, loser = rows(flatten(body(context("Merge", inputs=inputs))))
    assert (winner["Id"], winner["_op"], data(winner)) == (ACCOUNT, "update", {"phone": "1"})
    assert (loser["Id"], loser["_op"], loser["_changed"]) == (CONTACT, "update", '["masterid","merged"]')
    assert data(loser) == {"merged": True, "masterid": ACCOUNT, "masterid_entitytype": "account"}


@pytest.mark.parametrize("loser", [None, NONE, ACCOUNT])
def test_a_merge_without_another_row_changes_one(loser: str | None) -> None:
    inputs = {"Target": lookup(ACCOUNT, "account"), "SubordinateId": loser}
    row = only(flatten(body(context("Merge", inputs=inputs))))
    assert (row["Id"], data(row)) == (ACCOUNT, {})


def test_a_merge_with_a_key_that_is_no_guid_is_rejected() -> None:
    inputs = {"Target": lookup(ACCOUNT, "account"), "SubordinateId": "5"}
    assert rejection(flatten(body(context("Merge", inputs=inputs)))).where == "InputParameters.SubordinateId"


def test_a_multiple_message_becomes_one_row_per_entity_in_order() -> None:
    entities = [
        image({"n": Decimal(number)}, "account", f"{number:08}-0000-4000-8000-000000000000")
        for number in (7, 3, 5)
    ]
    for message, op in (
        ("CreateMultiple", "create"),
        ("UpdateMultiple", "update"),
        ("UpsertMultiple", "update"),
    ):
        inputs = {"Targets": collection(entities, "account")}
        flat = flatten(body(context(message, inputs=inputs, PrimaryEntityId=NONE)))
        assert [verdict.rows for verdict in flat.verdicts] == [3]
        found = rows(flat)
        event = flat.verdicts[0].event
        assert [row["_event_id"] for row in found] == [f"{event}-0", f"{event}-1", f"{event}-2"]
        assert [row["n"] for row in found] == [7, 3, 5]
        assert {row["_op"] for row in found} == {op}


def test_ids_of_a_create_multiple_may_come_from_its_output() -> None:
    inputs = {"Targets": collection([image({"n": 1}, "account", NONE)], "account")}
    sent = context("CreateMultiple", inputs=inputs, outputs={"Ids": [CONTACT]}, PrimaryEntityId=NONE)
    assert only(flatten(body(sent)))["Id"] == CONTACT


def test_delete_multiple_becomes_one_tombstone_per_reference() -> None:
    inputs = {"Targets": [lookup(ACCOUNT, "account"), lookup(CONTACT, "account")]}
    flat = flatten(body(context("DeleteMultiple", inputs=inputs, PrimaryEntityId=NONE)))
    assert [(row["Id"], row["IsDelete"]) for row in rows(flat)] == [(ACCOUNT, True), (CONTACT, True)]


def test_one_bad_entity_of_many_rejects_the_whole_message() -> None:
    entities = [image({"n": 1}), image({"n": typed("Money", Value="1")}, "account", CONTACT)]
    sent = context(
        "UpdateMultiple", inputs={"Targets": collection(entities, "account")}, PrimaryEntityId=NONE
    )
    assert rejection(flatten(body(sent))).where.endswith("Targets[1].n")


@pytest.mark.parametrize("message", ["Associate", "Disassociate", "new_DoIt", "Retrieve"])
def test_other_messages_are_events(message: str) -> None:
    inputs = {"Target": lookup(ACCOUNT, "account"), "Rate": Decimal("1.500"), "Note": "a/b"}
    sent = context(
        message, inputs=inputs, outputs={"ok": True}, PrimaryEntityName="none", PrimaryEntityId=NONE
    )
    flat = flatten(body(sent))
    row = only(flat, "event")
    assert (row["_op"], row["_message"], row["IsDelete"], row["_changed"]) == ("event", message, False, "[]")
    assert "Id" not in row
    assert "primaryentity" not in row
    assert '{"key":"Rate","value":1.500},{"key":"Note","value":"a/b"}]' in row["parameters"]
    assert row["outputs"] == '[{"key":"ok","value":true}]'


def test_an_event_about_a_row_names_it() -> None:
    row = only(flatten(body(context("new_DoIt", inputs={"x": [[1]]}))), "event")
    assert (row["Id"], row["primaryentity"]) == (ACCOUNT, "account")


def party(identity: str, **attributes: object) -> object:
    return image({"partyid": lookup(CONTACT, "contact", "Jim"), **attributes}, "activityparty", identity)


@pytest.mark.parametrize("form", ["collection", "array"])
def test_parties_become_rows_of_their_own(form: str) -> None:
    known = {"activitypartyid": USER, "participationtypemask": option(2), "addressused": "a@b.c"}
    parties = [party(USER, **known), party(NONE)]
    listed = collection(parties, "activityparty")
    if form == "array":
        listed = [typed("Entity", **each) for each in parties]  # type: ignore[arg-type]
    sent = body(
        context(
            "Create",
            inputs={"Target": entity({"to": listed, "subject": "S"}, "email")},
            PrimaryEntityName="email",
        )
    )
    flat = flatten(sent)
    event = flat.verdicts[0].event
    assert flat.verdicts[0].rows == 3
    (email,) = rows(flat, "email")
    assert data(email) == {"subject": "S"}
    assert email["_changed"] == '["subject","to"]'
    first, second = rows(flat, "activityparty")
    assert data(first) == {
        "activityid": ACCOUNT,
        "activityid_entitytype": "email",
        "activitypartyid": USER,
        "addressused": "a@b.c",
        "ordinal": 0,
        "participationtypemask": 2,
        "partyid": CONTACT,
        "partyid_entitytype": "contact",
        "partyidname": "Jim",
    }
    assert (first["Id"], first["_event_id"], second["_event_id"]) == (USER, f"{event}-1", f"{event}-2")
    assert second["participationtypemask"] == 2
    assert second["ordinal"] == 1
    assert "Id" not in second


def test_rules_may_leave_parties_out() -> None:
    target = entity({"to": collection([party(USER)], "activityparty")}, "email")
    sent = body(context("Create", inputs={"Target": target}, PrimaryEntityName="email"))
    flat = flatten(sent, rules=FlattenRules(tables=Filter(exclude=("activityparty",))))
    assert (flat.verdicts[0].rows, [table.table for table in flat.tables]) == (1, ["email"])


CUT = "http://schemas.microsoft.com/xrm/2011/Claims/MessageMaxSizeExceeded"


def test_a_message_that_was_too_large_keeps_its_key() -> None:
    for sent, properties in (
        (context("Update"), {}),
        (context("Update", ParentContext={"MessageName": "Update"}), {CUT: True}),
        (context("Update", InputParameters=None, PostEntityImages=None, PreEntityImages=None), {}),
    ):
        row = only(flatten(body(sent), properties=properties))
        assert (row["_truncated"], row["Id"], row["_op"], data(row)) == (True, ACCOUNT, "update", {})


def test_a_message_marked_too_large_is_marked_even_if_its_target_is_there() -> None:
    row = only(flatten(update({"name": "A"}), properties={CUT: "1"}))
    assert (row["_truncated"], data(row)) == (True, {"name": "A"})
    assert only(flatten(update({"name": "A"})))["_truncated"] is False


def test_a_message_without_target_that_was_not_cut_is_no_context() -> None:
    sent = context("Update", inputs={"Other": 1})
    assert rejection(flatten(body(sent))).reason == "not-a-context"


def test_upper_case_names_are_the_same_tables() -> None:
    sent = context("Update", inputs={"Target": entity({"name": "A"}, "Account")}, PrimaryEntityName="Account")
    assert only(flatten(body(sent)))["name"] == "A"
    assert json.loads(only(flatten(body(sent)))["_changed"]) == ["name"]


def test_a_cut_bulk_message_still_names_the_rows_it_made() -> None:
    sent = context("CreateMultiple", outputs={"Ids": [CONTACT, ACCOUNT]}, PrimaryEntityId=NONE)
    found = rows(flatten(body(sent)))
    assert [(row["Id"], row["_op"], row["_truncated"]) for row in found] == [
        (CONTACT, "create", True),
        (ACCOUNT, "create", True),
    ]
