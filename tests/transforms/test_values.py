"""Every form of value: the columns it becomes, and what no column can hold."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from cdsbridge.tables.types import ColumnTypes, Kind

from .bodies import (
    ACCOUNT,
    CONTACT,
    NONE,
    Tree,
    data,
    entity,
    flatten,
    lookup,
    money,
    only,
    option,
    rejection,
    rows,
    typed,
    update,
)

FORMS: list[tuple[str, Tree, dict[str, Any]]] = [
    ("a text", 'A / B " \\ \n é 漢 \U0001f600', {"c": 'A / B " \\ \n é 漢 \U0001f600'}),
    ("an empty text", "", {"c": ""}),
    ("a GUID", ACCOUNT, {"c": ACCOUNT}),
    ("true", True, {"c": True}),
    ("a whole number", Decimal(5), {"c": Decimal(5)}),
    ("a decimal", Decimal("10.1200"), {"c": Decimal("10.12")}),
    ("a large number", Decimal(9007199254740993), {"c": Decimal(9007199254740993)}),
    ("an exponent", Decimal("1E+18"), {"c": Decimal(10**18)}),
    ("money", money("1234.5678"), {"c": Decimal("1234.5678")}),
    ("negative money", money("-0.01"), {"c": Decimal("-0.01")}),
    ("a choice", option(100000001), {"c": 100000001}),
    ("choices", [option(3), option(1)], {"c": "3;1"}),
    ("a date", "/Date(1722582039000)/", {"c": datetime(2024, 8, 2, 7, 0, 39, tzinfo=UTC)}),
    ("a date with offset", "/Date(1506409448000-0700)/", {"c": datetime(2017, 9, 26, 0, 4, 8, tzinfo=UTC)}),
    ("a date before 1970", "/Date(-1)/", {"c": datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)}),
    ("the first date", "/Date(-62135596800000)/", {"c": datetime(1, 1, 1, tzinfo=UTC)}),
    ("a text that is nearly a date", "/Date(abc)/", {"c": "/Date(abc)/"}),
    ("a lookup", lookup(CONTACT, "contact"), {"c": CONTACT, "c_entitytype": "contact"}),
    (
        "a named lookup",
        lookup(CONTACT, "contact", 'Jim "J" /Glynn'),
        {"c": CONTACT, "c_entitytype": "contact", "cname": 'Jim "J" /Glynn'},
    ),
    ("a managed property", typed("BooleanManagedProperty", CanBeChanged=True, Value=False), {"c": False}),
    ("an aliased value", typed("AliasedValue", AttributeLogicalName="x", Value=option(4)), {"c": 4}),
    ("null", None, {}),
    ("an empty list", [], {}),
    ("an image", [0, 7, 255], {}),
    ("an empty party list", typed("EntityCollection", Entities=[], EntityName="activityparty"), {}),
]


@pytest.mark.parametrize(("value", "expected"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_a_value_becomes_its_columns(value: Tree, expected: dict[str, Any]) -> None:
    row = only(flatten(update({"c": value, "other": "x"})))
    assert data(row) == {**expected, "other": "x"}
    assert json.loads(row["_changed"]) == ["c", "other"]


def test_types_are_wide_and_do_not_depend_on_the_value() -> None:
    flat = flatten(
        update(
            {
                "text": "a",
                "number": 1,
                "versionnumber": 1,
                "exchangerate": 1,
                "money": money("1"),
                "choice": option(1),
                "flag": True,
                "day": "/Date(0)/",
            }
        )
    )
    kinds = {field.name: str(field.type) for field in flat.tables[0].records.schema}
    assert {name: kinds[name] for name in kinds if name[0] not in "_IS"} == {
        "text": "string",
        "number": "decimal128(38, 10)",
        "versionnumber": "int64",
        "exchangerate": "decimal128(38, 10)",
        "money": "decimal128(38, 4)",
        "choice": "int64",
        "flag": "bool",
        "day": "timestamp[us, tz=UTC]",
    }


@pytest.mark.parametrize(
    "value",
    [
        typed("Money", Value="abc"),
        typed("Money", Value=None),
        option("1"),
        option(Decimal("1.5")),
        option(2**63),
        [option(2**70)],
        "/Date(253402300800000)/",
        "/Date(-62135596800001)/",
        typed("EntityReference", LogicalName="contact", Name=None),
        typed("BooleanManagedProperty", Value="yes"),
    ],
    ids=str,
)
def test_a_value_that_is_none_of_its_type_rejects_its_message(value: Tree) -> None:
    good = update({"revenue": money("1")})
    verdict = rejection(flatten(update({"revenue": value})))
    assert verdict.reason == "bad-value"
    assert "revenue" in verdict.where
    flat = flatten(good, update({"revenue": value}), good)
    assert [verdict.outcome.value for verdict in flat.verdicts] == ["committed", "rejected", "committed"]


KNOWN = ColumnTypes(
    {
        "account": {
            "double": Kind.DOUBLE,
            "whole": Kind.INTEGER,
            "day": Kind.DATE,
            "text": Kind.TEXT,
            "money": Kind.MONEY,
            "bytes": Kind.BINARY,
            "many": Kind.CHOICES,
        }
    }
)


MISFITS: list[tuple[str, Tree, str]] = [
    ("plain", Decimal("0.12345678901"), "0.12345678901"),
    ("plain", Decimal(12345678901234567890123456789), "12345678901234567890123456789"),
    ("plain", Decimal("1E+400"), "1E+400"),
    ("plain", Decimal("1.2300000000000000000000000001"), "1.2300000000000000000000000001"),
    ("plain", money("0.00001"), "0.00001"),
    ("plain", money("1E+40"), "1E+40"),
    ("plain", "\ud800 half a pair", '"\\ud800 half a pair"'),
    ("plain", typed("AliasedValue", AttributeLogicalName="x", Value=Decimal("1E-11")), "1E-11"),
    ("double", Decimal("1E+400"), "1E+400"),
    ("whole", Decimal("1.0"), "1.0"),
    ("whole", 2**63, str(2**63)),
    ("whole", -(2**63) - 1, str(-(2**63) - 1)),
    ("day", "/Date(43200000)/", '"1970-01-01T12:00:00Z"'),
]
"""Column, value, and how it stands in ``_extra``."""


@pytest.mark.parametrize(("column", "value", "kept"), MISFITS, ids=[str(each[:2]) for each in MISFITS])
def test_a_value_that_its_column_cannot_hold_stands_beside_it(column: str, value: Tree, kept: str) -> None:
    row = only(flatten(update({column: value, "other": "x"}), types=KNOWN))
    assert data(row) == {"other": "x"}
    assert json.loads(row["_changed"]) == sorted([column, "other"])
    assert row["_extra"] == f'{{"{column}":{kept}}}'


@pytest.mark.parametrize(("column", "value", "kept"), MISFITS, ids=[str(each[:2]) for each in MISFITS])
def test_its_label_stands_there_too(column: str, value: Tree, kept: str) -> None:
    row = only(flatten(update({column: value, "other": "x"}, {column: 'a "label"'}), types=KNOWN))
    assert row["_extra"] == f'{{"{column}":{kept},"{column}@name":"a \\"label\\""}}'
    assert data(row) == {"other": "x"}


@pytest.mark.parametrize(("column", "value"), [each[:2] for each in MISFITS])
def test_neighbours_of_what_does_not_fit_are_as_if_it_were_not_there(column: str, value: Tree) -> None:
    good = update({column: None, "other": "x"})
    flat = flatten(good, update({column: value, "other": "y"}), good, types=KNOWN)
    assert [row["other"] for row in rows(flat)] == ["x", "y", "x"]
    assert [row.get("_extra") is None for row in rows(flat)] == [True, False, True]


def test_a_label_that_is_no_unicode_leaves_the_cell_to_extra() -> None:
    row = only(flatten(update({"choice": option(1)}, {"choice": "\udc00"})))
    assert data(row) == {}
    assert row["_extra"] == '{"choice":1,"choice@name":"\\udc00"}'


def test_metadata_gives_types_that_json_lost() -> None:
    sent = {
        "double": Decimal("0.30000000000000004"),
        "whole": 300,
        "day": "/Date(-57600000-0800)/",
        "text": "/Date(1)/",
        "bytes": [],
        "many": [],
    }
    flat = flatten(update(sent), types=KNOWN)
    assert data(only(flat)) == {
        "double": 0.30000000000000004,
        "whole": 300,
        "day": date(1969, 12, 31),
        "text": "/Date(1)/",
    }


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("double", "0.1"),
        ("whole", "1"),
        ("whole", True),
        ("whole", money("1")),
        ("day", "today"),
        ("day", 5),
        ("text", 5),
        ("money", 5),
        ("many", option(1)),
    ],
)
def test_a_value_of_another_kind_than_metadata_says_rejects_its_message(column: str, value: Tree) -> None:
    verdict = rejection(flatten(update({column: value}), types=KNOWN))
    assert (verdict.reason, verdict.where) == ("bad-value", f"account.{column}")


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_midnight_may_be_an_hour_off_next_to_a_clock_change(hours: int) -> None:
    sent = update({"day": f"/Date({hours * 3_600_000})/"})
    assert data(only(flatten(sent, types=KNOWN))) == {"day": date(1970, 1, 1)}


def test_an_alternate_key_goes_to_extra_and_the_lookup_is_null() -> None:
    keys = [{"key": "code", "value": Decimal("7.50")}, {"key": "name", "value": "é"}]
    row = only(flatten(update({"parent": lookup(NONE, "account", keys=keys)})))
    assert data(row) == {"parent_entitytype": "account"}
    assert row["_extra"] == '{"parent":[{"key":"code","value":7.50},{"key":"name","value":"é"}]}'


def test_unknown_values_are_kept_as_json_with_every_digit() -> None:
    row = only(flatten(update({"odd": typed("FancyValue", Value=Decimal("1.2300"), Text="a/b")})))
    assert data(row) == {}
    kept = (
        '{"__type":"FancyValue:http://schemas.microsoft.com/xrm/2011/Contracts","Value":1.2300,"Text":"a/b"}'
    )
    assert row["_extra"] == f'{{"odd":{kept}}}'
    assert row["_changed"] == '["odd"]'


@pytest.mark.parametrize("key", ["Id", "id", "_order", "", "isdelete", "x" * 129])
def test_a_name_that_no_column_may_have_goes_to_extra(key: str) -> None:
    row = only(flatten(update({key: "v", "name": "n"})))
    assert data(row) == {"name": "n"}
    assert json.loads(row["_extra"]) == {key: "v"}
    assert row["Id"] == ACCOUNT


def test_labels_exist_where_they_are_sent() -> None:
    labels = {
        "choice": 'O"ne / 1',
        "flag": "Yes",
        "many": " A;B ;C",
        "money": "$1.00",
        "owner": "Labelled",
        "named": "ignored",
        "nothing": "label of null",
        "absent": "label of no column",
    }
    sent = {
        "choice": option(1),
        "plain": option(2),
        "flag": False,
        "many": [option(1), option(2), option(3)],
        "money": money("1"),
        "owner": lookup(CONTACT, "contact"),
        "named": lookup(CONTACT, "contact", "Name"),
        "nothing": None,
    }
    row = data(only(flatten(update(sent, labels))))
    names = {name: value for name, value in row.items() if name.endswith("name")}
    assert names == {
        "choicename": 'O"ne / 1',
        "flagname": "Yes",
        "manyname": "A; B; C",
        "ownername": "Labelled",
        "namedname": "Name",
    }


def test_a_label_never_overwrites_a_column_of_the_same_name() -> None:
    sent = {"file": option(1), "filename": "a.txt"}
    row = only(flatten(update(sent, {"file": "Text file"})))
    assert data(row) == {"file": 1, "filename": "a.txt"}
    assert json.loads(row["_extra"]) == {"file@name": "Text file"}


def test_messages_that_disagree_about_a_form_give_the_column_twice() -> None:
    flat = flatten(update({"c": "text"}), update({"c": 5}), update({"c": None}))
    (table,) = flat.tables
    kinds = [field.type for field in table.records.schema if field.name == "c"]
    assert sorted(map(str, kinds)) == ["decimal128(38, 10)", "string"]
    assert table.records.num_rows == 3


def test_a_column_of_nulls_is_left_out() -> None:
    (table,) = flatten(update({"c": None, "d": "x"})).tables
    assert "c" not in table.records.schema.names
    assert "d" in table.records.schema.names
    assert table.records.schema.field("_extra").type == pa.string()


def test_an_entity_that_is_no_party_goes_to_extra() -> None:
    row = only(flatten(update({"child": entity({"name": "x"}, "contact", CONTACT)})))
    assert json.loads(row["_extra"])["child"]["LogicalName"] == "contact"


def test_a_label_that_looks_like_a_date_stays_a_label() -> None:
    row = only(flatten(update({"a": lookup(CONTACT, "contact", "/Date(0)/"), "aname": None})))
    assert json.loads(row["_extra"])["a@name"] == "/Date(0)/"
