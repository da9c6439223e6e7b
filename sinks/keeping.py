"""Values no column takes: kept as text in a column beside theirs, or in ``_extra``."""

import base64
import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..tables.extras import members, spelled
from ..tables.presence import stem


def as_texts(values: pa.Array) -> pa.StringArray:
    """Return values as text: numbers in full, instants and dates in ISO 8601, bytes in base64.

    >>> as_texts(pa.array([Decimal("1.50"), None])).to_pylist()
    ['1.5', None]
    """
    return pa.array([None if value is None else _text(value) for value in values.to_pylist()], pa.string())


def with_extra(records: pa.RecordBatch, moved: Sequence[tuple[str, pa.Array]]) -> pa.RecordBatch:
    """Return rows whose ``_extra`` also holds some values, under the names of their columns.

    What stands beside a column that is moved too is named ``<column>@<what>``.

    Args:
        records: Rows.
        moved: Names and values, null where a row has none.
    """
    names = {name for name, _ in moved}
    index = records.schema.get_field_index("_extra")
    texts: list[Any] = records.column(index).to_pylist() if index >= 0 else [None] * records.num_rows
    for name, values in moved:
        key = next((f"{s}@{name.removeprefix(s)}" for s in stem(name) if s in names), name)
        for row, value in enumerate(values.to_pylist()):
            if value is not None:
                texts[row] = spelled({**members(texts[row]), key: _json(value)})
    extra = pa.array(texts, pa.string())
    if index < 0:
        return records.append_column("_extra", extra)
    return records.set_column(index, records.schema.field(index), extra)


def split(values: pa.Array, failed: pa.BooleanArray) -> tuple[pa.Array, pa.Array]:
    """Return the values that did not fail and those that did, null elsewhere."""
    none = pa.scalar(None, values.type)
    return pc.if_else(failed, none, values), pc.if_else(failed, values, none)


def merged(arrays: Iterable[pa.Array]) -> pa.Array:
    """Return the values of several columns of one type, no two of which have a value in one row."""
    found = list(arrays)
    return found[0] if len(found) == 1 else pc.coalesce(*found)


def _json(value: Any) -> str:
    if isinstance(value, (bool, int, Decimal)) or (isinstance(value, float) and math.isfinite(value)):
        return str(value).lower() if isinstance(value, bool) else _text(value)
    return json.dumps(_text(value), ensure_ascii=False)


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        plain = f"{value:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)
