"""The tables of a sink in a SQL database, and the table that tells of their columns.

``_columns`` holds the Arrow type of every column, for a database's own types
do not tell a decimal from a text, nor one width of integer from another; and
the version of its table that brought it, counted from 1.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from ...tables.parties import SET
from ...tables.schema import TableSchema, evolve
from ...tables.state import is_state
from .. import ledger, quarantine
from ..arrow_types import type_from_name, type_name
from ..base import SchemaMoved
from . import fence
from .ddl import Ddl
from .names import fitted
from .types import column_type

_FIXED: Final[Mapping[str, tuple[pa.Schema, tuple[str, ...]]]] = {
    ledger.TABLE: (ledger.SCHEMA, ledger.KEY),
    quarantine.TABLE: (quarantine.SCHEMA, quarantine.KEY),
    fence.TABLE: (fence.SCHEMA, fence.KEY),
}

_COMPARED: Final = frozenset({"_event_id", "_order"})
_FORM: Final = {"engine": "InnoDB", "row_format": "DYNAMIC", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
"""Of a table in MariaDB and MySQL, whatever the database's defaults."""

_UNINDEXED: Final = frozenset({"duckdb"})
"""Databases without indexes beside the key.  DuckDB 2.0.0, killed after a checkpoint, found no row by one
(``docs/decisions/014-sql.md``); it scans a column as fast."""

_TOLD_AT_ONCE: Final = 200
"""Columns registered by one statement; SQL Server takes some 2,100 parameters at most."""


class SqlTables:
    """The tables under one schema of one database.

    Args:
        dialect: Of the database.
        schema: Name of the database's schema, or ``None`` for its default.
    """

    def __init__(self, dialect: sa.Dialect, schema: str | None) -> None:
        self._dialect = dialect
        self._schema = schema
        registry = {"table_name": pa.string(), "column_name": pa.string()}
        self._registry = self.table("_columns", registry, tuple(registry))
        self._registry.append_column(sa.Column("position", sa.Integer(), nullable=False))
        self._registry.append_column(sa.Column("arrow_type", sa.String(64), nullable=False))
        self._registry.append_column(sa.Column("version", sa.Integer(), nullable=True))

    def fixed(self, name: str) -> sa.Table:
        """Return a table every sink has: ledger, quarantine or fence."""
        columns, key = _FIXED[name]
        return self.table(name, dict(zip(columns.names, columns.types, strict=True)), key)

    def of(self, schema: TableSchema) -> sa.Table:
        """Return a history or a state; the keys of its columns are their names in the sink."""
        if not is_state(schema):
            return self.table(schema.table, schema.columns, ("_event_id",), _COMPARED)
        table = self.table(schema.table, schema.columns, ("Id",), {*_COMPARED, SET})
        if SET in schema.columns and self._dialect.name not in _UNINDEXED:
            sa.Index(fitted(f"{schema.table}_by_set", self._dialect.name), table.c[SET])
        return table

    def create_fixed(self, connection: sa.Connection) -> None:
        """Create the tables every sink has, or add the columns they lack."""
        ddl = Ddl(connection)
        for table in (self._registry, *map(self.fixed, _FIXED)):
            ddl.create_or_widen(table)

    def fixed_exist(self, connection: sa.Connection) -> bool:
        """Whether the tables every sink has are there."""
        names = sa.inspect(connection).get_table_names(self._schema)
        return {self._registry.name, *_FIXED} <= set(names)

    def all(self, connection: sa.Connection) -> list[TableSchema]:
        """Return all histories and states, by name."""
        column = self._registry.c.table_name
        names = sorted(connection.scalars(sa.select(column).distinct()))
        return [schema for name in names if (schema := self.describe(connection, name))]

    def describe(self, connection: sa.Connection, table: str) -> TableSchema | None:
        """Return the columns of a history or state, or ``None`` if there is no such table."""
        known = self._registry.c
        rows = connection.execute(
            sa.select(known.column_name, known.arrow_type)
            .where(known.table_name == table)
            .order_by(known.position, known.column_name)
        ).all()
        return TableSchema(table, {name: type_from_name(kind) for name, kind in rows}) if rows else None

    def prepare(self, connection: sa.Connection, schema: TableSchema) -> TableSchema:
        """Register the columns, then create the table or add what it lacks; return all its columns.

        Registered first: where DDL commits by itself, a crash in between is
        made good by the next call, which finds the columns missing.

        Raises:
            SchemaMoved: A column is registered with another type.
        """
        current = self.describe(connection, schema.table) or TableSchema(schema.table)
        step = evolve(current, schema.arrow())
        if step.conflicts:
            raise SchemaMoved(f"Table {schema.table} has got other column types")
        if step.added:
            rows = self._registrations(step.schema, len(current.columns), self._version(connection, schema))
            for start in range(0, len(rows), _TOLD_AT_ONCE):
                connection.execute(sa.insert(self._registry).values(rows[start : start + _TOLD_AT_ONCE]))
        Ddl(connection).create_or_widen(self.of(step.schema))
        return step.schema

    def table(
        self,
        name: str,
        columns: Mapping[str, pa.DataType],
        key: tuple[str, ...],
        compared: Collection[str] = (),
    ) -> sa.Table:
        """Return a table.

        Args:
            name: As the sink knows it; cut to what the database takes.
            columns: Their names in the sink, and their types.
            key: The columns of the primary key.
            compared: Further columns that are compared by their bytes.
        """
        dialect = self._dialect.name
        form: dict[str, Any] = {
            f"{kind}_{name}": value for kind in ("mysql", "mariadb") for name, value in _FORM.items()
        }
        return sa.Table(
            fitted(name, dialect),
            sa.MetaData(schema=self._schema),
            *(
                sa.Column(
                    fitted(column, dialect),
                    column_type(column, kind, key=column in key or column in compared),
                    key=column,
                    primary_key=column in key,
                    autoincrement=False,
                    nullable=column not in key,
                )
                for column, kind in columns.items()
            ),
            **form,
        )

    def _version(self, connection: sa.Connection, schema: TableSchema) -> int:
        """Return the next version of a table."""
        known = self._registry.c
        newest = connection.scalar(
            sa.select(sa.func.max(known.version)).where(known.table_name == schema.table)
        )
        return int(newest or 0) + 1

    def _registrations(self, schema: TableSchema, known: int, version: int) -> list[dict[str, Any]]:
        return [
            {
                "table_name": schema.table,
                "column_name": name,
                "position": position,
                "arrow_type": type_name(kind),
                "version": version,
            }
            for position, (name, kind) in enumerate(schema.columns.items())
            if position >= known
        ]
