"""Every sink the contract holds for, each with a reader that is not ours: DuckDB and sqlite3.

A new sink is one class and one line in ``PLACES``.
"""

import glob
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa
from obstore.store import LocalStore

from cdsbridge.sinks import DeltaSink, ParquetSink, SqlSink
from cdsbridge.sinks.base import Sink
from cdsbridge.sinks.delta_table import folder_name

from .delta_log import table_rows

Cell = str | int | float | bytes | None
Row = Mapping[str, Cell]


class Place(Protocol):
    """A sink, empty at first, and another way to see what it holds."""

    @property
    def sink(self) -> Sink: ...

    def rows(self, table: str) -> list[Row]:
        """Return what a user of the sink sees as the rows, sorted."""


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
            key = "_event_id" if table.endswith("_history") else "entity, sequence_number, enqueued_at"
            return [dict(row) for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY {key}')]
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
        found = table_rows(LocalStore(self.root), folder_name(table), delta_order(table))
        return [] if found is None else canonical(found)


def delta_order(table: str) -> str:
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


def canonical(table: pa.Table) -> list[Row]:
    """Return rows with every value in one form: text for what has no plain form everywhere."""
    columns = [[_cell(value) for value in column] for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _cell(value: pa.Scalar) -> Cell:
    if not value.is_valid:
        return None
    if pa.types.is_timestamp(value.type):
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value.value)
        return instant.replace(tzinfo=None).isoformat(" ", "microseconds")
    found = value.as_py()
    if isinstance(found, Decimal):
        return format(found, "f")
    if isinstance(found, bool):
        return int(found)
    if isinstance(found, str | int | float | bytes):
        return found
    return str(found)
