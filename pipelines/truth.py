"""The current state in a sink, against what the simulated Dataverse knows to be true."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ..emulator.dataverse import Organization
from ..sinks.base import Sink, SinkReader
from ..tables.names import PARTY_TABLE, target_name
from ..tables.parties import PARTY_ROLES
from ..tables.state import state_name
from ..tables.types import ColumnTypes

Row = Mapping[str, Any]


@dataclass(slots=True)
class Comparison:
    """How the state in one sink compares with the truth.

    Attributes:
        rows: Rows that were compared.
        deleted: How many of them are tombstones.
        cells: Columns that were compared.
        parties: Activities' party lists that were compared.
        pairs: Pairs of rows that are associated.
        differences: What differs, a sentence each; empty if nothing does.
    """

    rows: int = 0
    deleted: int = 0
    cells: int = 0
    parties: int = 0
    pairs: int = 0
    differences: list[str] = field(default_factory=list)


def compare(organization: Organization, sink: Sink, types: ColumnTypes) -> Comparison:
    """Compare every row the simulator knows of, column by column.

    Args:
        organization: It must remember its history.
        sink: It must keep states.
        types: What was known of columns: intersect tables among it.
    """
    found = Comparison()
    with closing(sink.read()) as reader:
        parties = _parties(reader)
        for table, truth in organization.truth().items():
            rows = {row["Id"]: row for row in reader.state(state_name(table)).to_pylist()}
            for key, true in truth.items():
                row = rows.get(key)
                if row is None:
                    found.differences.append(f"{table} {key} is not there")
                    continue
                found.rows += 1
                found.deleted += true.deleted
                if row["IsDelete"] != true.deleted:
                    found.differences.append(f"{table} {key}: IsDelete is {row['IsDelete']}")
                found.differences += _differences(found, f"{table} {key}", row, true.values, parties)
        _compare_pairs(found, organization, reader, types)
    return found


def _differences(
    found: Comparison, place: str, row: Row, truth: Mapping[str, Any], parties: Mapping[Any, list[str]]
) -> Iterator[str]:
    extra = json.loads(row["_extra"] or "{}")
    for name, value in truth.items():
        if isinstance(value, bytes) or name in extra:
            continue
        found.cells += 1
        if isinstance(value, tuple) and name in PARTY_ROLES and not _is_lookup(value):
            found.parties += 1
            there = parties.get((row["Id"], PARTY_ROLES[name]), [])
            if there != [party["partyid"][0] for party in value]:
                yield f"{place}: the parties of {name} are {there}"
        elif not _same(name, value, row):
            yield f"{place}: {name} is {row.get(name)!r}, not {value!r}"


def _same(name: str, value: Any, row: Row) -> bool:
    cell = row.get(name)
    if _is_lookup(value):
        return cell == value[0] and row.get(target_name(name)) == value[1]
    if isinstance(value, tuple):
        return cell == ";".join(map(str, value)) if value else not cell
    if isinstance(value, (int, Decimal, float)) and not isinstance(value, bool):
        return cell is not None and Decimal(repr(cell) if isinstance(cell, float) else cell) == Decimal(
            repr(value) if isinstance(value, float) else value
        )
    if isinstance(value, datetime) and isinstance(cell, datetime):
        return cell.astimezone(UTC) == value.astimezone(UTC)
    return bool(cell == value)


def _is_lookup(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and isinstance(value[0], str)


def _parties(reader: SinkReader) -> dict[Any, list[str]]:
    rows = reader.state(state_name(PARTY_TABLE))
    if not rows.num_rows:
        return {}
    found: dict[Any, list[tuple[int, str]]] = {}
    for row in rows.filter(pa.compute.invert(rows.column("IsDelete"))).to_pylist():
        key = row["activityid"], row["participationtypemask"]
        found.setdefault(key, []).append((row["ordinal"], row["partyid"]))
    return {key: [party for _, party in sorted(members)] for key, members in found.items()}


def _compare_pairs(
    found: Comparison, organization: Organization, reader: SinkReader, types: ColumnTypes
) -> None:
    wanted: dict[str, set[frozenset[str]]] = {}
    for relationship, one, other in organization.pairs():
        known = types.intersects.get(relationship.lower())
        table = known.table if known else relationship.lower()
        wanted.setdefault(table, set()).add(frozenset((str(one), str(other))))
    for table, pairs in wanted.items():
        rows = reader.state(state_name(table)).to_pylist()
        there = {_keys(row) for row in rows if not row["IsDelete"]}
        found.pairs += len(pairs)
        if there != pairs:
            found.differences.append(f"{table}: {len(there)} pairs, not {len(pairs)}, or others")


def _keys(row: Row) -> frozenset[str]:
    """Return the two keys in a row of an intersect table."""
    ends = ("id", "idone", "idtwo")
    return frozenset(value for name, value in row.items() if name[0] != "_" and name.endswith(ends) and value)
