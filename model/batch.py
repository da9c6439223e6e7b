"""Batches on their way to a table."""

from dataclasses import dataclass

import pyarrow as pa

from .envelope import MicroBatch
from .verdict import Verdict


@dataclass(frozen=True, slots=True)
class TableBatch:
    """Rows of one table, made from one micro-batch.

    Attributes:
        table: Logical name of the Dataverse table, lower case (``account``).
        records: The rows: the system columns of
            :mod:`cdsbridge.tables.columns` that flattening knows, then data
            columns.  A column with nothing but nulls is left out.  A column
            name stands twice, with different types, where messages of the
            batch disagree about its type.
        positions: int32, one per row: the index of its message in the
            micro-batch.
    """

    table: str
    records: pa.RecordBatch
    positions: pa.Int32Array


@dataclass(frozen=True, slots=True)
class FlattenedBatch:
    """A micro-batch and everything that came of it, not yet durable.

    Attributes:
        batch: The envelopes, kept for quarantine and settlement.
        tables: At most one table batch a table.
        verdicts: One per envelope, in their order.
    """

    batch: MicroBatch
    tables: tuple[TableBatch, ...]
    verdicts: tuple[Verdict, ...]
