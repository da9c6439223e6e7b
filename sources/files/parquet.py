"""Messages of a Parquet file: the columns of an archive, as far as they are there."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ...model.envelope import Envelope
from ...model.errors import ConfigError
from ...model.properties import properties_of
from ..convert import now_us
from .item import at_line, unreadable

_MAGIC: Final = b"PAR1"
_AT_ONCE: Final = 1_000
_COLUMNS: Final = (
    "entity",
    "sequence_number",
    "enqueued_at",
    "message_id",
    "correlation_id",
    "content_type",
    "delivery_count",
    "properties",
    "body",
)


def is_parquet(path: Path) -> bool:
    """Tell whether a file begins as Parquet does."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def parquet_envelopes(path: Path, entity: str) -> Iterator[Envelope]:
    """Yield the messages of a file; a row that is none becomes an envelope that says so.

    Args:
        path: The file.  Its rows are counted from 1, as lines are.
        entity: Where messages are said to come from that do not say it.

    Raises:
        ConfigError: It is no Parquet file, or has no column ``body``.
        OSError: It cannot be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            names = set(file.schema_arrow.names)
            if "body" not in names:
                raise ConfigError(f"{path} has no column body, so its rows are no messages")
            number = 0
            for piece in file.iter_batches(_AT_ONCE, columns=[name for name in _COLUMNS if name in names]):
                for row in _plain(piece).to_pylist():
                    number += 1
                    yield _envelope(row, path, number, entity)
    except pa.ArrowInvalid as error:
        raise ConfigError(f"{path} cannot be read as Parquet: {error}") from error


def _plain(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows with instants as microseconds since 1970 UTC."""
    if "enqueued_at" not in rows.schema.names:
        return rows
    at = rows.schema.get_field_index("enqueued_at")
    column = rows.column(at)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    return rows.set_column(at, "enqueued_at", column)


def _envelope(row: Mapping[str, Any], path: Path, number: int, entity: str) -> Envelope:
    body, given = row["body"], row.get("sequence_number")
    try:
        if body is None:
            raise ValueError("its body is null")  # noqa: TRY301 - told as the others
        properties = properties_of(row.get("properties") or "{}")
        return Envelope(
            body=body.encode() if isinstance(body, str) else bytes(body),
            entity=row.get("entity") or entity,
            sequence_number=number if given is None else int(given),
            enqueued_at=int(row.get("enqueued_at") or 0),
            received_at=now_us(),
            properties=at_line(properties, path, number),
            delivery_count=int(row.get("delivery_count") or 0),
            message_id=str(row.get("message_id") or ""),
            correlation_id=str(row.get("correlation_id") or ""),
            content_type=str(row.get("content_type") or ""),
        )
    except (ValueError, TypeError) as error:
        held = body if isinstance(body, bytes) else str(body or "").encode()
        return unreadable(held, path, number, f"is no message: {error}", now_us())
