"""Labels and targets seen in rows, as Synapse Link's metadata tables."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.contract import Contracts
from cdsbridge.tables.option_sets import COLUMNS
from cdsbridge.tables.state import StateChanges, state_changes

from .histories import DATA, NOW, Event, rows

HOUR = 3_600_000_000


def changes(*events: Event) -> dict[str, StateChanges]:
    found = state_changes({"account": rows(events)}, {"account": {**SYSTEM, **DATA}}, Contracts())
    return {each.schema.table: each for each in found}


def content(*flushes: dict[str, StateChanges]) -> dict[str, list[dict[str, Any]]]:
    held: dict[str, pa.Table] = {}
    for flush in flushes:
        for name, each in flush.items():
            if name in COLUMNS:
                before = held.get(name, each.schema.arrow().empty_table())
                written = each.folded(before.filter(pc.is_in(before["Id"], each.groups)), NOW)
                kept = before.filter(pc.invert(pc.is_in(before["Id"], written["Id"].combine_chunks())))
                held[name] = pa.concat_tables([kept, written])
    return {
        name: sorted(table.select([*COLUMNS[name]]).to_pylist(), key=repr) for name, table in held.items()
    }


def kind(at: int, code: int, label: str | None) -> Event:
    said: dict[str, Any] = {"kind": code} if label is None else {"kind": code, "kindname": label}
    return Event(at, "update", said)


def option(code: int, label: str) -> dict[str, Any]:
    return {
        "EntityName": "account",
        "OptionSetName": "kind",
        "Option": code,
        "IsUserLocalizedLabel": True,
        "LocalizedLabelLanguageCode": None,
        "LocalizedLabel": label,
    }


def test_each_code_has_the_label_that_was_told_last() -> None:
    events = [kind(1, 3, "Three"), kind(2 * HOUR, 3, "Drei"), kind(3, 4, "Four"), kind(4, 5, None)]
    wanted = [option(3, "Drei"), option(4, "Four")]
    assert content(changes(*events))["OptionsetMetadata"] == wanted
    assert content(*(changes(event) for event in reversed(events)))["OptionsetMetadata"] == wanted


def test_a_label_told_again_in_the_hour_is_not_written_again() -> None:
    first, again = changes(kind(1, 3, "Three")), changes(kind(9, 3, "Three"))
    name = "OptionsetMetadata"
    held = first[name].folded(first[name].schema.arrow().empty_table(), NOW)
    assert again[name].folded(held, NOW).num_rows == 0


def test_each_table_a_lookup_points_to_is_a_target() -> None:
    said = [
        {"ownerid": key, "ownerid_entitytype": table} for key, table in (("1", "team"), ("2", "systemuser"))
    ]
    events = [Event(at, "update", each) for at, each in enumerate(said)]
    assert [
        (row["AttributeName"], row["ReferencedEntity"], row["ReferencedAttribute"])
        for row in content(changes(*events))["TargetMetadata"]
    ] == [
        ("ownerid", "systemuser", "systemuserid"),
        ("ownerid", "team", "teamid"),
    ]
