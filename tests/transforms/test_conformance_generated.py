"""Every generated message gives the rows its oracle says: each cell, its type, and all beside it."""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.envelope import Envelope
from cdsbridge.model.verdict import Outcome
from cdsbridge.tables.columns import FLATTENED
from cdsbridge.transforms.flattener import Flattener

from .conforming import (
    BY_FORM,
    BY_METADATA,
    GENERATED,
    MODES,
    Case,
    cases,
    delivery,
    differences,
    flattened,
    known,
    names,
    rows_of_message,
    system_of,
    told_apart,
)
from .notation import exact, parts
from .reference import ROWS, Reference, Unheld

pytestmark = [
    pytest.mark.usefixtures("conformance"),
    pytest.mark.timeout(30),
]
ZONES = ("UTC", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe")


class Refusal(NamedTuple):
    """A value for whose sake a message is rejected with ``bad-value``, and why that is right."""

    case: str
    column: str
    why: str


TINY = "a decimal of 28 decimals; Dataverse stores 10 at most, and so does the column"
HUGE = "a decimal of 29 digits; Dataverse takes 100 billion at most, the column 28 digits"
DOUBLE = "a double of 15 digits or beyond 1E+28, in a column that without metadata is one of decimals"
DAYTIME = "a column of days that holds 15:00; Dataverse writes midnight there"

REFUSED = [
    Refusal("a029_numbers_utc", "product.new_n14dec", TINY),
    Refusal("a029_numbers_utc", "product.new_n21dbl", DOUBLE),
    Refusal("a029_numbers_utc", "product.new_n22dbl", DOUBLE),
    Refusal("a034_create_la", "cr1a2_3d_model_v2_00.cr1a2_fourth43dbl", DOUBLE),
    Refusal("a034_create_la", "cr1a2_3d_model_v2_00.msdyn_invoice54dbl", DOUBLE),
    Refusal("a036_update_la", "x_y.msdyn_litware12dbl", DOUBLE),
    Refusal("a059_numbers_la", "product.new_n15dec", HUGE),
    Refusal("a059_numbers_la", "product.new_n25dbl", DOUBLE),
    Refusal("a060_big_la", "new_project.abcdefgh_wing43dec", HUGE),
    Refusal("a062_create_kol", "msdyn_workorder.contoso_proseware11dto", DAYTIME),
    Refusal("a071_update_kol", "product.abcdefgh_tailspin3dbl", DOUBLE),
    Refusal("a072_update_activity_kol", "activityparty.effort", DOUBLE),
    Refusal("a082_on_external_updated_kol", "mserp_custcustomerv3entity.mserp_invoice1dec", TINY),
    Refusal("a087_dates_kol", "new_project.new_d26dto", DAYTIME),
    Refusal("a089_numbers_kol", "product.new_n18dec", HUGE),
    Refusal("a089_numbers_kol", "product.new_n21dbl", DOUBLE),
    Refusal("a089_numbers_kol", "product.new_n24dbl", DOUBLE),
    Refusal("a089_numbers_kol", "product.new_n25dbl", DOUBLE),
    Refusal("a089_numbers_kol", "product.new_n27dbl", DOUBLE),
    Refusal("a090_big_kol", "new_project.new_wide3dbl", DOUBLE),
    Refusal("a090_big_kol", "new_project.abcdefgh_contoso86dbl", DOUBLE),
    Refusal("a092_create_lh", "new_project.cr1a2_visit1dbl", DOUBLE),
    Refusal("a095_create_activity_lh", "email.contoso_route13dec", HUGE),
    Refusal("a110_create_multiple_lh", "msdyn_workorder.msdyn_latitude", DOUBLE),
    Refusal("a119_numbers_lh", "product.new_n14dec", TINY),
    Refusal("a119_numbers_lh", "product.new_n15dec", TINY),
    Refusal("a119_numbers_lh", "product.new_n17dec", TINY),
    Refusal("a119_numbers_lh", "product.new_n19dec", TINY),
    Refusal("a119_numbers_lh", "product.new_n22dbl", DOUBLE),
    Refusal("a119_numbers_lh", "product.new_n27dbl", DOUBLE),
]
NEEDS_METADATA = {DAYTIME}
NEEDS_NONE = {DOUBLE}


def refused_columns(name: str, mode: str) -> set[str]:
    spared = NEEDS_METADATA if mode == BY_FORM else NEEDS_NONE
    return {each.column for each in REFUSED if each.case == name and each.why not in spared}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", names())
def test_a_message_gives_the_rows_its_oracle_says(name: str, mode: str) -> None:
    case = cases()[name]
    reference = case.reference(mode)
    if case.oracle["message"] not in ROWS:
        check_event(case, reference)
        return
    expected = reference.rows()
    assert {each.column for each in reference.unheld} == refused_columns(name, mode)
    body = case.body
    if reference.unheld:
        check_refusal(flattened([body], known(mode)[1]), refused_columns(name, mode))
        body = without(body, reference.unheld)
    assert differences(reference, expected, body, known(mode)[1]) == []


def check_refusal(flat: FlattenedBatch, columns: set[str]) -> None:
    (verdict,) = flat.verdicts
    assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, "bad-value")
    assert verdict.where in columns
    assert verdict.sentence.startswith(verdict.where)
    assert flat.tables == ()


