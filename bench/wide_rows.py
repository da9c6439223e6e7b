"""Rows as flattening makes them, for the benchmarks of sinks: 40 data columns, the same each time."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cdsbridge.tables.columns import SYSTEM, TIMESTAMP
from cdsbridge.tables.order import order_keys
from cdsbridge.tables.schema import TableSchema

TABLE = "account"
HISTORY = "account_history"
NOW = 1_790_000_000_000_000

DATA: dict[str, pa.DataType] = {
    **{f"text{i:02}": pa.string() for i in range(14)},
    **{f"lookup{i}id": pa.string() for i in range(7)},
    **{f"choice{i}": pa.int64() for i in range(5)},
    **{f"flag{i}": pa.bool_() for i in range(3)},
    **{f"money{i}": pa.decimal128(38, 4) for i in range(5)},
    **{f"on{i}": TIMESTAMP for i in range(4)},
    "versionnumber": pa.int64(),
    "accountid": pa.string(),
}
SCHEMA = TableSchema(HISTORY, {**SYSTEM, **DATA})
_CHANGED = '["' + '","'.join(sorted(DATA)) + '"]'


def history(keys: "np.ndarray[tuple[int], np.dtype[np.int64]]", wave: int) -> pa.Table:
    """Return one event for each key; a later wave is a later event."""
    rng = np.random.default_rng(wave)
    count = len(keys)
    numbers = pa.array(keys + wave * 10_000_000)
    ids = guids(pa.array(keys))
    events = pc.binary_join_element_wise(_padded(numbers, 32), "0", "-")
    instants = pa.array(NOW + wave * 3_600_000_000 + keys)
    known = {
        "Id": ids,
        "IsDelete": pa.repeat(pa.scalar(False), count),
        "_event_id": events,
        "_op": pa.repeat("create" if wave == 0 else "update", count),
        "_message": pa.repeat("Create" if wave == 0 else "Update", count),
        "_order": order_keys(
            instants, pa.repeat("create" if wave == 0 else "update", count), numbers, events
        ),
        "_changed": pa.repeat(_CHANGED, count),
        "_truncated": pa.repeat(pa.scalar(False), count),
        "_occurred_at": instants.cast(TIMESTAMP),
        "_entity": pa.repeat("dataverse", count),
        "_sequence_number": numbers,
        "_message_id": events,
        "_enqueued_at": instants.cast(TIMESTAMP),
        "_received_at": instants.cast(TIMESTAMP),
        "SinkCreatedOn": pa.repeat(pa.scalar(NOW, TIMESTAMP), count),
        "SinkModifiedOn": pa.repeat(pa.scalar(NOW, TIMESTAMP), count),
    }
    known |= {name: _column(name, kind, count, rng) for name, kind in DATA.items()}
    known["accountid"] = ids
    arrays = [
        known[name].cast(kind) if name in known else pa.nulls(count, kind)
        for name, kind in SCHEMA.columns.items()
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA.arrow())


def guids(numbers: pa.Array) -> pa.Array:
    """Return GUIDs of numbers; neighbours are far apart, as Dataverse's are not in time."""
    spread = (numbers.to_numpy().astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(1)
    digits = _padded(pa.array(spread.astype(np.int64)), 20)
    part = pc.utf8_slice_codeunits
    return pc.binary_join_element_wise(
        part(digits, 0, 8), part(digits, 8, 12), part(digits, 12, 16), "8000", _padded(numbers, 12), "-"
    )


def _padded(numbers: pa.Array, width: int) -> pa.Array:
    return pc.utf8_lpad(numbers.cast(pa.string()), width, "0")


def _column(name: str, kind: pa.DataType, count: int, rng: np.random.Generator) -> pa.Array:
    holes = pa.array(rng.random(count) < 0.15)
    if name.startswith("lookup"):
        values = guids(pa.array(rng.integers(0, 5_000, count)))
    elif kind == pa.string():
        numbers = pa.array(rng.integers(0, 10**9, count))
        values = pc.binary_join_element_wise(f"{name} of something", numbers.cast(pa.string()), " ")
    elif kind == pa.bool_():
        values = pa.array(rng.random(count) < 0.5)
    elif pa.types.is_decimal(kind):
        whole = pa.array(rng.integers(0, 10**7, count)).cast(pa.string())
        cents = _padded(pa.array(rng.integers(0, 10**4, count)), 4)
        values = pc.binary_join_element_wise(whole, cents, ".").cast(kind)
    elif kind == TIMESTAMP:
        values = pa.array(NOW - rng.integers(0, 10**14, count)).cast(TIMESTAMP)
    else:
        values = pa.array(rng.integers(0, 200, count))
    return pc.if_else(holes, pa.scalar(None, values.type), values)
