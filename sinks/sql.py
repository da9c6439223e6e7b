"""SQL databases through SQLAlchemy: history, quarantine and ledger of a flush in one transaction.

Each event is one row, whatever the number and order of its posts; see
:mod:`cdsbridge.sinks.sql_statements`.

SQLite keeps instants as ISO text in UTC, dates as ISO text and decimals as
text of plain digits, exact to all 38.  It has no NaN: a NaN becomes null.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import pyarrow as pa
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from ..model.errors import SinkUnavailable
from ..tables.columns import SYSTEM
from ..tables.schema import TableSchema
from . import ledger, quarantine
from .base import Flush, Staged
from .sql_engine import open_engine, told
from .sql_reader import SqlReader
from .sql_statements import Statement, absent_statements, for_driver, history_statements
from .sql_tables import SqlTables
from .sql_types import python_values, sqlite_values

_NATIVE: Final = frozenset({"sqlite", "postgresql"})
_CHUNK: Final = 5_000


class SqlSink(BaseModel):
    """Tables in a SQL database.

    Attributes:
        kind: ``sql``.
        url: SQLAlchemy URL (``sqlite:////data/out.db``); it may hold a password and is never shown.
        schema_name: The database's schema for the tables; its default if not given.
        portable: Use only statements that every database has.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["sql"] = "sql"
    url: SecretStr
    schema_name: str | None = None
    portable: bool = False

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: SecretStr) -> SecretStr:
        try:
            make_url(url.get_secret_value())
        except ArgumentError:
            raise ValueError("not a SQLAlchemy URL, such as sqlite:///rows.db") from None
        return url

    @property
    def name(self) -> str:
        """Kind of database, host and database; no user, no password, no options."""
        url = self._parsed()
        return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"

    def open(self) -> "SqlWriter":
        """Return a live writer; see :meth:`cdsbridge.sinks.base.Sink.open`."""
        return SqlWriter(self, self._engine(writing=True))

    def read(self) -> SqlReader:
        """Return a live reader; see :meth:`cdsbridge.sinks.base.Sink.read`."""
        return SqlReader(self._engine(writing=False), self.schema_name, self.name, self.secret)

    @property
    def secret(self) -> str | None:
        """The password in the URL, to be kept out of errors."""
        password = self._parsed().password
        return str(password) if password else None

    def _engine(self, *, writing: bool) -> sa.Engine:
        return open_engine(self.url.get_secret_value(), self.name, writing=writing)

    def _parsed(self) -> URL:
        return make_url(self.url.get_secret_value())


@dataclass(frozen=True, slots=True)
class _Work:
    statement: Statement
    rows: list[Any]


@dataclass(frozen=True, slots=True)
class StagedRows:
    """Statements with the rows they are to write, in Python objects.

    Attributes:
        work: In the order to execute.
    """

    work: tuple[_Work, ...]


class SqlWriter:
    """Writes flushes to a database; see :class:`cdsbridge.sinks.base.SinkWriter`."""

    def __init__(self, sink: SqlSink, engine: sa.Engine) -> None:
        self._sink = sink
        self._engine = engine
        self._tables = SqlTables(engine.dialect, sink.schema_name)
        dialect = engine.dialect.name
        self._native = dialect if dialect in _NATIVE and not sink.portable else None
        self._driver = self._native == "sqlite"
        self._prepared: dict[str, sa.Table] = {}
        self._statements = lru_cache(maxsize=256)(self._make_statements)
        try:
            self._create_fixed()
        except BaseException:
            engine.dispose()
            raise

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns registered for the table."""
        with self._told(), self._engine.begin() as connection:
            return self._tables.describe(connection, table)

    def prepare(self, schema: TableSchema) -> None:
        """Create the table or add columns, in a transaction of its own.

        What fails because another writer has done the same meanwhile is tried
        once more and then finds it done.
        """
        try:
            self._prepare(schema)
        except DBAPIError:
            with self._told():
                self._prepare(schema)
        self._prepared[schema.table] = self._tables.history(schema)
        self._statements.cache_clear()

    def stage(self, flush: Flush) -> StagedRows:
        """Turn the rows into what the driver takes."""
        work = [piece for name, rows in flush.tables.items() for piece in self._work(name, rows)]
        work += self._work(quarantine.TABLE, flush.quarantine)
        work += self._work(ledger.TABLE, flush.ledger)
        return StagedRows(tuple(work))

    def commit(self, staged: Staged) -> None:
        """Write everything in one transaction."""
        if not isinstance(staged, StagedRows):
            raise TypeError("not staged by this writer")
        try:
            with self._told(), self._engine.begin() as connection:
                for work in staged.work:
                    self._execute(connection, work)
        except IntegrityError as error:
            if self._native:
                raise
            raise SinkUnavailable(f"{self._sink.name}: another writer wrote the same rows") from error

    def close(self) -> None:
        """Close the connections."""
        with self._told():
            self._engine.dispose()

    def _create_fixed(self) -> None:
        with self._told(), self._engine.begin() as connection:
            if not self._tables.fixed_exist(connection):
                self._tables.create_fixed(connection)

    def _prepare(self, schema: TableSchema) -> None:
        with self._engine.begin() as connection:
            self._tables.prepare(connection, schema)

    def _work(self, name: str, rows: pa.Table) -> list[_Work]:
        if not rows.num_rows:
            return []
        # a column without values takes its null by default
        filled = tuple(
            column
            for column, values in zip(rows.column_names, rows.columns, strict=True)
            if column in SYSTEM or values.null_count < rows.num_rows
        )
        values = sqlite_values if self._driver else python_values
        columns = {column: values(rows.column(column)) for column in filled}
        return [
            _Work(statement, self._rows(statement, columns)) for statement in self._statements(name, filled)
        ]

    def _rows(self, statement: Statement, columns: Mapping[str, list[Any]]) -> list[Any]:
        tuples = zip(*(columns[name] for name in statement.columns), strict=True)
        if isinstance(statement.clause, str):
            return list(tuples)
        names = [f"P{i}" for i in range(len(statement.columns))]
        return [dict(zip(names, row, strict=True)) for row in tuples]

    def _make_statements(self, name: str, columns: tuple[str, ...]) -> list[Statement]:
        if name in self._prepared:
            made = history_statements(self._prepared[name], columns, self._native)
        else:
            key = ledger.KEY if name == ledger.TABLE else quarantine.KEY
            made = absent_statements(self._tables.fixed(name), columns, key, self._native)
        return [for_driver(statement, self._engine.dialect) for statement in made] if self._driver else made

    def _execute(self, connection: sa.Connection, work: _Work) -> None:
        for start in range(0, len(work.rows), _CHUNK):
            chunk: Sequence[Any] = work.rows[start : start + _CHUNK]
            if isinstance(work.statement.clause, str):
                connection.exec_driver_sql(work.statement.clause, chunk)
            else:
                connection.execute(work.statement.clause, chunk)

    def _told(self) -> AbstractContextManager[None]:
        return told(self._sink.name, self._sink.secret)
