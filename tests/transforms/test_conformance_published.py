"""Messages that others captured and published: the facts known of them, and every value."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cdsbridge.model.verdict import Outcome

from .conforming import delivery, flattened, rows_of_message, told_apart

pytestmark = pytest.mark.timeout(20)
TEXT, CODE, MONEY, NUMBER = "string", "int64", "decimal128(38, 4)", "decimal128(38, 10)"
FLAG, INSTANT = "bool", "timestamp[us, tz=UTC]"
DATE = re.compile(r"/Date\((-?\d+)(?:([+-])(\d\d)(\d\d))?\)/", re.ASCII)
WHOLE = {"timezoneruleversionnumber", "versionnumber", "importsequencenumber"}
Cells = dict[tuple[str, str], object]


class Fact(NamedTuple):
    """What is known of a file: from its publisher, not from us."""

    file: str
    message: str
    table: str
    id: str
    created_on: str
    modified_on: str
    sent: int
    cells: Mapping[tuple[str, str], object]


CONTACT = (
    "Update",
    "contact",
    "6d81597f-0f9f-e711-8122-000d3aa2331c",
    "2017-09-26T00:04:08+00:00",
    "2017-09-26T00:04:07+00:00",
    7,
)
ALL_TYPES = (
    "Create",
    "albxrm_alltypes",
    "44bfc2a7-903e-eb11-a813-000d3ad9c2e1",
    "2020-12-15T04:47:38+00:00",
    "2020-12-15T04:47:38+00:00",
    26,
    {
        ("albxrm_twooptions", FLAG): True,
        ("albxrm_twooptionsname", TEXT): "Yes",
        ("albxrm_lookupaccount", TEXT): "b76b3f4b-1be7-e611-8101-e0071b6af231",
        ("albxrm_lookupaccount_entitytype", TEXT): "account",
        ("albxrm_wholenumber", NUMBER): Decimal(987654321),
        ("albxrm_multiplelinesoftext", TEXT): "sdafasf\nasdfas\nafsd",
        ("albxrm_currency", MONEY): Decimal("2154.32"),
        ("albxrm_optionset", CODE): 257760001,
        ("albxrm_optionsetname", TEXT): "Value 2",
        ("albxrm_multiselectoptionset", TEXT): "257760001;257760002",
        ("albxrm_multiselectoptionsetname", TEXT): "Value 1; Value 2",
        ("albxrm_float", NUMBER): Decimal("2365.12"),
        ("albxrm_decimal", NUMBER): Decimal("10.01"),
        ("albxrm_dateandtime", INSTANT): datetime(2020, 12, 15, 7, 0, tzinfo=UTC),
        ("exchangerate", NUMBER): Decimal(1),
        ("timezoneruleversionnumber", CODE): 0,
        ("statuscodename", TEXT): "Active",
    },
)
FACTS = [
    Fact(
        "msdocs_update_contact_webhook.json",
        *CONTACT,
        {
            ("firstname", TEXT): "James",
            ("fullname", TEXT): "James Glynn (sample)",
            ("modifiedby", TEXT): "75c2dd85-e89e-e711-8122-000d3aa2331c",
            ("modifiedby_entitytype", TEXT): "systemuser",
        },
    ),
    Fact(
        "msdocs_update_contact_webhook_via_albanian.json",
        *CONTACT,
        {("modifiedby", TEXT): "11bb11bb-cc22-dd33-ee44-55ff55ff55ff"},
    ),
    Fact(
        "msdocs_create_agentstatus_sync.json",
        "Create",
        "msdyn_agentstatus",
        "44ee44ee-ff55-aa66-bb77-88cc88cc88cc",
        "2024-07-24T10:28:25.786000+00:00",
        "2024-07-24T10:28:25+00:00",
        20,
        {
            ("msdyn_capacitymodifiedon", INSTANT): datetime(2024, 7, 24, 8, 26, 41, tzinfo=UTC),
            ("msdyn_isagentloggedin", FLAG): False,
            ("msdyn_isagentloggedinname", TEXT): "No",
            ("msdyn_availableunitscapacity", NUMBER): Decimal(100),
            ("msdyn_currentpresenceid_entitytype", TEXT): "msdyn_presence",
            ("statecode", CODE): 0,
            ("statecodename", TEXT): "Active",
        },
    ),
    Fact(
        "albanian_update_account_webhook_sync.json",
        "Update",
        "account",
        "ec4e2f7d-9d60-e811-a95a-000d3af24950",
        "2018-05-31T09:05:30.151000+00:00",
        "2018-05-31T09:05:24+00:00",
        5,
        {("telephone1", TEXT): "1111"},
    ),
    Fact("albanian_create_alltypes_a.json", *ALL_TYPES),
    Fact("albanian_create_alltypes_b.json", *ALL_TYPES),
    Fact(
        "albanian_create_sharepointdocumentlocation_queryexpression.json",
        "Create",
        "sharepointdocumentlocation",
        "1e3839b3-08d4-ef11-aeb0-00155d000101",
        "2025-01-16T12:52:16+00:00",
        "2025-01-16T12:52:16+00:00",
        18,
        {
            ("locationtypename", TEXT): "General",
            ("regardingobjectid_entitytype", TEXT): "account",
            ("regardingobjectidname", TEXT): "Mini test",
            ("servicetype", CODE): 0,
        },
    ),
]


@pytest.fixture(params=["UTC", "America/Los_Angeles", "Australia/Lord_Howe"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The process runs in one time zone after the other."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize("fact", FACTS, ids=[fact.file for fact in FACTS])
def test_the_facts_known_of_a_published_message_are_in_its_row(conformance: Path, fact: Fact) -> None:
    body = (conformance / "published" / fact.file).read_bytes()
    system, data = row(body, fact.table)
    assert (system["_message"], system["Id"]) == (fact.message, fact.id)
    assert system["_occurred_at"].isoformat() == fact.modified_on
    assert len(json.loads(system["_changed"])) == fact.sent
    assert told_apart(fact.file, {cell: data.get(cell) for cell in fact.cells}, fact.cells) == []
    undated, _ = row(body.replace(b'"modifiedon"', b'"modifiedat"'), fact.table)
    assert undated["_occurred_at"].isoformat() == fact.created_on


@pytest.mark.parametrize("file", [fact.file for fact in FACTS])
def test_every_value_of_a_published_message_is_in_its_row(conformance: Path, file: str) -> None:
    body = (conformance / "published" / file).read_bytes()
    tree = json.loads(body.decode("utf-8-sig"), parse_float=Decimal)
    system, data = row(body, tree["PrimaryEntityName"])
    (target,) = (pair["value"] for pair in tree["InputParameters"] if pair["key"] == "Target")
    images = [
        pair["value"] for pair in tree["PostEntityImages"] if pair["key"] != "AsynchronousStepPrimaryName"
    ]
    expected: dict[str, Cells] = {}
    for record in (target, *images):
        expected |= dict(columns(record))
    flat = {cell: value for cells in expected.values() for cell, value in cells.items()}
    assert told_apart(file, data, flat) == []
    assert json.loads(system["_changed"]) == sorted(pair["key"] for pair in target["Attributes"])
    heads = {
        "_correlation_id": "CorrelationId",
        "_operation_id": "OperationId",
        "_user_id": "UserId",
        "_initiating_user_id": "InitiatingUserId",
        "_organization": "OrganizationName",
        "_depth": "Depth",
    }
    assert {name: system[name] for name in heads} == {name: tree[member] for name, member in heads.items()}


def row(body: bytes, table: str) -> tuple[dict[str, Any], Cells]:
    """Return the system columns and the data of the only row of a body."""
    flat = flattened([delivery(0, body)])
    assert [(verdict.outcome, verdict.rows) for verdict in flat.verdicts] == [(Outcome.COMMITTED, 1)]
    ((found, system, data),) = rows_of_message(flat).values()
    assert found == table
    assert system["_extra"] == "{}"
    assert system["_truncated"] is False
    return system, data


def columns(record: Mapping[str, Any]) -> Iterator[tuple[str, Cells]]:
    """Read the attributes of an entity as they stand in the file."""
    labels = {pair["key"]: pair["value"] for pair in record["FormattedValues"]}
    for pair in record["Attributes"]:
        name, value = pair["key"], pair["value"]
        cells = dict(cells_of(name, value))
        choice = isinstance(value, bool | list) or (isinstance(value, dict) and is_a(value, "OptionSetValue"))
        lookup = isinstance(value, dict) and is_a(value, "EntityReference") and value["Name"] is None
        if name in labels and (choice or lookup):
            cells[f"{name}name", TEXT] = labels[name]
        yield name, cells


def cells_of(name: str, value: Any) -> Iterator[tuple[tuple[str, str], object]]:
    if isinstance(value, bool):
        yield (name, FLAG), value
    elif isinstance(value, str):
        match = DATE.fullmatch(value)
        yield ((name, INSTANT), instant(match)) if match else ((name, TEXT), value)
    elif isinstance(value, int | Decimal):
        yield ((name, CODE), value) if name in WHOLE else ((name, NUMBER), Decimal(value))
    elif isinstance(value, list):
        yield (name, TEXT), ";".join(str(each["Value"]) for each in value)
    elif value is not None and is_a(value, "OptionSetValue"):
        yield (name, CODE), value["Value"]
    elif value is not None and is_a(value, "Money"):
        yield (name, MONEY), value["Value"]
    elif value is not None:
        assert is_a(value, "EntityReference")
        yield (name, TEXT), value["Id"]
        yield (f"{name}_entitytype", TEXT), value["LogicalName"]
        if value["Name"] is not None:
            yield (f"{name}name", TEXT), value["Name"]


def is_a(value: Mapping[str, Any], contract: str) -> bool:
    return str(value["__type"]).startswith(f"{contract}:")


def instant(match: re.Match[str]) -> datetime:
    number, sign, hours, minutes = match.groups(default="0")
    shift = timedelta(hours=int(hours), minutes=int(minutes))
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(number))
    return moment - shift if sign == "-" else moment + shift


def test_two_spellings_of_one_event_are_one_event(conformance: Path) -> None:
    one, other = (
        row(
            (conformance / "published" / f"albanian_create_alltypes_{which}.json").read_bytes(),
            "albxrm_alltypes",
        )
        for which in "ab"
    )
    assert one == other
