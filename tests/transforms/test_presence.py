"""What was sent, what images add, and who wins."""

import base64
import json
from pathlib import Path

import pytest

from cdsbridge.tables.types import ColumnTypes, Kind
from cdsbridge.transforms.rules import AUTOMATIC_IMAGE, Aliases, FlattenRules, Images

from .bodies import (
    ACCOUNT,
    CONTACT,
    NONE,
    Tree,
    body,
    context,
    data,
    entity,
    flatten,
    image,
    lookup,
    only,
    option,
    rejection,
    update,
)


def test_absent_is_not_null() -> None:
    row = only(flatten(update({"name": "A", "parent": None})))
    assert json.loads(row["_changed"]) == ["name", "parent"]
    assert data(row) == {"name": "A"}


def test_a_post_image_adds_columns_but_was_not_sent() -> None:
    row = only(flatten(update({"name": "A"}, post={"any": image({"phone": "1", "name": "A2"})})))
    assert data(row) == {"name": "A2", "phone": "1"}
    assert row["_changed"] == '["name"]'


def test_later_images_win_over_earlier_ones() -> None:
    row = only(flatten(update({"a": "0"}, post={"x": image({"a": "1"}), "y": image({"a": "2"})})))
    assert data(row) == {"a": "2"}


def test_there_may_be_any_number_of_images() -> None:
    images = {f"image{number}": image({"a": str(number), f"c{number}": "x"}) for number in range(30)}
    row = data(only(flatten(update({"a": "0"}, post=images))))
    assert (row["a"], len(row)) == ("29", 31)


def test_a_null_in_the_image_clears_what_the_target_said() -> None:
    assert data(only(flatten(update({"a": "0"}, post={"x": image({"a": None})})))) == {}


def test_a_value_replaces_the_label_of_the_one_before() -> None:
    sent = update(
        {"a": option(1), "b": option(1)},
        {"a": "One", "b": "One"},
        post={"x": image({"a": option(2), "b": option(2)}, labels={"b": "Two"})},
    )
    assert data(only(flatten(sent))) == {"a": 2, "b": 2, "bname": "Two"}


def test_a_label_in_an_image_does_not_name_the_value_of_the_target() -> None:
    sent = update({"a": option(1)}, post={"x": image({"b": "y"}, labels={"a": "Two"})})
    assert data(only(flatten(sent))) == {"a": 1, "b": "y"}


def test_the_automatic_image_is_no_configured_one() -> None:
    sent = update({"a": "1"}, post={"AsynchronousStepPrimaryName": image({"name": "A"})})
    assert data(only(flatten(sent))) == {"a": "1"}


def test_rules_choose_the_images_that_count() -> None:
    sent = update({"a": "1"}, post={"one": image({"b": "1"}), "two": image({"c": "1"})})
    assert data(only(flatten(sent, rules=FlattenRules(images=Images(include=("two",)))))) == {
        "a": "1",
        "c": "1",
    }
    assert data(only(flatten(sent, rules=FlattenRules(images=Images(exclude=("two",)))))) == {
        "a": "1",
        "b": "1",
    }


def test_an_image_of_another_row_is_not_taken() -> None:
    sent = update(
        {"a": "1"}, post={"x": image({"b": "1"}, identity=CONTACT), "y": image({"c": "1"}, identity=NONE)}
    )
    assert data(only(flatten(sent))) == {"a": "1", "c": "1"}


def test_a_pre_image_counts_for_deletes_only() -> None:
    before = {"x": image({"name": "A", "phone": None})}
    assert data(only(flatten(update({"a": "1"}, pre=before)))) == {"a": "1"}
    row = only(flatten(body(context("Delete", inputs={"Target": lookup(ACCOUNT, "account")}, pre=before))))
    assert data(row) == {"name": "A"}
    assert (row["_op"], row["IsDelete"], row["_changed"]) == ("delete", True, '["name","phone"]')


def test_a_delete_without_image_is_a_row_all_the_same() -> None:
    row = only(flatten(body(context("Delete", inputs={"Target": lookup(ACCOUNT, "account")}))))
    assert (row["Id"], row["IsDelete"], row["_changed"]) == (ACCOUNT, True, "[]")


def test_what_is_not_read_may_hold_anything() -> None:
    odd = {"Attributes": [{"key": "revenue", "value": {"__type": "Money:x", "Value": "abc"}}]}
    sent = context(
        "Update",
        inputs={"Target": entity({"a": "1"}), "Other": {"__type": "Query:x", "Criteria": [[]]}},
        pre={"any": odd},
        post={"AsynchronousStepPrimaryName": odd},
        ParentContext={"MessageName": 5, "InputParameters": "none"},
        SharedVariables={"any": 1.5},
        NewMember={"from": "a later server"},
    )
    assert data(only(flatten(body(sent)))) == {"a": "1"}


