"""The ledger: one row per message that has ended, beside the tables it went into."""

from typing import Final

import pyarrow as pa

from ..tables.columns import TIMESTAMP

TABLE: Final = "_ledger"
"""Name of the ledger in every sink."""

SCHEMA: Final = pa.schema(
    [
        ("entity", pa.string()),
        ("sequence_number", pa.int64()),
        ("enqueued_at", TIMESTAMP),
        ("message_id", pa.string()),
        ("disposition", pa.string()),
        ("reason", pa.string()),
        ("event", pa.string()),
        ("rows", pa.int64()),
        ("committed_at", TIMESTAMP),
    ]
)
"""``disposition``: committed, skipped or rejected.  ``event`` and ``rows``: the
message's rows have the event ids ``<event>-0`` to ``<event>-<rows - 1>``."""

KEY: Final = ("entity", "sequence_number", "enqueued_at")
"""What names a message; a row is inserted only if its key is absent."""
