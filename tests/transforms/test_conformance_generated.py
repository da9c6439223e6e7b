"""Every generated message gives the rows its oracle says: each cell, its type, and all beside it."""

import os
import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Outcome
from cdsbridge.tables.columns import FLATTENED
from cdsbridge.tables.types import ColumnTypes
from cdsbridge.transforms.flattener import Flattener

from .bodies import agree, thoroughly
from .conforming import (
    BY_FORM,
    BY_METADATA,
    ENCODINGS,
    GENERATED,
    MODES,
    as_trees,
    cases,
    delivery,
    differences,
    flattened,
    known,
    names,
    parsed,
    rows_of_message,
)
from .meanings import meanings_alone
from .notation import parts
from .placing import Unheld
from .reference import PAIRS

pytestmark = [
    pytest.mark.usefixtures("conformance"),
    pytest.mark.timeout(30),
]
ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe")


TINY = "a decimal of more decimals than Dataverse stores, which are 10"
HUGE = "a decimal of 29 digits; Dataverse takes 100 billion at most, the column 28 digits"
DOUBLE = "a double of many digits or beyond 1E+28, in a column that JSON alone makes one of decimals"
DAYTIME = "a column of days that holds a time of day; Dataverse writes midnight there"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", names())
def test_a_message_gives_the_rows_its_oracle_says(name: str, encoding: str, mode: str) -> None:
    case = cases()[name]
    expected = case.reference(mode, encoding).expected()
    truncated = "truncated" in case.entry["tags"]
    assert differences(case.oracle, expected, case.bodies[encoding], known(mode)[1], truncated) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_values_beside_their_columns_are_such_as_dataverse_does_not_send(encoding: str, mode: str) -> None:
    unheld: list[Unheld] = []
    for case in cases().values():
        reference = case.reference(mode, encoding)
        reference.expected()
        unheld += reference.unheld
    seen = {why_unheld(each) for each in unheld}
    assert seen >= {TINY, HUGE}
    assert (DAYTIME in seen) == (mode == BY_METADATA)
    assert (DOUBLE in seen) == (mode == BY_FORM and encoding == "json")


def why_unheld(unheld: Unheld) -> str:
    """Return why a value cannot be held; there must be a reason."""
    value = unheld.value
    if value["type"] == "DateTime":
        assert unheld.kind == "date"
        assert not value["value"].endswith("T00:00:00.0000000"), unheld
        return DAYTIME
    amount = Decimal(value["value"])
    decimals = -int(amount.normalize().as_tuple().exponent)
    if value["type"] == "Double":
        assert unheld.kind == "decimal"
        assert decimals > 10 or abs(amount) >= 10**28, unheld
        return DOUBLE
    assert value["type"] in {"Decimal", "Money"}
    assert decimals > 4 or abs(amount) >= 10**28, unheld
    return TINY if abs(amount) < 10**28 else HUGE


def test_the_set_holds_the_forms_that_are_compared() -> None:
    seen: Counter[str] = Counter()
    for case in cases().values():
        members = ("input_parameters", "output_parameters", "pre_images", "post_images")
        for part in parts({name: case.oracle[name] for name in members}):
            seen[str(part.get("type"))] += 1
            seen["alternate key"] += bool(part.get("key_attributes")) and part["type"] == "EntityReference"
            seen["labels"] += bool(part.get("formatted_values"))
        seen["slips"] += bool(case.entry["json_date_exceptions"])
        seen["pairs"] += bool(case.oracle["message"] in PAIRS and case.reference(BY_FORM).pairs())
        seen["a pair of one table"] += same_table(case.oracle)
    stems = {path.name.removesuffix(".oracle.json") for path in GENERATED.glob("*.oracle.json")}
    assert stems == cases().keys()
    rare = {"AliasedValue": 20, "Array": 5, "ByteArray": 30, "EntityCollection": 25, "Null": 300}
    common = dict.fromkeys(("DateTime", "Decimal", "Double", "Int64", "Money", "OptionSetValue"), 80)
    others = {"OptionSetValueCollection": 50, "BooleanManagedProperty": 40, "EntityReference": 300}
    counted = {"alternate key": 15, "labels": 60, "slips": 20, "pairs": 5, "a pair of one table": 1}
    for form, least in {**rare, **common, **others, **counted}.items():
        assert seen[form] >= least, form


def same_table(oracle: Mapping[str, Any]) -> int:
    """Count the pairs of rows of one table."""
    inputs = oracle["input_parameters"] if oracle["message"] in PAIRS else {}
    near = inputs.get("Target", {}).get("logical_name")
    return sum(each["logical_name"] == near for each in inputs.get("RelatedEntities", {}).get("items", ()))


@pytest.mark.parametrize("mode", MODES)
def test_text_xml_and_binary_xml_give_the_same_rows(mode: str) -> None:
    for name, case in cases().items():
        if "negative-zero" in case.entry["tags"]:
            continue
        text, binary = (meanings_alone([case.bodies[one]], known(mode)[1]) for one in ("xml", "bin"))
        assert text == binary, name


def test_json_with_metadata_gives_the_rows_of_text_xml_but_for_the_resolution_of_dates() -> None:
    for name, case in cases().items():
        json_rows, xml_rows = (
            rows_in_order(case.bodies[encoding], known(BY_METADATA)[1]) for encoding in ("json", "xml")
        )
        shifts = {timedelta(minutes=slip["error_minutes"]) for slip in case.entry["json_date_exceptions"]}
        assert alike(json_rows, xml_rows, {timedelta(), *shifts}), name


