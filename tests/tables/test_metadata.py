"""Metadata files: the flat layout, the layout of `schema pull`, and what is wrong with others."""

import json
from pathlib import Path
from typing import Any

import pytest

from cdsbridge.model.errors import ConfigError
from cdsbridge.tables.description import VERSION
from cdsbridge.tables.metadata import Metadata, load_metadata
from cdsbridge.tables.types import Intersect, Kind

PULLED: dict[str, Any] = {
    "version": VERSION,
    "organization": "https://contoso.crm.dynamics.com",
    "tables": {
        "account": {
            "entity_set": "accounts",
            "primary_id": "accountid",
            "primary_name": "name",
            "columns": {
                "accountid": {"attribute_type": "Uniqueidentifier"},
                "revenue": {"attribute_type": "Money", "precision": 2},
                "rate": {"attribute_type": "Decimal", "precision": 0},
                "tags": {"attribute_type": "MultiSelectPicklist", "options": {"1": "One", "2": "Two"}},
                "primarycontactid": {"attribute_type": "Lookup", "targets": ["contact"]},
                "anniversary": {"attribute_type": "DateTime", "date_time_behavior": "DateOnly"},
                "from_the_future": {"attribute_type": "Quantum", "spin": 1},
            },
            "from_the_future": True,
        }
    },
    "relationships": {
        "accountleads_association": {
            "intersect": "AccountLeads",
            "first": {"table": "account", "column": "accountid"},
            "second": {"table": "lead", "column": "leadid"},
        }
    },
}


def loaded(folder: Path, content: object, encoding: str = "utf-8") -> Metadata:
    path = folder / "metadata.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding=encoding)
    return load_metadata(path)


def test_the_flat_layout_tells_kinds_and_keys(tmp_path: Path) -> None:
    described = {
        "Account": {
            "AccountId": {"attribute_type": "Uniqueidentifier", "primary_id": True, "type": "Guid"},
            "Revenue": {"attribute_type": "Money", "type": "Money"},
            "born": {"attribute_type": "DateTime", "date_time_behavior": "DateOnly", "kind": "Unspecified"},
            "met": {"attribute_type": "DateTime", "date_time_behavior": "TimeZoneIndependent"},
            "code": {"type": "Int32"},
            "drifting": {"type": ["Array", "EntityCollection"]},
            "strange": {"attribute_type": "Virtual"},
        }
    }
    types = loaded(tmp_path, described, "utf-8-sig").types
    assert {column: types.kind("account", column.lower()) for column in described["Account"]} == {
        "AccountId": Kind.TEXT,
        "Revenue": Kind.MONEY,
        "born": Kind.DATE,
        "met": Kind.INSTANT,
        "code": Kind.INTEGER,
        "drifting": None,
        "strange": None,
    }
    assert types.keys == {"account": "accountid"}
    assert types.knows("account", "born")
    assert not types.knows("account", "strange")
    assert not types.knows("contact", "born")


def test_a_table_of_the_flat_layout_may_be_called_version(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"version": {"name": {"type": "String"}}}).types.knows("version", "name")


def test_the_pulled_layout_tells_all(tmp_path: Path) -> None:
    metadata = loaded(tmp_path, PULLED)
    kinds = dict(metadata.types.tables["account"])
    assert kinds == {
        "accountid": Kind.TEXT,
        "revenue": Kind.MONEY,
        "rate": Kind.DECIMAL,
        "tags": Kind.CHOICES,
        "primarycontactid": Kind.LOOKUP,
        "anniversary": Kind.DATE,
    }
    assert metadata.types.keys == {"account": "accountid"}
    assert metadata.types.intersects == {
        "accountleads_association": Intersect("accountleads", ("account", "accountid"), ("lead", "leadid"))
    }
    assert metadata.entity_sets == {"account": "accounts"}
    assert metadata.names == {"account": "name"}
    assert metadata.options == {"account": {"tags": {1: "One", 2: "Two"}}}
    assert metadata.targets == {"account": {"primarycontactid": ("contact",)}}
    assert metadata.precision == {"account": {"revenue": 2, "rate": 0}}
    assert metadata.organization == "https://contoso.crm.dynamics.com"


@pytest.mark.parametrize(
    ("name", "described", "kind"),
    [
        (
            "tags",
            {"attribute_type": "Virtual", "attribute_type_name": "MultiSelectPicklistType"},
            Kind.CHOICES,
        ),
        ("photo", {"attribute_type": "Virtual", "attribute_type_name": "ImageType"}, Kind.BINARY),
        ("contract", {"attribute_type": "Virtual", "attribute_type_name": "FileType"}, Kind.TEXT),
        ("codename", {"attribute_type": "Virtual", "attribute_of": "code"}, None),
        ("contactidname", {"attribute_type": "String", "attribute_of": "contactid"}, None),
        ("image_url", {"attribute_type": "String", "attribute_of": "imageid"}, Kind.TEXT),
        ("contactidname", {"attribute_type": "String"}, Kind.TEXT),
    ],
)
def test_virtual_columns_and_labels(tmp_path: Path, name: str, described: object, kind: Kind | None) -> None:
    types = loaded(tmp_path, {"account": {name: described}}).types
    assert types.kind("account", name) is kind
    assert types.knows("account", name) is (kind is not None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "cannot read"),
        ("[]", "must be an object"),
        ('{"account": 1}', "tables.account.columns"),
        ('{"account": {"name": "String"}}', "tables.account.columns.name"),
        ('{"version": 2, "tables": {}}', "has version 2"),
        ('{"version": 1, "tables": {"account": []}}', "tables.account"),
        ('{"version": 1, "relationships": {"a": {"intersect": "b"}}}', "relationships.a.first"),
    ],
)
def test_a_file_of_another_layout_is_a_configuration_error(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        loaded(tmp_path, content)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_metadata(tmp_path / "none.json")