def test_members_may_be_missing_or_in_any_order() -> None:
    sent = context("Update", inputs={"Target": entity({"a": "1"})})
    backwards = dict(reversed(sent.items()))
    del backwards["InitiatingUserAgent"], backwards["PreEntityImages"], backwards["RequestId"]
    assert data(only(flatten(body(backwards)))) == {"a": "1"}


@pytest.mark.parametrize("member", ["InputParameters", "PostEntityImages", "PreEntityImages"])
def test_missing_null_and_empty_lists_are_the_same(member: str) -> None:
    inputs = {} if member == "InputParameters" else {"Target": lookup(ACCOUNT, "account")}
    sent = context("Delete", inputs=inputs, ParentContext={"MessageName": "Delete"})
    empties: list[Tree] = [None, []]
    for empty in empties:
        flat = flatten(body({**sent, member: empty}))
        if member == "InputParameters":
            assert rejection(flat).reason == "not-a-context"
        else:
            assert only(flat)["Id"] == ACCOUNT


def test_names_that_differ_in_case_only_are_refused() -> None:
    assert data(only(flatten(update({"Name": "A"})))) == {"name": "A"}
    assert rejection(flatten(update({"Name": "A", "name": "B"}))).reason == "bad-value"
    two = update({"name": "A"}, post={"x": image({"Name": "B"})})
    assert rejection(flatten(two)).reason == "bad-value"


def test_tables_may_choose_images_of_their_own() -> None:
    images = {"full": image({"a": "full"}), "changed": image({"b": "changed"})}
    rules = FlattenRules(images=Images(include=("changed",), tables={"account": Aliases(include=("full",))}))
    assert data(only(flatten(update({"c": "1"}, post=images), rules=rules))) == {"a": "full", "c": "1"}
    images = {alias: image({alias: "x"}, "contact", CONTACT) for alias in ("full", "changed")}
    inputs = {"Target": entity({"c": "1"}, "contact", CONTACT)}
    of_contact = context(
        "Update", inputs=inputs, post=images, PrimaryEntityName="contact", PrimaryEntityId=CONTACT
    )
    assert data(only(flatten(body(of_contact), rules=rules), "contact")) == {"c": "1", "changed": "x"}


def test_a_table_without_images_takes_none_even_if_others_do() -> None:
    rules = FlattenRules(images=Images(tables={"account": Aliases(include=("nosuch",))}))
    sent = update({"c": "1"}, post={"any": image({"a": "x"})})
    assert data(only(flatten(sent, rules=rules))) == {"c": "1"}
    assert data(only(flatten(sent))) == {"a": "x", "c": "1"}


def test_a_choice_of_one_table_still_leaves_the_automatic_image() -> None:
    sent = update({"c": "1"}, post={AUTOMATIC_IMAGE: image({"a": "x"}), "any": image({"b": "y"})})
    rules = FlattenRules(images=Images(exclude=(), tables={"account": Aliases()}))
    assert data(only(flatten(sent, rules=rules))) == {"b": "y", "c": "1"}


@pytest.mark.parametrize("known", [ColumnTypes(), ColumnTypes({"account": {"picture": Kind.BINARY}})])
def test_bytes_of_images_are_kept_where_asked_for(known: ColumnTypes) -> None:
    sent = update({"picture": [0, 7, 255], "none": [], "c": "1"}, {"picture": "label"})
    assert data(only(flatten(sent, types=known))) == {"c": "1"}
    flat = flatten(sent, types=known, rules=FlattenRules(binaries=True))
    row = only(flat)
    assert data(row) == {"c": "1", "picture": b"\x00\x07\xff"}
    assert row["_changed"] == '["c","none","picture"]'
    assert str(flat.tables[0].records.schema.field("picture").type) == "binary"


@pytest.mark.parametrize("encoding", ["json", "xml", "bin"])
def test_bytes_are_the_same_in_every_encoding(conformance: Path, encoding: str) -> None:
    sent = (conformance / "invalid" / f"base.{encoding}").read_bytes()
    oracle = json.loads((conformance / "invalid" / "base.oracle.json").read_text())
    told = oracle["input_parameters"]["Target"]["attributes"]["entityimage"]["value"]
    row = only(flatten(sent, rules=FlattenRules(binaries=True)))
    assert row["entityimage"] == base64.b64decode(told)


def test_bytes_in_a_column_of_another_kind_are_rejected_where_they_are_kept() -> None:
    known = ColumnTypes({"account": {"c": Kind.TEXT}})
    verdict = rejection(flatten(update({"c": [1]}), types=known, rules=FlattenRules(binaries=True)))
    assert verdict.where == "account.c"
