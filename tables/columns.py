"""The columns every history table has beside its data.

Data columns carry the Dataverse logical name in lower case; system columns
carry the names Azure Synapse Link uses, so that its users can switch; our own
begin with an underscore, which no Dataverse column does.
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
"""Every instant: microseconds, UTC."""

FLATTENED: Final[Mapping[str, pa.DataType]] = {
    "Id": pa.string(),
    "IsDelete": pa.bool_(),
    "_event_id": pa.string(),
    "_op": pa.string(),
    "_message": pa.string(),
    "_order": pa.string(),
    "_changed": pa.string(),
    "_extra": pa.string(),
    "_truncated": pa.bool_(),
    "_occurred_at": TIMESTAMP,
    "_correlation_id": pa.string(),
    "_operation_id": pa.string(),
    "_user_id": pa.string(),
    "_initiating_user_id": pa.string(),
    "_organization": pa.string(),
    "_depth": pa.int64(),
    "_entity": pa.string(),
    "_sequence_number": pa.int64(),
    "_message_id": pa.string(),
    "_enqueued_at": TIMESTAMP,
    "_received_at": TIMESTAMP,
}
"""System columns that flattening fills, in their order.

``Id``: primary key of the row, GUID text.  ``_event_id``: identity of the
event, shared by redeliveries and the sender's retries.  ``_op``: create,
update, delete, or ``event`` for a message that is no row change; ``_message``: the
message name as sent.  ``_order``: see :mod:`cdsbridge.tables.order`.
``_changed``: JSON list of the columns that were sent, null values included, sorted.
``_extra``: JSON object of what fits no column, or null.  ``_truncated``: the sender cut the message.
``_occurred_at``: the instant ``_order`` begins with.
``_entity`` to ``_received_at`` tell of the delivery.
"""

COMMITTED: Final[Mapping[str, pa.DataType]] = {
    "SinkCreatedOn": TIMESTAMP,
    "SinkModifiedOn": TIMESTAMP,
}
"""System columns that the commit fills: when we wrote the row."""

SYSTEM: Final[Mapping[str, pa.DataType]] = {**FLATTENED, **COMMITTED}
"""All system columns of a history table."""

DELIVERY: Final = (
    "_order",
    "_entity",
    "_sequence_number",
    "_message_id",
    "_enqueued_at",
    "_received_at",
)
"""Columns that differ between two posts of one event.  Sinks keep those of the lowest ``_order``."""


def history_name(table: str) -> str:
    """Return the name of a table's history.

    >>> history_name("account")
    'account_history'
    """
    return f"{table}_history"
