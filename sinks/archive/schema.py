"""The raw archive: every message as it came, and how it ended."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from ...model.envelope import Envelope
from ...model.errors import ConfigError
from ...model.properties import Scalar, properties_of, properties_text
from ...model.verdict import Verdict
from ...tables.columns import TIMESTAMP

TABLE: Final = "_archive"
"""Folder of the messages below an archive's URL."""

SCHEMA: Final = pa.schema(
    [
        ("entity", pa.string()),
        ("sequence_number", pa.int64()),
        ("enqueued_at", TIMESTAMP),
        ("received_at", TIMESTAMP),
        ("message_id", pa.string()),
        ("correlation_id", pa.string()),
        ("content_type", pa.string()),
        ("delivery_count", pa.int64()),
        ("properties", pa.string()),
        ("body", pa.binary()),
        ("disposition", pa.string()),
        ("reason", pa.string()),
        ("committed_at", TIMESTAMP),
        ("batch", pa.int32()),
        ("position", pa.int32()),
    ]
)
"""All of an :class:`cdsbridge.model.envelope.Envelope` but its lock, which is worth nothing later.

``properties``: see :func:`cdsbridge.model.properties.properties_text`.  ``disposition`` and ``reason``: as in
:data:`cdsbridge.sinks.ledger.SCHEMA`.  ``committed_at``, ``batch`` and ``position`` give the order:
the commit, the micro-batch in it and the message in it were taken one after another, 0 first.
Types of columns hang on that order, and on which messages were read together.
"""

KEY: Final = ("entity", "sequence_number", "enqueued_at")
"""What names a message.  It may stand more than once; the first counts."""


def archive_rows(ended: Sequence[tuple[Envelope, Verdict]], now: int, batches: Sequence[int]) -> pa.Table:
    """Return one row a message, as :data:`SCHEMA`.

    Args:
        ended: Messages and how they ended, in the order they were flattened.
        now: The instant of the commit, microseconds since 1970 UTC.
        batches: For each of them, which micro-batch of the commit it was in, 0 first.
    """
    envelopes, verdicts = [envelope for envelope, _ in ended], [verdict for _, verdict in ended]
    columns: list[Sequence[object]] = [
        [envelope.entity for envelope in envelopes],
        [envelope.sequence_number for envelope in envelopes],
        [envelope.enqueued_at for envelope in envelopes],
        [envelope.received_at for envelope in envelopes],
        [envelope.message_id for envelope in envelopes],
        [envelope.correlation_id for envelope in envelopes],
        [envelope.content_type for envelope in envelopes],
        [envelope.delivery_count for envelope in envelopes],
        [properties_text(envelope.properties) for envelope in envelopes],
        [envelope.body for envelope in envelopes],
        [str(verdict.outcome) for verdict in verdicts],
        [str(verdict.reason) for verdict in verdicts],
        [now] * len(ended),
        batches,
        range(len(ended)),
    ]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def envelopes(rows: pa.Table) -> list[Envelope]:
    """Return the messages of archive rows, each equal to what was archived but for its lock.

    Raises:
        ConfigError: The rows are not those of an archive.
    """
    columns = [_plain(rows.column(name)) for name in SCHEMA.names[: SCHEMA.get_field_index("disposition")]]
    return [
        Envelope(
            body,
            entity,
            number,
            enqueued_at=enqueued_at,
            received_at=received_at,
            message_id=message_id,
            correlation_id=correlation_id,
            content_type=content_type,
            properties=_properties(properties),
            delivery_count=deliveries,
        )
        for (
            entity,
            number,
            enqueued_at,
            received_at,
            message_id,
            correlation_id,
            content_type,
            deliveries,
            properties,
            body,
        ) in zip(*columns, strict=True)
    ]


def _properties(text: str) -> dict[str, Scalar]:
    try:
        return properties_of(text)
    except ValueError as error:
        raise ConfigError(f"Application properties in the archive cannot be read: {error}") from error


def _plain(column: pa.ChunkedArray) -> list[object]:
    return (column.cast(pa.int64()) if column.type == TIMESTAMP else column).to_pylist()
