"""Parquet files: one folder a table, files created once and never changed.

Layout, below the sink's URL::

    account_history/ingest_date=2026-11-24/<name>.parquet   the rows
    account_history/_schema.json                            the columns, and what each version added
    account_history/_schema/00000001.json                   one version of them; the highest counts
    _quarantine/ingest_date=.../<name>.parquet
    _ledger/ingest_date=.../<name>.parquet                  written after all the rest

A file's name is a hash of what identifies its rows, so the same file written
again is the same file.  Delivery is **at least once**: after a crash the
messages may come cut into other files, and a retry after midnight lands in
the next day's folder, so an event can stand in more than one file.
``_event_id`` tells; of rows with the same one, that with the lowest
``_order`` counts, and ``cdsbridge compact`` removes the others.  Columns are
only ever added, and a file has all columns known when it was written: read
the files of a table by column name (``union_by_name`` in DuckDB,
``pyarrow.unify_schemas``).
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from ...model import failpoints
from ...tables.schema import TableSchema
from .. import ledger, quarantine
from ..base import Claim, Flush, Staged
from ..files import Files
from .lake import File, ParquetLake, encoded
from .reader import ParquetReader
from .registry import Registry


class ParquetSink(ParquetLake):
    """Tables as Parquet files; see :class:`cdsbridge.sinks.parquet.lake.ParquetLake`.

    Attributes:
        kind: ``parquet``.
    """

    kind: Literal["parquet"] = "parquet"

    def open(self, claim: Claim | None = None) -> "ParquetWriter":  # noqa: ARG002 - files need no fence
        """Return a live writer; see :meth:`cdsbridge.sinks.base.Sink.open`.

        Two bridges may write at once: a file is created once, and event ids tell what repeats.
        """
        files = self.files()
        files.greet()
        return ParquetWriter(files, self)

    def read(self) -> ParquetReader:
        """Return a live reader; see :meth:`cdsbridge.sinks.base.Sink.read`."""
        return ParquetReader(self.files(), self.name)


@dataclass(frozen=True, slots=True)
class StagedFiles:
    """Encoded files, in memory.

    Attributes:
        history: Put first, in no particular order.
        quarantine: Put next.
        ledger: Put last.
    """

    history: tuple[File, ...]
    quarantine: tuple[File, ...]
    ledger: tuple[File, ...]


class ParquetWriter:
    """Writes flushes as Parquet files; see :class:`cdsbridge.sinks.base.SinkWriter`."""

    def __init__(self, files: Files, sink: ParquetSink) -> None:
        self._files = files
        self._sink = sink
        self._registry = Registry(files, sink.name)
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="parquet-sink")

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns written down beside the table; lacking that, those in its files."""
        return self._registry.describe(table)

    def prepare(self, schema: TableSchema) -> None:
        """Write down the columns of a table before any file has them."""
        self._registry.prepare(schema)

    def stage(self, flush: Flush) -> StagedFiles:
        """Encode the files in memory."""
        return StagedFiles(
            self._encoded(flush.tables.items()),
            self._encoded([(quarantine.TABLE, flush.quarantine)]),
            self._encoded([(ledger.TABLE, flush.ledger)]),
        )

    def commit(self, staged: Staged) -> None:
        """Put the files; one that is there already has the same rows and stays."""
        if not isinstance(staged, StagedFiles):
            raise TypeError("not staged by this writer")
        self._put(staged.history)
        failpoints.reach("history_written")
        self._put(staged.quarantine)
        failpoints.reach("all_written")
        self._put(staged.ledger)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _put(self, files: Iterable[File]) -> None:
        list(self._pool.map(lambda file: self._files.create(file.path, file.data), files))

    def _encoded(self, tables: Iterable[tuple[str, pa.Table]]) -> tuple[File, ...]:
        files = self._pool.map(lambda job: list(encoded(job[1], job[0], self._sink)), tables)
        return tuple(file for some in files for file in some)
