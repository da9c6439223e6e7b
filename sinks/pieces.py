"""Rows on their way into a flush, table by table, each with the number of its message."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ..model.batch import FlattenedBatch
from ..model.verdict import Verdict
from ..tables.columns import history_name


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one table from one micro-batch.

    Attributes:
        table: Logical name of the table.
        records: The rows.
        messages: int32, for each row the number of its message in the flush.
    """

    table: str
    records: pa.RecordBatch
    messages: pa.Int32Array

    def filled(self) -> Iterator[int]:
        """Indexes of the columns that hold at least one value."""
        rows = self.records.num_rows
        return (i for i, column in enumerate(self.records.columns) if column.null_count < rows)

    def of(self, failed: pa.BooleanArray) -> list[int]:
        """Return the numbers of the messages some of its rows belong to."""
        return pc.unique(self.messages.filter(failed)).to_pylist()


def pieces_of(pending: Sequence[FlattenedBatch]) -> list[Piece]:
    """Return the rows of a flush."""
    pieces: list[Piece] = []
    before = 0
    for flat in pending:
        for table in flat.tables:
            if table.records.num_rows:
                numbers = pc.add(table.positions, pa.scalar(before, pa.int32()))
                pieces.append(Piece(table.table, table.records, numbers))
        before += len(flat.batch.envelopes)
    return pieces


def by_table(pieces: Iterable[Piece]) -> dict[str, list[Piece]]:
    """Return pieces by the logical name of their table."""
    groups: dict[str, list[Piece]] = defaultdict(list)
    for piece in pieces:
        groups[piece.table].append(piece)
    return groups


def without(pieces: Iterable[Piece], refused: Mapping[int, Verdict]) -> Iterator[Piece]:
    """Yield pieces without the rows of refused messages."""
    if not refused:
        yield from pieces
        return
    numbers = pa.array(refused.keys(), pa.int32())
    for piece in pieces:
        kept = pc.invert(pc.is_in(piece.messages, numbers))
        records = piece.records.filter(kept)
        if records.num_rows:
            yield Piece(piece.table, records, piece.messages.filter(kept))


def concatenated(group: Sequence[Piece]) -> pa.Table:
    """Return all rows of a table; columns of nothing but nulls are left out, system columns too."""
    parts = [pa.Table.from_batches([piece.records.select(list(piece.filled()))]) for piece in group]
    return pa.concat_tables(parts, promote_options="default")


def numbers_of(
    pending: Sequence[FlattenedBatch], event_ids: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return the number of the message each of some rows came from, by history and event id."""
    wanted = set(event_ids)
    found: dict[tuple[str, str], int] = {}
    for piece in pieces_of(pending):
        history = history_name(piece.table)
        events, numbers = piece.records.column("_event_id").to_pylist(), piece.messages.to_pylist()
        for event, number in zip(events, numbers, strict=True):
            if (history, event) in wanted:
                found[history, event] = number
    return found
