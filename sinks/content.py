"""What a table says, in one number: equal for equal tables, in any sink of one kind and any order.

Two histories made of the same messages are equal in it, however these were
cut into commits, however often they came, and whenever they were written.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from ..tables.columns import COMMITTED

UNEQUAL: Final = frozenset({*COMMITTED, "_received_at"})
"""Columns left out.  They tell when we wrote a row and when a delivery reached us; of several deliveries
of one message it is chance which is written first.  All other columns are made of the message."""

_PIECE_ROWS: Final = 20_000
_PIECE_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """What a table says.

    Attributes:
        rows: Distinct events.
        digest: Of all their cells, 32 hexadecimal digits; names of columns and types of values
            count, the order of rows and columns does not, nor does a column of nothing but nulls.
    """

    rows: int
    digest: str


class HistoryReader(Protocol):
    """Reads whole histories back."""

    def history(self, table: str) -> Iterator[pa.Table]:
        """Yield all rows of a history in pieces; columns as they stand there, events may repeat."""


def content(pieces: Iterable[pa.Table], key: str = "_event_id") -> Content:
    """Return what a table says; of several rows of one event that of the lowest ``_order`` counts.

    Needs some 250 bytes of memory for a row.

    Args:
        pieces: All its rows.
        key: Column that names a row.

    Raises:
        KeyError: A piece lacks the key or ``_order``.
    """
    counting: dict[str, tuple[str, bytes]] = {}
    for piece in pieces:
        for rows in _small(piece):
            found = zip(
                *(rows.column(name).to_pylist() for name in (key, "_order")), _digests(rows), strict=True
            )
            for name, order, digest in found:
                held = counting.get(name)
                if held is None or (order, digest) < held:
                    counting[name] = order, digest
    together = hashlib.blake2b(digest_size=16)
    for digest in sorted(digest for _, digest in counting.values()):
        together.update(digest)
    return Content(len(counting), together.hexdigest())


def contents(reader: HistoryReader, tables: Iterable[str]) -> dict[str, Content]:
    """Return what each of some histories says, by their names in the sink.

    Raises:
        SinkUnavailable: The sink cannot be read.
    """
    return {table: content(reader.history(table)) for table in sorted(tables)}


def _small(piece: pa.Table) -> Iterator[pa.Table]:
    if not piece.num_rows:
        return
    size = max(1, min(_PIECE_ROWS, _PIECE_BYTES * piece.num_rows // max(1, piece.nbytes)))
    for start in range(0, piece.num_rows, size):
        yield piece.slice(start, size)


def _digests(rows: pa.Table) -> list[bytes]:
    names = sorted(name for name in rows.column_names if name not in UNEQUAL)
    cells = [_cells(name, rows.column(name).combine_chunks()) for name in names]
    whole = pc.binary_join_element_wise(
        *cells, pa.scalar(b"", pa.large_binary()), null_handling="replace", null_replacement=""
    )
    return [hashlib.blake2b(row, digest_size=16).digest() for row in whole.to_pylist()]


def _cells(name: str, column: pa.Array) -> pa.Array:
    """Return name, type, length and text of each value, null for a null."""
    texts = _texts(column)
    lengths = pc.cast(pc.binary_length(texts), pa.string()).cast(pa.large_binary())
    head = pa.scalar(f"{len(name)}:{name} {column.type} ".encode(), pa.large_binary())
    return pc.binary_join_element_wise(head, lengths, texts, pa.scalar(b":", pa.large_binary()))


def _texts(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return column.cast(pa.large_binary())
    return column.cast(pa.string()).cast(pa.large_binary())
