"""Reads Delta tables back for the audit and for hydration."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ...tables import hydration
from ...tables.fold import STANDING
from ...tables.schema import TableSchema
from .. import ledger, quarantine
from .files import Sources, aligned
from .table import Lake, Table

_HISTORY: Final = "_history"


class DeltaReader:
    """See :class:`cdsbridge.sinks.base.SinkReader`."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._tables: dict[str, Table] = {}

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns of a table."""
        found = self._table(table)
        return found.schema() if found.refresh() else None

    def ledger(self) -> Iterator[pa.Table]:
        """Yield the ledger in pieces."""
        for rows in self._pieces(ledger.TABLE, ledger.SCHEMA.names):
            yield rows.cast(ledger.SCHEMA)

    def event_ids(self) -> Iterator[tuple[str, pa.Array]]:
        """Yield the event ids in pieces, table by table."""
        for name in self._histories():
            for rows in self._pieces(name, ["_event_id"]):
                yield name, rows.column(0).combine_chunks()

    def rows(self) -> Mapping[str, int]:
        """Return distinct events by history table, distinct messages under ``_quarantine``."""
        counts = {name: self._distinct(name, ["_event_id"]) for name in self._histories()}
        counts[quarantine.TABLE] = self._distinct(quarantine.TABLE, quarantine.KEY)
        return counts

    def truncated(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield the truncated rows in pieces, table by table."""
        operations = pa.array(hydration.OPERATIONS)
        for name in self._histories():
            for rows in self._pieces(name, [*hydration.SCHEMA.names, "_truncated"]):
                cut = pc.and_kleene(rows.column("_truncated"), pc.is_in(rows.column("_op"), operations))
                found = rows.filter(cut).select(hydration.SCHEMA.names)
                if found.num_rows:
                    yield name, found.cast(hydration.SCHEMA)

    def quarantined(self) -> Iterator[pa.Table]:
        """Yield the quarantine in pieces."""
        for rows in self._pieces(quarantine.TABLE, quarantine.SCHEMA.names):
            yield rows.cast(quarantine.SCHEMA)

    def held(self, table: str, event_ids: pa.StringArray) -> pa.StringArray:
        """Return those of some event ids that a table holds."""
        found = [pa.array([], pa.string())]
        if len(event_ids):
            for rows in self._pieces(table, ["_event_id"]):
                ids = rows.column(0)
                found.append(ids.filter(pc.is_in(ids, event_ids)).combine_chunks())
        return pc.unique(pa.concat_arrays(found))

    def history(self, table: str) -> Iterator[pa.Table]:
        """Yield the rows of a history in pieces."""
        found = self._table(table)
        if found.refresh():
            yield from self._pieces(table, list(found.schema().columns))

    def state(self, table: str) -> pa.Table:
        """Return all rows of a state."""
        found = self._table(table)
        if not found.refresh():
            return pa.table({})
        schema = found.schema().arrow()
        return pa.concat_tables([schema.empty_table(), *self._pieces(table, schema.names)])

    def standing(self, table: str, keys: pa.StringArray) -> pa.Table:
        """Return what stands of some rows of a state."""
        pieces = self._pieces(table, STANDING.names)
        found = (rows.filter(pc.is_in(rows.column("Id"), keys)).cast(STANDING) for rows in pieces)
        return pa.concat_tables([STANDING.empty_table(), *found])

    def close(self) -> None:
        """Nothing is held."""

    def _histories(self) -> list[str]:
        names = [name for name in self._lake.tables() if name.endswith(_HISTORY)]
        return [name for name in names if self._table(name).refresh()]

    def _distinct(self, table: str, key: Sequence[str]) -> int:
        parts = list(self._pieces(table, key))
        if not parts:
            return 0
        return pa.concat_tables(parts).group_by(list(key)).aggregate([]).num_rows

    def _pieces(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield some columns of a table, a row group at a time."""
        table = self._table(name)
        if not table.refresh():
            return
        kinds = table.schema().columns
        schema = pa.schema([(column, kinds[column]) for column in columns])
        sources = Sources(self._lake.files, table.folder)
        for file in table.data_files():
            for group in sources.groups(file):
                yield aligned(group.read([c for c in columns if c in group.columns]), schema)

    def _table(self, name: str) -> Table:
        return self._tables.setdefault(name, Table(self._lake, name))
