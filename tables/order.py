"""The total order of events, made of the message alone."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

OPERATIONS: Final = {"create": 1, "update": 2, "delete": 3, "event": 4}
"""Rank of an operation among events of the same instant."""

_EPOCH_SHIFT: Final = 62_135_596_800_000_000
"""Microseconds from year 1 to 1970, so that every date Dataverse knows is positive."""

VERSION: Final = "versionnumber"
"""The column that can order a table instead of time."""

_LAST: Final = 2**63 - 1


def order_key(occurred_at: int, op: str, sequence_number: int, event_id: str) -> str:
    """Return the text whose ordinary string order is the order of events.

    Time first, then create before update before delete, then the broker's
    number, then the event id, so that no two events are equal.  ASCII, so
    every database and every collation that compares bytes agrees.

    Args:
        occurred_at: Microseconds since 1970 UTC, from year 1 on.
        op: create, update, delete or event.
        sequence_number: The broker's number, the original one where known.
        event_id: The event id, with the row's ordinal.

    >>> order_key(0, "create", 7, "e-0") < order_key(0, "update", 3, "d-0")
    True
    >>> order_key(-1, "delete", 7, "e-0") < order_key(0, "create", 3, "d-0")
    True
    """
    return f"{occurred_at + _EPOCH_SHIFT:018d}.{OPERATIONS[op]}.{sequence_number:019d}.{event_id}"


def order_keys(
    occurred_at: pa.Int64Array,
    ops: pa.StringArray,
    sequence_numbers: pa.Int64Array,
    event_ids: pa.StringArray,
) -> pa.StringArray:
    """Return the keys of many events: :func:`order_key` of each.

    >>> order_keys(pa.array([0]), pa.array(["update"]), pa.array([7]), pa.array(["e-0"]))[0].as_py()
    '062135596800000000.2.0000000000000000007.e-0'
    """
    times = pc.utf8_lpad(pc.add(occurred_at, _EPOCH_SHIFT).cast(pa.string()), 18, "0")
    ranks = pa.array([str(rank) for rank in OPERATIONS.values()]).take(
        pc.index_in(ops, value_set=pa.array(list(OPERATIONS)))
    )
    numbers = pc.utf8_lpad(sequence_numbers.cast(pa.string()), 19, "0")
    return pc.binary_join_element_wise(times, ranks, numbers, event_ids, ".")


def by_version(rows: pa.Table) -> pa.Table:
    """Return rows whose ``_order`` begins with their ``versionnumber``.

    Dataverse raises it with each write of a row
    (https://learn.microsoft.com/power-apps/developer/data-platform/optimistic-concurrency).
    Rows without one come first, in the order of time; a delete without one comes last.
    """
    count = rows.num_rows
    sent = rows.column(VERSION) if VERSION in rows.column_names else pa.nulls(count, pa.int64())
    gone = pc.equal(rows.column("_op"), "delete")
    known = pc.coalesce(sent, pc.if_else(gone, pa.scalar(_LAST), pa.scalar(0)))
    padded = pc.utf8_lpad(known.cast(pa.string()), 19, "0")
    order = pc.binary_join_element_wise(padded, rows.column("_order"), ".")
    return rows.set_column(rows.column_names.index("_order"), "_order", order)
