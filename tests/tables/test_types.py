"""Column types and names."""

import json
from pathlib import Path

import pytest

from cdsbridge.model.errors import ConfigError
from cdsbridge.tables.names import column_name, label_name, target_name
from cdsbridge.tables.types import ARROW, SCALE, ColumnTypes, Kind, load_types


def test_types_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "types.json"
    described = {
        "Account": {
            "Revenue": {"attribute_type": "Money", "type": "Money"},
            "born": {"attribute_type": "DateTime", "date_time_behavior": "DateOnly"},
            "met": {"attribute_type": "DateTime", "date_time_behavior": "TimeZoneIndependent"},
            "code": {"type": "Int32"},
            "drifting": {"type": ["Array", "EntityCollection"]},
            "strange": {"attribute_type": "Virtual"},
        }
    }
    path.write_text(json.dumps(described), encoding="utf-8-sig")
    types = load_types(path)
    kinds = {column: types.kind("account", column.lower()) for column in described["Account"]}
    assert kinds == {
        "Revenue": Kind.MONEY,
        "born": Kind.DATE,
        "met": Kind.INSTANT,
        "code": Kind.INTEGER,
        "drifting": None,
        "strange": None,
    }
    assert types.knows("account", "born")
    assert not types.knows("account", "strange")
    assert not types.knows("contact", "born")


@pytest.mark.parametrize("content", ["", "[]", '{"account": 1}', '{"account": {"name": "String"}}'])
def test_a_file_of_another_layout_is_a_configuration_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "types.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="column types"):
        load_types(path)


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_types(tmp_path / "none.json")


def test_metadata_goes_before_what_is_well_known() -> None:
    assert ColumnTypes().kind("any", "versionnumber") is Kind.INTEGER
    assert ColumnTypes().kind("any", "revenue") is None
    assert ColumnTypes({"any": {"versionnumber": Kind.TEXT}}).kind("any", "versionnumber") is Kind.TEXT


def test_decimal_kinds_have_the_scale_of_their_type() -> None:
    assert {kind: ARROW[kind].scale for kind in SCALE} == dict(SCALE)
    assert {ARROW[kind].precision for kind in SCALE} == {38}


@pytest.mark.parametrize("name", ["", "Id", "ISDELETE", "sinkcreatedon", "_anything", "x" * 129])
def test_names_that_would_clash_have_no_column(name: str) -> None:
    assert column_name(name) is None


def test_names_follow_the_logical_name() -> None:
    assert column_name("Contact1.FullName") == "contact1.fullname"
    assert (label_name("a"), target_name("a")) == ("aname", "a_entitytype")
