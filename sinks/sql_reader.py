"""Reads a SQL database back for the audit and for hydration."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from ..tables import hydration
from . import ledger, quarantine
from .sql_engine import told
from .sql_tables import SqlTables
from .sql_types import Instant, arrow_column

_PIECE: Final = 50_000
_ASKED: Final = 500
"""Ids in one question; SQL Server takes some 2,100 parameters at most."""


class SqlReader:
    """See :class:`cdsbridge.sinks.base.SinkReader`."""

    def __init__(self, engine: sa.Engine, schema: str | None, name: str, secret: str | None) -> None:
        self._engine = engine
        self._tables = SqlTables(engine.dialect, schema)
        self._name = name
        self._secret = secret
        with self._told(), engine.begin() as connection:
            self._there = self._tables.fixed_exist(connection)

    def ledger(self) -> Iterator[pa.Table]:
        """Yield the ledger in pieces of some 50,000 rows."""
        yield from self._tables_of(self._tables.fixed(ledger.TABLE), ledger.SCHEMA)

    def event_ids(self) -> Iterator[tuple[str, pa.Array]]:
        """Yield the event ids in pieces of some 50,000, table by table."""
        for name, table in self._histories().items():
            for (ids,) in self._read(sa.select(table.c["_event_id"])):
                yield name, pa.array(ids, pa.string())

    def rows(self) -> Mapping[str, int]:
        """Return the rows of the history tables and, as ``_quarantine``, of the quarantine."""
        tables = {**self._histories(), quarantine.TABLE: self._tables.fixed(quarantine.TABLE)}
        return {name: self._count(table) for name, table in tables.items()}

    def truncated(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield the truncated rows in pieces, table by table."""
        for name, table in self._histories().items():
            cut = table.c["_truncated"].is_(sa.true()), table.c["_op"].in_(hydration.OPERATIONS)
            for rows in self._tables_of(table, hydration.SCHEMA, *cut):
                yield name, rows

    def held(self, table: str, event_ids: pa.StringArray) -> pa.StringArray:
        """Return those of some event ids that a table holds, looked up by its key."""
        found: list[str] = []
        history = self._histories().get(table)
        if history is not None:
            column = history.c["_event_id"]
            for start in range(0, len(event_ids), _ASKED):
                asked = event_ids.slice(start, _ASKED).to_pylist()
                for (ids,) in self._read(sa.select(column).where(column.in_(asked))):
                    found += ids
        return pa.array(found, pa.string())

    def close(self) -> None:
        """Close the connections."""
        with self._told():
            self._engine.dispose()

    def _tables_of(
        self, table: sa.Table, schema: pa.Schema, *where: sa.ColumnElement[bool]
    ) -> Iterator[pa.Table]:
        query = sa.select(*map(self._selected, (table.c[name] for name in schema.names))).where(*where)
        for columns in self._read(query):
            arrays = [arrow_column(values, kind) for values, kind in zip(columns, schema.types, strict=True)]
            yield pa.Table.from_arrays(arrays, schema=schema)

    def _selected(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """On SQLite, instants as the text they are: Arrow reads it a column at a time."""
        is_text = self._engine.dialect.name == "sqlite" and isinstance(column.type, Instant)
        return sa.type_coerce(column, sa.Text()) if is_text else column

    def _histories(self) -> dict[str, sa.Table]:
        if not self._there:
            return {}
        with self._told(), self._engine.begin() as connection:
            found = [self._tables.describe(connection, name) for name in self._tables.names(connection)]
        return {schema.table: self._tables.history(schema) for schema in found if schema}

    def _count(self, table: sa.Table) -> int:
        if not self._there:
            return 0
        with self._told(), self._engine.begin() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)

    def _read(self, query: sa.Select[Any]) -> Iterator[list[list[Any]]]:
        if not self._there:
            return
        with self._told(), self._engine.begin() as connection:
            result = connection.execution_options(yield_per=_PIECE).execute(query)
            for rows in result.partitions():
                yield [list(column) for column in zip(*rows, strict=True)]

    def _told(self) -> AbstractContextManager[None]:
        return told(self._name, self._secret)
