"""Cell by cell: two flatteners on the same messages."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

JSON_COLUMNS = frozenset({"parameters", "outputs", "_extra"})
"""Columns of JSON text: equal when they mean the same."""

Cells = Mapping[tuple[str, str, str, str], Any]


def cells(tables: Iterable[tuple[str, pa.RecordBatch]]) -> Cells:
    """Return every non-null cell by table, row (event id), column and Arrow type."""
    found: dict[tuple[str, str, str, str], Any] = {}
    for table, records in tables:
        keys = records.column(records.schema.get_field_index("_event_id")).to_pylist()
        for field, column in zip(records.schema, records.columns, strict=True):
            for key, value in zip(keys, column.to_pylist(), strict=True):
                if value is not None:
                    found[table, key, field.name, str(field.type)] = _plain(field.name, value)
    return found


def differences(ours: Cells, theirs: Cells) -> list[tuple[tuple[str, str, str, str], Any, Any]]:
    """Return the cells in which two flatteners differ: where, ours, theirs."""
    return [
        (where, ours.get(where), theirs.get(where))
        for where in sorted({*ours, *theirs})
        if ours.get(where) != theirs.get(where)
    ]


def _plain(column: str, value: Any) -> Any:
    if column not in JSON_COLUMNS:
        return value
    return json.loads(value)
