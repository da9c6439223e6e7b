"""PostgreSQL by way of ADBC: rows go over the wire as the columns they are, by binary COPY.

ADBC's connection is not SQLAlchemy's, so a whole commit happens on it; tables
are made and described over the other.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL

from ...model.errors import ConfigError
from .engine import LIBPQ_DEFAULTS, missing
from .sets import SetStore

_DIALECT: Final = postgresql.dialect(paramstyle="named")


class AdbcTransaction:
    """A transaction on ADBC's connection."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, clause: sa.Executable) -> None:
        """Execute a statement."""
        self._cursor.execute(_text(clause))

    def fetch(self, query: sa.Select[Any], schema: pa.Schema) -> pa.Table:
        """Return what a query finds."""
        self._cursor.execute(_text(query))
        found = self._cursor.fetch_arrow_table()
        columns = [
            _plain(column).cast(kind) for column, kind in zip(found.columns, schema.types, strict=True)
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    @contextlib.contextmanager
    def loaded(self, staging: sa.Table, rows: pa.Table) -> Iterator[None]:
        """Hold rows in a temporary table; ADBC makes it, as wide as the rows."""
        named = rows.rename_columns([column.name for column in staging.columns])
        self._cursor.adbc_ingest(staging.name, named, mode="create", temporary=True)
        yield
        self._cursor.execute(f"DROP TABLE pg_temp.{staging.name}")


class AdbcStore(SetStore):
    """See the module.

    Args:
        url: Of the database.
        name: What people know it by.

    Raises:
        ConfigError: The driver is not installed.
    """

    def __init__(self, url: URL, name: str) -> None:
        super().__init__("postgresql")
        try:
            from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - an optional driver
        except ImportError as error:
            raise ConfigError(f"{name}: {missing('postgresql', error.name or 'adbc')}") from None
        self.errors = (dbapi.Error,)
        self._open = dbapi.connect
        self._uri = _uri(url)
        self._connection: Any = None

    @contextlib.contextmanager
    def begin(self) -> Iterator[AdbcTransaction]:
        """Return a transaction."""
        if self._connection is None:
            self._connection = self._open(self._uri)
        connection = self._connection
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL timezone = 'UTC'")
                cursor.execute("SET LOCAL lock_timeout = '30s'")
                yield AdbcTransaction(cursor)
            connection.commit()
        except BaseException:
            self._abandon()
            raise

    def close(self) -> None:
        """Close ADBC's connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _abandon(self) -> None:
        try:
            self._connection.rollback()
        except self.errors:
            with contextlib.suppress(*self.errors):
                self.close()


def _text(clause: sa.Executable) -> str:
    compiled: Any = clause
    return str(compiled.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without the mark of a type that Arrow does not have: NUMERIC comes as text."""
    if not isinstance(column.type, pa.BaseExtensionType):
        return column
    return pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)


def _uri(url: URL) -> str:
    named = {name: value for name, value in LIBPQ_DEFAULTS.items() if name not in url.query}
    full = url.set(drivername="postgresql").update_query_dict(named)
    return full.render_as_string(hide_password=False)
