"""Rows one by one: SQLite's way, and the one that every database has."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from .statements import (
    Statement,
    absent_statements,
    delete_statement,
    for_driver,
    history_statements,
    insert_statement,
)
from .store import Write, filled, selected
from .types import Instant, arrow_column, python_values, sqlite_values

_CHUNK: Final = 5_000
_PIECE: Final = 50_000
_ASKED: Final = 500
"""Values in one question; SQL Server takes some 2,100 parameters at most."""


class ConnectionTransaction:
    """A transaction on a connection of SQLAlchemy's."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def execute(self, clause: sa.Executable) -> None:
        """Execute a statement."""
        self.connection.execute(clause)

    def fetch(self, query: sa.Select[Any], schema: pa.Schema) -> pa.Table:
        """Return what a query finds."""
        pieces = list(fetched(self.connection, query, schema))
        return pa.concat_tables(pieces) if pieces else schema.empty_table()


def fetched(connection: sa.Connection, query: sa.Select[Any], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield what a query finds in pieces, with the columns of the schema in its order."""
    if connection.dialect.name == "duckdb":
        text = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        inner: Any = connection.connection.dbapi_connection
        for batch in inner.arrow(text):
            yield pa.Table.from_batches([batch]).rename_columns(schema.names).cast(schema)
        return
    if connection.dialect.name == "sqlite":
        query = query.with_only_columns(*map(_as_text, query.selected_columns))
    result = connection.execute(query, execution_options={"yield_per": _PIECE})
    for rows in result.partitions():
        columns = zip(*rows, strict=True)
        arrays = [arrow_column(list(some), kind) for some, kind in zip(columns, schema.types, strict=True)]
        yield pa.Table.from_arrays(arrays, schema=schema)


def _as_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """On SQLite, an instant as the text it is: Arrow reads it a column at a time."""
    return sa.type_coerce(column, sa.Text()) if isinstance(column.type, Instant) else column


class RowStore:
    """Executes a statement for each row.

    Args:
        engine: Of the database.
        native: ``sqlite`` or ``postgresql`` for the one statement these have, ``None`` for the pair
            of statements any database has.
    """

    errors: tuple[type[Exception], ...] = ()

    def __init__(self, engine: sa.Engine, native: str | None) -> None:
        self._engine = engine
        self._native = native
        self._driver = native == "sqlite"
        self._made = lru_cache(maxsize=256)(self._make)

    @contextlib.contextmanager
    def begin(self) -> Iterator[ConnectionTransaction]:
        """Return a transaction."""
        with self._engine.begin() as connection:
            yield ConnectionTransaction(connection)

    def history(self, table: sa.Table, rows: pa.Table) -> Write:
        """Make rows of a history ready."""
        return self._ready("history", table, ("_event_id",), rows)

    def absent(self, table: sa.Table, key: Sequence[str], rows: pa.Table) -> Write:
        """Make rows ready that are written only if their key is absent."""
        return self._ready("absent", table, tuple(key), rows)

    def held(
        self,
        transaction: ConnectionTransaction,
        table: sa.Table,
        group: str,
        groups: pa.StringArray,
        schema: pa.Schema,
    ) -> pa.Table:
        """Return the rows whose group is among those given."""
        pieces = [schema.empty_table()]
        for start in range(0, len(groups), _ASKED):
            asked = groups.slice(start, _ASKED).to_pylist()
            query = selected(table, schema.names).where(table.c[group].in_(asked))
            pieces.append(transaction.fetch(query, schema))
        return pa.concat_tables(pieces)

    def replace(
        self, transaction: ConnectionTransaction, table: sa.Table, group: str, rows: pa.Table
    ) -> None:
        """Delete all rows of the groups in the rows, and write the rows."""
        gone = pa.table({group: rows.column(group).unique()})
        self._ready("delete", table, (group,), gone)(transaction)
        self._ready("insert", table, (), rows)(transaction)

    def close(self) -> None:
        """Nothing to do."""

    def _ready(self, what: str, table: sa.Table, key: tuple[str, ...], rows: pa.Table) -> Write:
        if not rows.num_rows:
            return _nothing
        names = tuple(filled(rows))
        values = sqlite_values if self._driver else python_values
        columns = {name: values(rows.column(name)) for name in names}
        work = [(made, _cells(made, columns)) for made in self._made(what, table, key, names)]

        def write(transaction: ConnectionTransaction) -> None:
            for statement, cells in work:
                _execute(transaction.connection, statement, cells)

        return write

    def _make(
        self, what: str, table: sa.Table, key: tuple[str, ...], names: tuple[str, ...]
    ) -> list[Statement]:
        if what == "history":
            made = history_statements(table, names, self._native)
        elif what == "absent":
            made = absent_statements(table, names, key, self._native)
        elif what == "delete":
            made = [delete_statement(table, key[0])]
        else:
            made = [insert_statement(table, names)]
        return [for_driver(each, self._engine.dialect) for each in made] if self._driver else made


def inserted(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert rows, some thousand a statement; the keys of the table's columns are the rows' names."""
    statement = sa.insert(table)
    for start in range(0, rows.num_rows, _CHUNK):
        piece = rows.slice(start, _CHUNK)
        cells = zip(*map(python_values, piece.columns), strict=True)
        connection.execute(statement, [dict(zip(piece.column_names, row, strict=True)) for row in cells])


def _nothing(_transaction: ConnectionTransaction) -> None:
    """Write nothing."""


def _cells(statement: Statement, columns: Mapping[str, list[Any]]) -> list[Any]:
    tuples = zip(*(columns[name] for name in statement.columns), strict=True)
    if isinstance(statement.clause, str):
        return list(tuples)
    names = [f"P{i}" for i in range(len(statement.columns))]
    return [dict(zip(names, row, strict=True)) for row in tuples]


def _execute(connection: sa.Connection, statement: Statement, cells: list[Any]) -> None:
    for start in range(0, len(cells), _CHUNK):
        chunk = cells[start : start + _CHUNK]
        if isinstance(statement.clause, str):
            connection.exec_driver_sql(statement.clause, chunk)
        else:
            connection.execute(statement.clause, chunk)
