"""The quarantine: what could not become rows, whole, with the reason."""

from typing import Final

import pyarrow as pa

from ..tables.columns import TIMESTAMP

TABLE: Final = "_quarantine"
"""Name of the quarantine in every sink."""

SCHEMA: Final = pa.schema(
    [
        ("entity", pa.string()),
        ("sequence_number", pa.int64()),
        ("enqueued_at", TIMESTAMP),
        ("message_id", pa.string()),
        ("correlation_id", pa.string()),
        ("content_type", pa.string()),
        ("delivery_count", pa.int64()),
        ("reason", pa.string()),
        ("sentence", pa.string()),
        ("place", pa.string()),
        ("properties", pa.string()),
        ("body", pa.binary()),
        ("quarantined_at", TIMESTAMP),
    ]
)
"""``place``: byte offset or path of the fault.  ``properties``: JSON object."""

KEY: Final = ("entity", "sequence_number", "enqueued_at")
"""What names a message; a row is inserted only if its key is absent."""
