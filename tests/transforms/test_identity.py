"""The event id, the order, and what tells of the delivery."""

from datetime import UTC, datetime, timedelta

import pytest

from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.transforms.flattener import Flattener

from .bodies import (
    ACCOUNT,
    CONTACT,
    JOB,
    NONE,
    STEP,
    USER,
    Tree,
    body,
    context,
    entity,
    flatten,
    image,
    lookup,
    only,
    rows,
    update,
)


def event(sent: bytes) -> str:
    (verdict,) = flatten(sent).verdicts
    assert len(verdict.event) == 32
    return verdict.event


def test_a_job_tried_again_has_the_same_event_id_whatever_else_differs() -> None:
    again = update({"a": "1"}, RequestId=USER, Depth=2)
    assert event(update({"a": "1"})) == event(again)
    assert event(update({"a": "1"})) == event(update({"a": "1"}, OperationId=JOB.upper()))


@pytest.mark.parametrize(
    "other",
    [
        {"OperationId": USER},
        {"OwningExtension": {"Id": USER, "LogicalName": "x"}},
        {"PrimaryEntityId": CONTACT},
        {"PrimaryEntityName": "contact"},
        {"MessageName": "Create"},
    ],
)
def test_what_makes_an_event_another_one(other: dict[str, object]) -> None:
    sent = context("Update", inputs={"Target": entity({"a": "1"})})
    assert event(body(sent)) != event(body({**sent, **other}))


@pytest.mark.parametrize("how", [{"Mode": 0}, {"OperationId": NONE}, {"OperationId": ""}])
def test_without_a_job_the_bytes_are_the_identity(how: dict[str, Tree]) -> None:
    assert event(update({"a": "1"}, **how)) == event(update({"a": "1"}, **how))
    assert event(update({"a": "1"}, **how)) != event(update({"a": "2"}, **how))


def test_the_order_begins_with_modifiedon_else_with_the_operation() -> None:
    created = datetime(2024, 8, 2, 7, 0, 40, tzinfo=UTC)
    changed = created - timedelta(seconds=1)
    stamp = "/Date(1722582039000)/"
    assert only(flatten(update({"a": "1"})))["_occurred_at"] == created
    assert only(flatten(update({"modifiedon": stamp})))["_occurred_at"] == changed
    assert (
        only(flatten(update({"a": "1"}, post={"x": image({"modifiedon": stamp})})))["_occurred_at"] == changed
    )
    assert only(flatten(update({"modifiedon": None})))["_occurred_at"] == created
    assert only(flatten(update({"modifiedon": "lately"})))["_occurred_at"] == created


def test_a_delete_has_the_time_of_its_operation() -> None:
    before = {"x": image({"modifiedon": "/Date(0)/"})}
    sent = body(context("Delete", inputs={"Target": lookup(ACCOUNT, "account")}, pre=before))
    row = only(flatten(sent))
    assert row["_occurred_at"] == datetime(2024, 8, 2, 7, 0, 40, tzinfo=UTC)
    assert row["modifiedon"] == datetime(1970, 1, 1, tzinfo=UTC)


def test_the_order_text_sorts_by_time_then_kind_then_number() -> None:
    target = entity({"modifiedon": "/Date(1722582040000)/"})
    kinds = ["Delete", "Update", "Create", "Update"]
    sent = [body(context(kind, inputs={"Target": target})) for kind in kinds]
    early = update({"modifiedon": "/Date(1722582039000)/"})
    found = sorted(rows(flatten(*sent, early)), key=lambda row: row["_order"])
    assert [row["_sequence_number"] for row in found] == [4, 2, 1, 3, 0]


def test_rows_tell_of_their_delivery() -> None:
    envelope = Envelope(
        update({"a": "1"}),
        "orders",
        77,
        enqueued_at=1_000_000,
        received_at=2_000_000,
        message_id="m",
        content_type="text/plain",
    )
    flat = Flattener().flatten(MicroBatch("orders", (envelope,)))
    row = only(flat)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert (row["_entity"], row["_sequence_number"], row["_message_id"]) == ("orders", 77, "m")
    assert (row["_enqueued_at"], row["_received_at"]) == (
        epoch + timedelta(seconds=1),
        epoch + timedelta(seconds=2),
    )
    assert (row["_correlation_id"], row["_operation_id"]) == (STEP, JOB)
    assert (row["_user_id"], row["_initiating_user_id"]) == (USER, USER)
    assert (row["_organization"], row["_depth"]) == ("org1", 1)
    assert flat.tables[0].positions.to_pylist() == [0]


def test_times_that_are_not_known_are_null() -> None:
    row = only(flatten(update({"a": "1"})))
    assert not {"_enqueued_at", "_received_at", "_message_id"} & set(row)
