"""What the platform adds to what a client sets: computed columns, labels, wall clocks."""

import random
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cdsbridge.emulator.dataverse.cells import Cells, new_guid
from cdsbridge.emulator.dataverse.derive import derive
from cdsbridge.emulator.dataverse.labels import labels
from cdsbridge.emulator.dataverse.scalars import EMPTY_GUID, Guid, Long
from cdsbridge.emulator.dataverse.service_tables import TABLES, metadata
from cdsbridge.emulator.dataverse.values import Money, Option, Options, Reference, Value
from cdsbridge.emulator.dataverse.zones import shift

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
KEY = Guid("0f8fad5b-d9cb-469f-a165-70867728950e")


def _derived(
    table: str, changes: dict[str, Value], before: dict[str, Value] | None = None
) -> dict[str, Value]:
    known = {TABLES[table].primary_id: KEY, **(before or {})}
    derive(TABLES[table], known, changes, Decimal("1.0834000000"), NOW)
    return changes


def test_an_amount_has_its_base_amount_and_a_cleared_one_none() -> None:
    changes = _derived("account", {"revenue": Money(Decimal("10.834")), "creditlimit": None})
    assert changes["revenue_base"] == Money(Decimal("10.0000"))
    assert changes["creditlimit_base"] is None


def test_a_full_name_joins_the_new_part_with_the_old() -> None:
    changes = _derived("contact", {"firstname": "Zoë"}, {"firstname": "Anna", "lastname": "O'Brien"})
    assert changes["fullname"] == changes["yomifullname"] == "Zoë O'Brien"


def test_a_cleared_address_line_leaves_the_composite() -> None:
    before: dict[str, Value] = {"address1_line1": "Main St. 1", "address1_city": "Köln"}
    assert _derived("account", {"address1_line1": None}, before)["address1_composite"] == "Köln"
    assert (
        _derived("account", {"address1_city": None}, {"address1_city": "Köln"})["address1_composite"] is None
    )


def test_a_picture_brings_its_companions_and_takes_them_along() -> None:
    changes = _derived("account", {"entityimageid": KEY})
    assert changes["entityimage_timestamp"] == Long(639_080_352_000_000_000)
    assert str(KEY) in str(changes["entityimage_url"])
    assert _derived("account", {"entityimageid": None})["entityimage_url"] is None


def test_a_task_knows_the_table_of_what_it_regards() -> None:
    regarding = Reference(KEY, "incident", "Pump")
    assert _derived("task", {"regardingobjectid": regarding})["regardingobjecttypecode"] == "incident"


def test_labels_are_what_a_person_is_shown() -> None:
    zone = timezone(timedelta(hours=2))
    values: dict[str, Value] = {
        "cr1_name": "no label",
        "cr1_phase": Option(257_760_003),
        "cr1_skills": Options((257_760_000, 257_760_003)),
        "cr1_billable": False,
        "cr1_budget": Money(Decimal("2154.3200")),
        "cr1_teamsize": 987654,
        "cr1_lastreview": NOW,
        "cr1_startson": date(2026, 1, 16),
        "cr1_kickoffat": datetime(2026, 1, 16, 9, 30),
        "cr1_manager": Reference(KEY, "systemuser", "Mei"),
        "cr1_customer": Reference(KEY, "account"),
        "cr1_velocity": 2365.125,
        "cr1_scope": None,
        "exchangerate": Decimal("1.0000000000"),
        "statecode": Option(0),
    }
    assert labels(TABLES["cr1_project"], values, zone) == {
        "cr1_phase": "Übergabe",
        "cr1_skills": "Python; 設計",
        "cr1_billable": "No",
        "cr1_budget": "€2,154.32",
        "cr1_teamsize": "987,654",
        "cr1_lastreview": "2026-03-02T10:00:00+02:00",
        "cr1_startson": "2026-01-16",
        "cr1_kickoffat": "2026-01-16T09:30:00",
        "cr1_manager": "Mei",
        "cr1_velocity": "2,365.12",
        "statecode": "Active",
    }


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kolkata"])
def test_no_wall_clock_is_ambiguous_in_the_zone_of_the_server(zone: str) -> None:
    cells = Cells(random.Random(1), ZoneInfo(zone))
    column = TABLES["cr1_project"].columns["cr1_kickoffat"]
    for _ in range(5000):
        wall = cells.make(column, NOW)
        assert isinstance(wall, datetime)
        assert len(set(shift(wall, ZoneInfo(zone)))) == 1


def test_a_new_guid_is_of_version_four() -> None:
    made = {new_guid(random.Random(seed)) for seed in range(100)}
    assert len(made) == 100
    assert all(guid[14] == "4" and guid[19] in "89ab" and len(guid) == len(EMPTY_GUID) for guid in made)


def test_tables_are_as_wide_as_real_ones() -> None:
    tables = metadata()
    assert len(tables["account"]) > 60
    assert all(25 <= len(columns) <= 90 for columns in tables.values())
    assert [sum("primary_id" in c for c in columns.values()) for columns in tables.values()] == [1] * 7
