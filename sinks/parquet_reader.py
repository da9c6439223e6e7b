"""Reads Parquet files back for the audit."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from . import ledger, quarantine
from .files import Files

_HISTORY: Final = "_history"


class ParquetReader:
    """See :class:`cdsbridge.sinks.base.SinkReader`."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def ledger(self) -> Iterator[pa.Table]:
        """Yield the ledger file by file."""
        for path in self._files.walk(ledger.TABLE, ".parquet"):
            yield self._columns(path, ledger.SCHEMA.names).cast(ledger.SCHEMA)

    def event_ids(self) -> Iterator[tuple[str, pa.Array]]:
        """Yield the event ids file by file, table by table."""
        for folder in self._histories():
            for path in self._files.walk(folder, ".parquet"):
                ids = self._columns(path, ["_event_id"]).column(0)
                yield unquote(folder), ids.combine_chunks()

    def rows(self) -> Mapping[str, int]:
        """Return distinct events by history table, distinct messages under ``_quarantine``."""
        counts = {unquote(folder): self._distinct(folder, ["_event_id"]) for folder in self._histories()}
        counts[quarantine.TABLE] = self._distinct(quarantine.TABLE, list(quarantine.KEY))
        return counts

    def close(self) -> None:
        """Nothing is held."""

    def _histories(self) -> list[str]:
        return [name for name in self._files.folders() if name.endswith(_HISTORY)]

    def _distinct(self, folder: str, key: list[str]) -> int:
        parts = [self._columns(path, key) for path in self._files.walk(folder, ".parquet")]
        if not parts:
            return 0
        together = pa.concat_tables(parts)
        if len(key) == 1:
            return int(pc.count_distinct(together.column(0)).as_py())
        return together.group_by(key).aggregate([]).num_rows

    def _columns(self, path: str, names: list[str]) -> pa.Table:
        with self._files.open(path) as file:
            return pq.read_table(file, columns=names, partitioning=None).select(names)
