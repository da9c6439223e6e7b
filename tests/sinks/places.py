"""Every sink the contract holds for, each with a reader that is not ours: DuckDB and sqlite3.

A new sink is one class and one line in ``PLACES``.
"""

import glob
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
from obstore.store import LocalStore

from cdsbridge.sinks import DeltaSink, ParquetSink, SqlSink
from cdsbridge.sinks.delta.table import folder_name
from cdsbridge.sinks.testing import Place, canonical
from cdsbridge.sinks.testing.places import Row

from .delta_log import table_rows


class ParquetPlace:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "lake"
        self.sink = ParquetSink(url=str(self.root))

    def rows(self, table: str) -> list[Row]:
        files = f"{glob.escape(str(self.root))}/{table}/*/*.parquet"
        if not glob.glob(files):
            return []
        key = "_event_id" if table.endswith("_history") else "entity, sequence_number, enqueued_at"
        order = "_order, _received_at" if table.endswith("_history") else "message_id"
        query = (
            f"SELECT * FROM read_parquet('{files}', union_by_name=true, hive_partitioning=false) "
            f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {order}) = 1 ORDER BY {key}"
        )
        with duckdb.connect() as connection:
            return canonical(connection.sql(query).to_arrow_table())


class SqlitePlace:
    portable = False

    def __init__(self, folder: Path) -> None:
        self.path = folder / "base" / "rows.db"
        self.sink = SqlSink.model_validate({"url": f"sqlite:///{self.path}", "portable": self.portable})

    def rows(self, table: str) -> list[Row]:
        if not self.path.exists():
            return []
        connection = sqlite3.connect(self.path)
        try:
            connection.row_factory = sqlite3.Row
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                return []
            rows = connection.execute(f'SELECT * FROM "{table}" ORDER BY {key_of(table)}')
            return [dict(row) for row in rows]
        finally:
            connection.close()


class PortableSqlitePlace(SqlitePlace):
    portable = True


class DeltaPlace:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "delta"
        self.sink = DeltaSink(url=str(self.root))

    def rows(self, table: str) -> list[Row]:
        if not (self.root / folder_name(table)).exists():
            return []
        found = table_rows(LocalStore(self.root), folder_name(table), key_of(table))
        return [] if found is None else canonical(found)


def key_of(table: str) -> str:
    """Return the columns that name a row of a table, as SQL."""
    if table.startswith("_"):
        return "entity, sequence_number, enqueued_at"
    return "_event_id" if table.endswith("_history") else "Id"


PLACES: Mapping[str, Callable[[Path], Place]] = {
    "delta": DeltaPlace,
    "parquet": ParquetPlace,
    "sqlite": SqlitePlace,
    "sqlite-portable": PortableSqlitePlace,
}
