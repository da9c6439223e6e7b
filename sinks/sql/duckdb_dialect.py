"""DuckDB for SQLAlchemy: what the sinks need of it, over the ``duckdb`` package.

DuckDB speaks PostgreSQL's SQL, so the statements are PostgreSQL's.  Its
catalogue is read through ``information_schema``.
"""

import contextlib
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import URL


class DuckdbCursor:
    """A cursor on the transaction of its connection; DuckDB's own cursors have transactions of their own."""

    arraysize = 1
    rowcount = -1

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @property
    def description(self) -> Any:
        """Columns of the result at hand."""
        return self._connection.description

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement."""
        self._connection.execute(statement, parameters)

    def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Execute a statement once for each set of parameters."""
        self._connection.executemany(statement, parameters)

    def fetchone(self) -> Any:
        """Return the next row or ``None``."""
        return self._connection.fetchone()

    def fetchmany(self, size: int = 1) -> Any:
        """Return the next rows."""
        return self._connection.fetchmany(size)

    def fetchall(self) -> Any:
        """Return the rows that are left."""
        return self._connection.fetchall()

    def close(self) -> None:
        """Nothing to do."""


class DuckdbConnection:
    """A connection as SQLAlchemy expects it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def cursor(self) -> DuckdbCursor:
        """Return a cursor on this connection."""
        return DuckdbCursor(self.inner)

    def commit(self) -> None:
        """Commit the transaction."""
        self.inner.commit()

    def rollback(self) -> None:
        """Roll the transaction back, if there is one."""
        import duckdb  # noqa: PLC0415 - an optional driver

        with contextlib.suppress(duckdb.TransactionException):
            self.inner.rollback()

    def close(self) -> None:
        """Close the connection."""
        self.inner.close()

    @contextlib.contextmanager
    def registered(self, name: str, rows: pa.Table) -> Iterator[None]:
        """Let statements read Arrow rows under a name; after an error the rollback takes it away."""
        self.inner.register(name, rows)
        yield
        self.inner.unregister(name)

    def arrow(self, query: str) -> pa.RecordBatchReader:
        """Return the result of a query."""
        return self.inner.sql(query).to_arrow_reader(50_000)


class DuckdbDialect(PGDialect):
    """See the module."""

    name = "duckdb"
    driver = "duckdb"
    default_paramstyle = "qmark"
    supports_statement_cache = True
    supports_sane_rowcount = False
    max_identifier_length = 255

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """Return the driver."""
        import duckdb  # noqa: PLC0415 - an optional driver

        return duckdb

    def create_connect_args(self, url: URL) -> Any:
        """Return the arguments of :meth:`connect`."""
        return [url.database or ":memory:"], {}

    def connect(self, *arguments: Any, **named: Any) -> Any:
        """Open a database file; times are UTC's."""
        inner = self.loaded_dbapi.connect(*arguments, **named)
        inner.execute("SET TimeZone = 'UTC'")
        return DuckdbConnection(inner)

    def initialize(self, connection: sa.Connection) -> None:
        """Ask nothing of the server."""

    def on_connect(self) -> None:
        """Nothing to do."""

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction; DuckDB commits each statement otherwise."""
        dbapi_connection.inner.begin()

    def has_table(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> bool:
        """Whether there is a table or view of that name."""
        return table_name in self._names(connection, schema, "1 = 1")

    def get_table_names(self, connection: sa.Connection, schema: str | None = None, **_: Any) -> list[str]:
        """Return the names of the tables."""
        return self._names(connection, schema, "table_type = 'BASE TABLE'")

    def get_view_names(self, connection: sa.Connection, schema: str | None = None, **_: Any) -> list[str]:
        """Return the names of the views."""
        return self._names(connection, schema, "table_type = 'VIEW'")

    def get_columns(
        self, connection: sa.Connection, table_name: str, schema: str | None = None, **_: Any
    ) -> Any:
        """Return the names of a table's columns, in order; types are not told."""
        query = sa.text(
            "SELECT column_name FROM information_schema.columns WHERE table_name = :table "
            "AND table_schema = coalesce(:schema, current_schema()) "
            "AND table_catalog = current_database() ORDER BY ordinal_position"
        )
        names = connection.execute(query, {"table": table_name, "schema": schema}).scalars()
        return [
            {"name": name, "type": sa.types.NullType(), "nullable": True, "default": None} for name in names
        ]

    def _names(self, connection: sa.Connection, schema: str | None, which: str) -> list[str]:
        query = sa.text(
            f"SELECT table_name FROM information_schema.tables WHERE {which} "  # noqa: S608 - our own text
            "AND table_schema = coalesce(:schema, current_schema()) AND table_catalog = current_database()"
        )
        return list(connection.execute(query, {"schema": schema}).scalars())