def without(body: bytes, unheld: list[Unheld]) -> bytes:
    """Return the body with the values that cannot be held set to null."""
    for each in unheld:
        cleared = body.replace(each.written, f'"key":"{each.key}","value":null'.encode())
        assert cleared != body
        body = cleared
    return body


def check_event(case: Case, reference: Reference) -> None:
    flat = flattened([case.body])
    (verdict,) = flat.verdicts
    assert (verdict.outcome, verdict.rows) == (Outcome.COMMITTED, 1)
    ((event, (table, system, data)),) = rows_of_message(flat).items()
    expected = reference.event()
    system = {**system, "_changed": json.loads(system["_changed"]), "_extra": exact(system["_extra"])}
    assert table == "event"
    assert told_apart("event", system, system_of(reference, expected, delivery(0, case.body), event)) == []
    parameters, outputs = (exact(str(data.pop((name, "string"), None))) for name in ("parameters", "outputs"))
    assert told_apart("event", data, expected.cells) == []
    assert parameters == reference.body["InputParameters"]
    assert outputs == reference.body["OutputParameters"]
    assert [pair["key"] for pair in parameters] == list(case.oracle["input_parameters"])
    assert [pair["key"] for pair in outputs] == list(case.oracle["output_parameters"])


def test_every_refusal_is_of_a_value_that_dataverse_does_not_send() -> None:
    held: dict[tuple[str, str], Mapping[str, Any]] = {}
    for name, case in cases().items():
        for mode in MODES if case.oracle["message"] in ROWS else ():
            reference = case.reference(mode)
            list(reference.rows())
            held |= {(name, each.column): each.value for each in reference.unheld}
    assert held.keys() == {(each.case, each.column) for each in REFUSED}
    for each in REFUSED:
        assert is_so(each.why, held[each.case, each.column]), each


def is_so(why: str, value: Mapping[str, Any]) -> bool:
    """Tell whether a reason holds for a value."""
    if why == DAYTIME:
        return value["type"] == "DateTime" and value["value"][11:] == "15:00:00.0000000"
    amount = Decimal(value["value"])
    decimals = -int(amount.as_tuple().exponent)
    if why == DOUBLE:
        return value["type"] == "Double" and (decimals > 10 or abs(amount) > 10**28)
    if value["type"] != "Decimal":
        return False
    return decimals == 28 if why == TINY else abs(amount) > 10**28


def test_the_set_holds_the_forms_that_are_compared() -> None:
    seen: Counter[str] = Counter()
    for case in cases().values():
        tree = {name: case.oracle[name] for name in ("input_parameters", "pre_images", "post_images")}
        for part in parts(tree):
            seen[str(part.get("type"))] += 1
            seen["alternate key"] += bool(part.get("key_attributes")) and part["type"] == "EntityReference"
            seen["labels"] += bool(part.get("formatted_values"))
        seen["slips"] += bool(case.entry["json_date_exceptions"])
    assert len(cases()) == 120
    rare = {"AliasedValue": 20, "Array": 5, "ByteArray": 30, "EntityCollection": 25, "Null": 300}
    common = dict.fromkeys(("DateTime", "Decimal", "Double", "Int64", "Money", "OptionSetValue"), 80)
    others = {"OptionSetValueCollection": 50, "BooleanManagedProperty": 40, "EntityReference": 300}
    counted = {"alternate key": 15, "labels": 60, "slips": 20}
    for form, least in {**rare, **common, **others, **counted}.items():
        assert seen[form] >= least, form


def test_batches_keep_the_layout_that_sinks_rely_on() -> None:
    flat = flattened([case.body for case in cases().values()], known(BY_METADATA)[1])
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
    envelopes = [delivery(number, case.body) for number, case in enumerate(cases().values())]
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
    bodies = [case.body for case in cases().values()]
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


WRAPPED = sorted(GENERATED.glob("*.wrapped-*.bin")) or [Path("no conformance set")]


@pytest.mark.parametrize("path", WRAPPED, ids=lambda path: path.name)
def test_a_wrapped_body_is_refused_by_the_name_of_its_encoding(path: Path) -> None:
    (verdict,) = flattened([path.read_bytes()]).verdicts
    assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, "unknown-encoding")
    assert ".NET binary XML" in verdict.sentence
    assert len(verdict.sentence) < 500
