"""The shared conformance set: generated messages against their oracle, published and invalid ones."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cdsbridge.tables.metadata import load_metadata
from cdsbridge.tables.types import ColumnTypes

from .bodies import agree, batch, flatten, only, rejection, rows, thoroughly
from .oracle import OPS, Expected, Reader, Unheld, equal, occurred

ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe")


@pytest.fixture(params=ZONES)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The process runs in one time zone after the other."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture(scope="module")
def cases(conformance: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((conformance / "generated" / "MANIFEST.json").read_text())
    assert len(found) == 120
    return found


@pytest.fixture(params=["with metadata", "by form alone"])
def schema(request: pytest.FixtureRequest, conformance: Path) -> tuple[dict[str, Any], ColumnTypes]:
    if request.param == "by form alone":
        return {}, ColumnTypes()
    path = conformance / "generated" / "SCHEMA.json"
    return json.loads(path.read_text()), load_metadata(path).types


def reader_of(conformance: Path, case: dict[str, Any], known: dict[str, Any]) -> Reader:
    oracle = json.loads((conformance / "generated" / f"{case['case']}.oracle.json").read_text())
    slips = {slip["path"]: slip["rule_gives"] for slip in case["json_date_exceptions"]}
    return Reader(oracle, known, slips)


@pytest.mark.usefixtures("zone")
def test_every_generated_case_equals_its_oracle(
    conformance: Path, cases: list[dict[str, Any]], schema: tuple[dict[str, Any], ColumnTypes]
) -> None:
    known, types = schema
    checked = unheld = 0
    for case in cases:
        if case["message"] not in OPS:
            continue
        reader = reader_of(conformance, case, known)
        sent = (conformance / "generated" / f"{case['case']}.json").read_bytes()
        try:
            expected = list(reader.rows())
        except Unheld:
            verdict = rejection(flatten(sent, types=types))
            assert verdict.reason == "bad-value", case["case"]
            unheld += 1
            continue
        flat = flatten(sent, types=types)
        assert [v.rows for v in flat.verdicts] == [len(expected)], (case["case"], flat.verdicts)
        compare(
            case["case"], reader, expected, [row for each in flat.tables for row in rows(flat, each.table)]
        )
        checked += len(expected)
    assert checked > 120
    assert unheld < 20


def compare(case: str, reader: Reader, expected: list[Expected], found: list[dict[str, Any]]) -> None:
    by_ordinal = {int(row["_event_id"].rpartition("-")[2]): row for row in found}
    for ordinal, one in enumerate(expected):
        row = by_ordinal[ordinal]
        told = {name: value for name, value in row.items() if name[0] not in "_IS"}
        differing = {
            name: (told.get(name), one.cells.get(name))
            for name in {*told, *one.cells}
            if not equal(told.get(name), one.cells.get(name))
        }
        assert differing == {}, (case, ordinal)
        assert (row.get("Id"), row["_op"]) == (one.id, one.op), case
        assert row["IsDelete"] == (one.op == "delete")
        assert json.loads(row["_changed"]) == list(one.changed), case
        if ordinal == 0:
            assert equal(row["_occurred_at"], occurred(reader, one)), case


def test_generated_messages_of_other_kinds_are_events(conformance: Path, cases: list[dict[str, Any]]) -> None:
    others = [case for case in cases if case["message"] not in OPS]
    assert len(others) > 10
    for case in others:
        oracle = json.loads((conformance / "generated" / f"{case['case']}.oracle.json").read_text())
        row = only(flatten((conformance / "generated" / f"{case['case']}.json").read_bytes()), "event")
        assert row["_op"] == "event"
        assert row["_message"] == oracle["message"]
        sent = {pair["key"] for pair in json.loads(row["parameters"])}
        assert sent == set(oracle["input_parameters"])


def test_truncated_cases_keep_their_key_and_say_so(conformance: Path, cases: list[dict[str, Any]]) -> None:
    truncated = [case for case in cases if "truncated" in case["tags"]]
    assert len(truncated) == 4
    for case in truncated:
        oracle = json.loads((conformance / "generated" / f"{case['case']}.oracle.json").read_text())
        row = only(
            flatten((conformance / "generated" / f"{case['case']}.json").read_bytes()),
            oracle["primary_entity"],
        )
        assert row["_truncated"] is True
        assert row["Id"] == oracle["primary_id"]
        assert row["_changed"] == "[]"


PUBLISHED = {
    "msdocs_update_contact_webhook.json": (
        "Update",
        "contact",
        "6d81597f-0f9f-e711-8122-000d3aa2331c",
        datetime(2017, 9, 26, 0, 4, 8, tzinfo=UTC),
        7,
    ),
    "msdocs_update_contact_webhook_via_albanian.json": (
        "Update",
        "contact",
        "6d81597f-0f9f-e711-8122-000d3aa2331c",
        datetime(2017, 9, 26, 0, 4, 8, tzinfo=UTC),
        7,
    ),
    "msdocs_create_agentstatus_sync.json": (
        "Create",
        "msdyn_agentstatus",
        "44ee44ee-ff55-aa66-bb77-88cc88cc88cc",
        datetime(2024, 7, 24, 10, 28, 25, 786000, tzinfo=UTC),
        20,
    ),
    "albanian_update_account_webhook_sync.json": (
        "Update",
        "account",
        "ec4e2f7d-9d60-e811-a95a-000d3af24950",
        datetime(2018, 5, 31, 9, 5, 30, 151000, tzinfo=UTC),
        5,
    ),
    "albanian_create_alltypes_a.json": (
        "Create",
        "albxrm_alltypes",
        "44bfc2a7-903e-eb11-a813-000d3ad9c2e1",
        datetime(2020, 12, 15, 4, 47, 38, tzinfo=UTC),
        26,
    ),
    "albanian_create_alltypes_b.json": (
        "Create",
        "albxrm_alltypes",
        "44bfc2a7-903e-eb11-a813-000d3ad9c2e1",
        datetime(2020, 12, 15, 4, 47, 38, tzinfo=UTC),
        26,
    ),
    "albanian_create_sharepointdocumentlocation_queryexpression.json": (
        "Create",
        "sharepointdocumentlocation",
        "1e3839b3-08d4-ef11-aeb0-00155d000101",
        datetime(2025, 1, 16, 12, 52, 16, tzinfo=UTC),
        18,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.usefixtures("zone")
def test_published_messages_give_the_facts_known_of_them(conformance: Path, name: str) -> None:
    message, table, key, created_on, attributes = PUBLISHED[name]
    sent = (conformance / "published" / name).read_bytes()
    row = only(flatten(sent), table)
    assert (row["_message"], row["Id"]) == (message, key)
    assert len(json.loads(row["_changed"])) == attributes
    without_modified = sent.replace(b'"modifiedon"', b'"modifiedat"')
    assert only(flatten(without_modified), table)["_occurred_at"] == created_on


def test_a_message_and_the_same_written_by_another_tool_hold_the_same_data(conformance: Path) -> None:
    published = conformance / "published"
    one, other = (
        only(flatten((published / f"albanian_create_alltypes_{which}.json").read_bytes()), "albxrm_alltypes")
        for which in "ab"
    )
    assert one["_event_id"] == other["_event_id"]
    different = {name for name in one if one[name] != other[name]}
    assert different == set()


NAMES = [f"ax{number:02}" for number in range(1, 15)]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", NAMES)
def test_invalid_bodies_are_treated_as_their_notes_say(conformance: Path, name: str) -> None:
    (path,) = (conformance / "invalid").glob(f"{name}_*.json")
    note = (path.parent / f"{path.stem}.note.txt").read_text()
    (expect,) = (line.partition(": ")[2] for line in note.splitlines() if line.startswith("expect: "))
    flat = flatten(path.read_bytes())
    base = only(flatten((path.parent / "base.json").read_bytes()))
    if expect in {"reject", "either"}:
        assert len(rejection(flat).sentence) < 200
        return
    row = only(flat)
    if expect == "tolerate-partial":
        (fancy,) = json.loads(row.pop("_extra")).values()
        assert fancy["__type"].startswith("FancyValue:")
        assert fancy["Extra"] == {"a": [1]}
        kept = set(base) - set(row) - {"_changed"}
        assert len(kept) <= 1
        base = {name: value for name, value in base.items() if name in row and name != "_changed"}
        row.pop("_changed")
    assert row == base


@pytest.mark.timeout(20)
def test_other_encodings_are_refused_by_name(conformance: Path) -> None:
    refused = [*(conformance / "invalid").glob("*.xml"), *(conformance / "invalid").glob("*.bin")]
    refused += sorted((conformance / "generated").glob("a00*.bin"))
    assert len(refused) > 20
    for path in refused:
        verdict = rejection(flatten(path.read_bytes()))
        assert verdict.reason == "unknown-encoding", path.name
        assert "XML" in verdict.sentence
        assert "JSON" in verdict.sentence


@pytest.mark.timeout(20)
def test_ten_megabytes_of_garbage_are_too_large() -> None:
    garbage = os.urandom(10 << 20)
    assert rejection(flatten(b"x" + garbage)).reason == "too-large"


def test_all_cases_in_one_batch_are_as_each_alone(conformance: Path) -> None:
    paths = [path for path in sorted(conformance.rglob("*.json")) if path.stem.count(".") == 0]
    bodies = [path.read_bytes() for path in paths]
    types = load_metadata(conformance / "generated" / "SCHEMA.json").types
    flat = flatten(*bodies, types=types)
    assert len(flat.verdicts) == len(bodies) > 140
    for number, each in enumerate(bodies):
        alone = thoroughly(batch(each), types)
        assert alone.verdicts[0] == flat.verdicts[number], paths[number].name
    agree(flat, thoroughly(batch(*bodies), types))
