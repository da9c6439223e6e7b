"""Column types and names."""

import pytest

from cdsbridge.tables.names import column_name, label_name, target_name
from cdsbridge.tables.types import ARROW, SCALE, ColumnTypes, Kind


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
