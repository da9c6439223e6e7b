"""The raw archive: every message as it came, in Parquet files, committed with the rest.

Layout, below the URL::

    _archive/ingest_date=2026-11-24/<name>.parquet

A name is a hash of the messages in the file and their commit, and a file is created once.
After a crash a message may come again and stand in a second file: entity,
sequence number and enqueued time tell, and the first counts.
"""

from dataclasses import dataclass
from typing import Literal

from ...tables.schema import TableSchema
from ..base import Claim, Flush, Staged
from ..files import Files
from ..parquet.lake import File, ParquetLake, encoded
from . import schema as archive_schema
from .reader import ArchiveReader


class ArchiveSink(ParquetLake):
    """Messages as they came; see :class:`cdsbridge.sinks.parquet.lake.ParquetLake`.

    Attributes:
        kind: ``archive``.
    """

    kind: Literal["archive"] = "archive"

    @property
    def history(self) -> bool:
        """``False``: an archive has no tables."""
        return False

    @property
    def wants_messages(self) -> bool:
        """``True``: flushes carry the messages for it."""
        return True

    def open(self, claim: Claim | None = None) -> "ArchiveWriter":  # noqa: ARG002 - files need no fence
        """Return a live writer; see :meth:`cdsbridge.sinks.base.Sink.open`."""
        files = self.files()
        files.greet()
        return ArchiveWriter(files, self)

    def read(self) -> ArchiveReader:
        """Return a live reader; see :meth:`cdsbridge.sinks.base.Sink.read`."""
        return ArchiveReader(self.files(), self.name)


@dataclass(frozen=True, slots=True)
class StagedMessages:
    """Encoded files of messages, in memory."""

    files: tuple[File, ...]


class ArchiveWriter:
    """Writes the messages of flushes; see :class:`cdsbridge.sinks.base.SinkWriter`."""

    def __init__(self, files: Files, sink: ArchiveSink) -> None:
        self._files = files
        self._sink = sink

    def describe(self, table: str) -> TableSchema | None:  # noqa: ARG002 - the protocol's
        """Return ``None``: an archive has no tables."""
        return None

    def prepare(self, schema: TableSchema) -> None:
        """Do nothing: an archive has no tables."""

    def stage(self, flush: Flush) -> StagedMessages:
        """Encode the messages in memory."""
        return StagedMessages(tuple(encoded(flush.messages, archive_schema.TABLE, self._sink)))

    def commit(self, staged: Staged) -> None:
        """Put the files; one that is there already has the same messages and stays."""
        if not isinstance(staged, StagedMessages):
            raise TypeError("not staged by this writer")
        for file in staged.files:
            self._files.create(file.path, file.data)

    def close(self) -> None:
        """Nothing is held."""
