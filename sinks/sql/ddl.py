"""Creating and widening tables, through Alembic's operations: never a drop, never a narrower column."""

import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl
from alembic.migration import MigrationContext


class DuckdbImpl(DefaultImpl):
    """Alembic knows no DuckDB; its own defaults do."""

    __dialect__ = "duckdb"


class SnowflakeImpl(DefaultImpl):
    """Nor Snowflake."""

    __dialect__ = "snowflake"


class Ddl:
    """Changes of tables over one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._operations = MigrationContext.configure(connection).impl

    def create_or_widen(self, table: sa.Table) -> None:
        """Create a table, or add the columns it lacks."""
        inspector = sa.inspect(self._connection)
        if not inspector.has_table(table.name, schema=table.schema):
            self._operations.create_table(table)
            return
        there = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
        for column in table.columns:
            if column.name not in there:
                new = sa.Column(column.name, column.type, nullable=True)
                self._operations.add_column(table.name, new, schema=table.schema)
