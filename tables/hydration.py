"""Truncated rows, and what makes a row read again from Dataverse the answer to one.

The sender cuts a message that would be too large, so its row holds a key and
nothing else.  A *hydrated* row stands beside it in the same history: the whole
row as it was when it was read.  Its event id is made of the truncated row's,
so hydrating twice writes one row, and the list of rows that wait needs no table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from .columns import FLATTENED

MESSAGE: Final = "Hydrate"
"""``_message`` of a hydrated row."""

OPERATIONS: Final = ("create", "update")
"""What ``_op`` a truncated row has that can be hydrated: a delete has nothing left to
read, and an event is no row."""

_COPIED: Final = (
    "Id",
    "_event_id",
    "_op",
    "_occurred_at",
    "_correlation_id",
    "_operation_id",
    "_user_id",
    "_initiating_user_id",
    "_organization",
    "_depth",
    "_entity",
    "_sequence_number",
    "_message_id",
    "_enqueued_at",
    "_received_at",
)

SCHEMA: Final = pa.schema([(name, FLATTENED[name]) for name in _COPIED])
"""Columns of a history that tell what a truncated row is about."""


@dataclass(frozen=True, slots=True)
class TruncatedRow:
    """A row whose message was cut.

    Attributes:
        table: Logical name of its table.
        id: Its key; ``None`` where the message had none.
        event_id: Of the row.
        op: create or update.
        occurred_at: Microseconds since 1970 UTC, as ``enqueued_at`` and ``received_at``.
        correlation_id: As in the column; so are all others.
    """

    table: str
    id: str | None
    event_id: str
    op: str
    occurred_at: int
    correlation_id: str | None
    operation_id: str | None
    user_id: str | None
    initiating_user_id: str | None
    organization: str | None
    depth: int | None
    entity: str
    sequence_number: int
    message_id: str | None
    enqueued_at: int | None
    received_at: int | None


def hydration_id(event_id: str) -> str:
    """Return the event id of the row that answers a truncated one.

    >>> hydration_id("0" * 32 + "-0")
    '18855b0fd2684990443173eeae0871cf-0'
    """
    digest = blake2b(f"hydrate\n{event_id}".encode(), digest_size=16)
    return f"{digest.hexdigest()}-0"


def hydration_ids(event_ids: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Return :func:`hydration_id` of each."""
    return pa.array([hydration_id(each) for each in event_ids.to_pylist()], pa.string())


def awaiting(rows: pa.RecordBatch | pa.Table) -> pa.Array | pa.ChunkedArray:
    """Return which rows can be hydrated, by their columns ``_truncated`` and ``_op``."""
    cut = pc.fill_null(rows.column("_truncated"), fill_value=False)
    return pc.and_(cut, pc.is_in(rows.column("_op"), pa.array(OPERATIONS)))


def truncated_rows(table: str, rows: pa.RecordBatch | pa.Table) -> Iterator[TruncatedRow]:
    """Yield rows with the columns of :data:`SCHEMA` as nouns.

    Args:
        table: Logical name of their table.
        rows: Other columns are passed over.
    """
    columns = [_plain(rows.column(name)) for name in _COPIED]
    for values in zip(*columns, strict=True):
        yield TruncatedRow(table, *values)


def _plain(column: pa.Array | pa.ChunkedArray) -> list[object]:
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