def rows_in_order(body: bytes, types: ColumnTypes) -> list[Any]:
    """Return the rows of a message by ordinal, without what is made of its bytes or of dates.

    Numbers of columns that metadata does not name are left out: JSON alone does not tell their type.
    """
    found = rows_of_message(flattened([body], types))
    rows: list[Any] = []
    for _, (table, system, data) in sorted(found.items(), key=lambda row: int(row[0].rpartition("-")[2])):
        beside = {name: held for name, held in parsed(system).items() if name not in {"_event_id", "_order"}}
        told = {
            cell: held for cell, held in data.items() if cell[1] not in NUMERIC or types.kind(table, cell[0])
        }
        rows.append([table, beside, as_trees(table, told)])
    return rows


def alike(one: Any, other: Any, shifts: set[timedelta]) -> bool:
    """Tell whether two trees are equal, but for what JSON loses of dates."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name], shifts) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(partial(alike, shifts=shifts), one, other))
    if isinstance(one, str) and isinstance(other, str) and ISO.fullmatch(one) and ISO.fullmatch(other):
        return alike(datetime.fromisoformat(one), datetime.fromisoformat(other), shifts)
    if isinstance(one, datetime) and isinstance(other, datetime):
        return any(abs(one - other - shift) <= timedelta(milliseconds=1) for shift in shifts)
    return type(one) is type(other) and repr(one) == repr(other)


NUMERIC = frozenset({"decimal128(38, 10)", "double", "int64"})
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_batches_keep_the_layout_that_sinks_rely_on() -> None:
    flat = flattened(every_body(), known(BY_METADATA)[1])
    assert len({each.table for each in flat.tables}) == len(flat.tables) >= 20
    for each in flat.tables:
        fields = list(each.records.schema)
        assert [(field.name, field.type) for field in fields[: len(FLATTENED)]] == list(FLATTENED.items())
        data = fields[len(FLATTENED) :]
        assert len({(field.name, field.type) for field in data}) == len(data)
        assert all(column.null_count < len(column) for column in each.records.columns[len(FLATTENED) :])
        assert str(each.positions.type) == "int32"
        assert len(each.positions) == each.records.num_rows
        each.records.validate(full=True)


@pytest.mark.parametrize("mode", MODES)
def test_neither_order_nor_company_nor_memory_changes_a_row(mode: str) -> None:
    envelopes = [delivery(number, body) for number, body in enumerate(every_body())]
    alone = [told(mode, [each]) for each in envelopes]
    shared = Flattener(known(mode)[1])
    for seed in range(4):
        order = list(range(len(envelopes)))
        random.Random(seed).shuffle(order)
        size = (len(order), 1, 7, 40)[seed]
        for start in range(0, len(order), size):
            some = order[start : start + size]
            assert told(mode, [envelopes[at] for at in some], shared) == [
                outcome for at in some for outcome in alone[at]
            ]


def told(mode: str, envelopes: list[Envelope], by: Flattener | None = None) -> list[object]:
    """Return verdict and rows of each message of a batch."""
    flat = flattened(envelopes, known(mode)[1], by)
    return [(flat.verdicts[at], rows_of_message(flat, at)) for at in range(len(envelopes))]


@pytest.fixture
def local_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets a test change the time zone of the process; puts it back afterwards."""
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("mode", MODES)
def test_the_time_zone_of_the_process_changes_no_row(local_time: pytest.MonkeyPatch, mode: str) -> None:
    bodies = every_body()
    seen = []
    for zone in ZONES:
        local_time.setenv("TZ", zone)
        time.tzset()
        assert os.environ["TZ"] == zone
        flat = flattened(bodies, known(mode)[1])
        seen.append((flat.verdicts, {each.table: each.records for each in flat.tables}))
    assert time.timezone == -37_800
    verdicts, tables = seen[0]
    for others, other_tables in seen[1:]:
        assert others == verdicts
        assert other_tables.keys() == tables.keys()
        assert all(records.equals(other_tables[table]) for table, records in tables.items())


def every_body() -> list[bytes]:
    """Return every case in every encoding."""
    return [case.bodies[encoding] for case in cases().values() for encoding in ENCODINGS]


WRAPPED = sorted(GENERATED.glob("*.wrapped-*.bin")) or [Path("no conformance set")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", WRAPPED, ids=lambda path: path.name)
def test_a_wrapped_body_gives_the_rows_of_what_it_holds(path: Path, mode: str) -> None:
    name, _, wrapper = path.name.partition(".wrapped-")
    inner = cases()[name].bodies["xml" if wrapper == "xml.bin" else "json"]
    (wrapped,), (plain,) = (meanings_alone([body], known(mode)[1]) for body in (path.read_bytes(), inner))
    assert wrapped == plain
    assert plain.outcome == Outcome.COMMITTED


@pytest.mark.parametrize("mode", MODES)
def test_reading_in_bulk_gives_what_reading_one_by_one_gives(conformance: Path, mode: str) -> None:
    bodies = [path.read_bytes() for path in sorted(conformance.rglob("*")) if path.suffix in SUFFIXES]
    assert len(bodies) > len(cases()) * len(ENCODINGS)
    messages = MicroBatch("orders", tuple(delivery(number, body) for number, body in enumerate(bodies)))
    agree(flattened(messages.envelopes, known(mode)[1]), thoroughly(messages, known(mode)[1]))


SUFFIXES = frozenset({".json", ".xml", ".bin", ".txt", ".hex", ".md"})
