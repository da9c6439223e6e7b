"""The tables of a sink in a SQL database, and the table that tells of their columns.

``_columns`` holds the Arrow type of every column, for a database's own types
do not tell a decimal from a text, nor one width of integer from another.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn, CreateTable

from ..tables.schema import TableSchema, evolve
from . import ledger, quarantine
from .arrow_types import type_from_name, type_name
from .base import SchemaMoved
from .sql_types import column_type

_FIXED: Final[Mapping[str, tuple[pa.Schema, tuple[str, ...]]]] = {
    ledger.TABLE: (ledger.SCHEMA, ledger.KEY),
    quarantine.TABLE: (quarantine.SCHEMA, quarantine.KEY),
}

_NAME_LIMITS: Final = {"mysql": 64, "mariadb": 64}
"""Characters of a name, where SQLAlchemy tells only of aliases
(https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html)."""


class SqlTables:
    """The tables under one schema of one database.

    Args:
        dialect: Of the database.
        schema: Name of the database's schema, or ``None`` for its default.
    """

    def __init__(self, dialect: sa.Dialect, schema: str | None) -> None:
        self._dialect = dialect
        self._schema = schema
        self._registry = sa.Table(
            "_columns",
            sa.MetaData(schema=schema),
            sa.Column("table_name", column_type("table_name", pa.string()), primary_key=True),
            sa.Column("column_name", column_type("column_name", pa.string()), primary_key=True),
            sa.Column("position", sa.Integer(), nullable=False),
            sa.Column("arrow_type", sa.String(64), nullable=False),
        )

    def fixed(self, name: str) -> sa.Table:
        """Return the ledger or the quarantine."""
        columns, key = _FIXED[name]
        return self._table(name, dict(zip(columns.names, columns.types, strict=True)), key)

    def history(self, schema: TableSchema) -> sa.Table:
        """Return a history table; the keys of its columns are their names in the sink."""
        return self._table(schema.table, schema.columns, ("_event_id",))

    def create_fixed(self, connection: sa.Connection) -> None:
        """Create the tables every sink has, where they are absent."""
        for table in (self._registry, *map(self.fixed, _FIXED)):
            connection.execute(CreateTable(table, if_not_exists=self._can_skip()))

    def fixed_exist(self, connection: sa.Connection) -> bool:
        """Whether the tables every sink has are there."""
        names = sa.inspect(connection).get_table_names(self._schema)
        return {self._registry.name, *_FIXED} <= set(names)

    def names(self, connection: sa.Connection) -> list[str]:
        """Return the names in the sink of all history tables, sorted."""
        column = self._registry.c.table_name
        return sorted(connection.scalars(sa.select(column).distinct()))

    def describe(self, connection: sa.Connection, table: str) -> TableSchema | None:
        """Return the columns of a history table, or ``None`` if there is no such table."""
        known = self._registry.c
        rows = connection.execute(
            sa.select(known.column_name, known.arrow_type)
            .where(known.table_name == table)
            .order_by(known.position, known.column_name)
        ).all()
        return TableSchema(table, {name: type_from_name(kind) for name, kind in rows}) if rows else None

    def prepare(self, connection: sa.Connection, schema: TableSchema) -> None:
        """Register the columns, then create the table or add what it lacks.

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
            connection.execute(
                sa.insert(self._registry), self._registrations(step.schema, len(current.columns))
            )
        self._create_or_widen(connection, self.history(step.schema))

    def _registrations(self, schema: TableSchema, known: int) -> list[dict[str, Any]]:
        return [
            {
                "table_name": schema.table,
                "column_name": name,
                "position": position,
                "arrow_type": type_name(kind),
            }
            for position, (name, kind) in enumerate(schema.columns.items())
            if position >= known
        ]

    def _create_or_widen(self, connection: sa.Connection, table: sa.Table) -> None:
        inspector = sa.inspect(connection)
        if not inspector.has_table(table.name, schema=table.schema):
            connection.execute(CreateTable(table))
            return
        there = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
        preparer = self._dialect.identifier_preparer
        add = "ADD" if self._dialect.name in {"mssql", "oracle"} else "ADD COLUMN"
        for column in table.columns:
            if column.name not in there:
                column_ddl = CreateColumn(column).compile(dialect=self._dialect)
                connection.exec_driver_sql(f"ALTER TABLE {preparer.format_table(table)} {add} {column_ddl}")

    def _table(self, name: str, columns: Mapping[str, pa.DataType], key: tuple[str, ...]) -> sa.Table:
        return sa.Table(
            self._fitted(name),
            sa.MetaData(schema=self._schema),
            *(
                sa.Column(
                    self._fitted(column),
                    column_type(column, kind),
                    key=column,
                    primary_key=column in key,
                    autoincrement=False,
                    nullable=column not in key,
                )
                for column, kind in columns.items()
            ),
        )

    def _fitted(self, name: str) -> str:
        """Cut a name to what the database takes; a hash keeps cut names apart."""
        limit = _NAME_LIMITS.get(self._dialect.name, min(self._dialect.max_identifier_length, 128))
        if len(name.encode()) <= limit:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        return f"{name.encode()[: limit - 9].decode(errors='ignore')}_{digest}"

    def _can_skip(self) -> bool:
        return self._dialect.name not in {"mssql", "oracle"}
