"""Reads Parquet files back for the audit and for hydration."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...tables import hydration
from ...tables.fold import STANDING
from ...tables.schema import TableSchema
from .. import ledger, quarantine
from ..files import Files
from .lake import folder_of
from .registry import Registry

_HISTORY: Final = "_history"
_TRUNCATED: Final = (pc.field("_truncated") == pa.scalar(True)) & pc.field("_op").isin(hydration.OPERATIONS)


class ParquetReader:
    """See :class:`cdsbridge.sinks.base.SinkReader`."""

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._registry = Registry(files, name)

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns written down beside the table; lacking that, those in its files."""
        return self._registry.describe(table)

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

    def truncated(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield the truncated rows file by file; the statistics of a file tell where there are none."""
        for folder in self._histories():
            for path in self._files.walk(folder, ".parquet"):
                rows = self._columns(path, hydration.SCHEMA.names, _TRUNCATED)
                if rows.num_rows:
                    yield unquote(folder), rows.cast(hydration.SCHEMA)

    def quarantined(self) -> Iterator[pa.Table]:
        """Yield the quarantine file by file."""
        for path in self._files.walk(quarantine.TABLE, ".parquet"):
            yield self._columns(path, quarantine.SCHEMA.names).cast(quarantine.SCHEMA)

    def held(self, table: str, event_ids: pa.StringArray) -> pa.StringArray:
        """Return those of some event ids that the files of a table hold."""
        found = [pa.array([], pa.string())]
        if len(event_ids):
            for path in self._files.walk(folder_of(table), ".parquet"):
                ids = self._columns(path, ["_event_id"]).column(0)
                found.append(ids.filter(pc.is_in(ids, event_ids)).combine_chunks().cast(pa.string()))
        return pc.unique(pa.concat_arrays(found))

    def history(self, table: str) -> Iterator[pa.Table]:
        """Yield the rows of a history, one row group of one file at a time."""
        for path in self._files.walk(folder_of(table), ".parquet"):
            with self._files.open(path) as file:
                reader = pq.ParquetFile(file)
                yield from map(reader.read_row_group, range(reader.num_row_groups))

    def state(self, table: str) -> pa.Table:  # noqa: ARG002 - the protocol's
        """Return no rows: there is no current state here."""
        return pa.table({})

    def standing(self, table: str, keys: pa.StringArray) -> pa.Table:  # noqa: ARG002 - the protocol's
        """Return no rows: there is no current state here."""
        return STANDING.empty_table()

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

    def _columns(self, path: str, names: list[str], where: pc.Expression | None = None) -> pa.Table:
        with self._files.open(path) as file:
            return pq.read_table(file, columns=names, partitioning=None, filters=where).select(names)
