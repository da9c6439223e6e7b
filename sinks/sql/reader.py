"""Reads a SQL database back for the audit and for hydration."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Final

import pyarrow as pa
import sqlalchemy as sa

from ...tables import hydration
from ...tables.fold import STANDING
from ...tables.schema import TableSchema
from ...tables.state import is_state
from .. import ledger, quarantine
from .errors import told
from .rows import fetched
from .store import selected
from .tables import SqlTables

_ASKED: Final = 500
"""Ids in one question; SQL Server takes some 2,100 parameters at most."""

_IDS: Final = pa.schema([("_event_id", pa.string())])


class SqlReader:
    """See :class:`cdsbridge.sinks.base.SinkReader`."""

    def __init__(self, engine: sa.Engine, schema: str | None, name: str, secret: str | None) -> None:
        self._engine = engine
        self._tables = SqlTables(engine.dialect, schema)
        self._name = name
        self._secret = secret
        with self._told(), engine.begin() as connection:
            self._there = self._tables.fixed_exist(connection)

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns registered for a table."""
        if not self._there:
            return None
        with self._told(), self._engine.begin() as connection:
            return self._tables.describe(connection, table)

    def ledger(self) -> Iterator[pa.Table]:
        """Yield the ledger in pieces of some 50,000 rows."""
        yield from self._tables_of(self._tables.fixed(ledger.TABLE), ledger.SCHEMA)

    def event_ids(self) -> Iterator[tuple[str, pa.Array]]:
        """Yield the event ids in pieces of some 50,000, table by table."""
        for name, table in self._histories().items():
            for piece in self._tables_of(table, _IDS):
                yield name, piece.column(0).combine_chunks()

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

    def quarantined(self) -> Iterator[pa.Table]:
        """Yield the quarantine in pieces."""
        yield from self._tables_of(self._tables.fixed(quarantine.TABLE), quarantine.SCHEMA)

    def held(self, table: str, event_ids: pa.StringArray) -> pa.StringArray:
        """Return those of some event ids that a table holds, looked up by its key."""
        found: list[str] = []
        history = self._histories().get(table)
        if history is not None:
            column = history.c["_event_id"]
            for start in range(0, len(event_ids), _ASKED):
                asked = event_ids.slice(start, _ASKED).to_pylist()
                for piece in self._tables_of(history, _IDS, column.in_(asked)):
                    found += piece.column(0).to_pylist()
        return pa.array(found, pa.string())

    def history(self, table: str) -> Iterator[pa.Table]:
        """Yield all rows of a history in pieces, by its name in the sink."""
        schema = self.describe(table)
        if schema is not None and not is_state(schema):
            yield from self._tables_of(self._tables.of(schema), schema.arrow())

    def state(self, table: str) -> pa.Table:
        """Return all rows of a state; no rows and no columns if it is not there."""
        schema = self.describe(table)
        if schema is None or not is_state(schema):
            return pa.table({})
        pieces = list(self._tables_of(self._tables.of(schema), schema.arrow()))
        return pa.concat_tables(pieces) if pieces else schema.arrow().empty_table()

    def standing(self, table: str, keys: pa.StringArray) -> pa.Table:
        """Return what stands of some rows of a state, looked up by its key."""
        found = [STANDING.empty_table()]
        schema = self.describe(table)
        if schema is not None and is_state(schema):
            state = self._tables.of(schema)
            for start in range(0, len(keys), _ASKED):
                asked = state.c["Id"].in_(keys.slice(start, _ASKED).to_pylist())
                found += self._tables_of(state, STANDING, asked)
        return pa.concat_tables(found)

    def close(self) -> None:
        """Close the connections."""
        with self._told():
            self._engine.dispose()

    def _tables_of(
        self, table: sa.Table, schema: pa.Schema, *where: sa.ColumnElement[bool]
    ) -> Iterator[pa.Table]:
        if not self._there:
            return
        query = selected(table, schema.names).where(*where)
        with self._told(), self._engine.begin() as connection:
            yield from fetched(connection, query, schema)

    def _histories(self) -> dict[str, sa.Table]:
        schemas = self._schemas()
        return {name: self._tables.of(schema) for name, schema in schemas.items() if not is_state(schema)}

    def _schemas(self) -> dict[str, TableSchema]:
        if not self._there:
            return {}
        with self._told(), self._engine.begin() as connection:
            return {schema.table: schema for schema in self._tables.all(connection)}

    def _count(self, table: sa.Table) -> int:
        if not self._there:
            return 0
        with self._told(), self._engine.begin() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)

    def _told(self) -> AbstractContextManager[None]:
        return told(self._name, self._secret)
