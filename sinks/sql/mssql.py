"""SQL Server and Azure SQL: rows go by bulk copy into a table of ours, then by set into their table.

Bulk copy of ``mssql-python`` opens a connection of its own, so it cannot see what
a transaction has not committed: the table is made, and filled, outside of it, under a
name that no other writer has.  A crash leaves it behind, and the next start drops it;
a writer whose table is dropped so fails, and tries again.

Written by the driver's documentation and compiled; no test runs it against a server.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, DropTable

from .rows import ConnectionTransaction, inserted
from .sets import SetStore

_log = logging.getLogger(__name__)

_LEFT: Final = re.compile(r"_(?:staged|asked)_[0-9a-f]{12}").fullmatch
_PATIENCE: Final = 120
"""Seconds a bulk copy may take."""


class MssqlTransaction(ConnectionTransaction):
    """A transaction that takes rows by bulk copy.

    Args:
        connection: In the transaction.
        beside: Another connection, whose statements commit by themselves.
    """

    def __init__(self, connection: sa.Connection, beside: sa.Connection) -> None:
        super().__init__(connection)
        self._beside = beside

    @contextlib.contextmanager
    def loaded(self, staging: sa.Table, rows: pa.Table) -> Iterator[None]:
        """Hold rows in a table that was made for them."""
        # a plain table: a temporary one would be seen by the connection that made it alone
        table = sa.Table(staging.name, sa.MetaData(), *(_bare(each) for each in staging.columns))
        self._beside.execute(DropTable(table, if_exists=True))
        self._beside.execute(CreateTable(table))
        if not self._copied(table, rows):
            self._beside.execute(sa.delete(table))
            inserted(self._beside, table, rows)
        yield
        # within the transaction, which has read the table
        self.connection.execute(DropTable(table))

    def _copied(self, table: sa.Table, rows: pa.Table) -> bool:
        """Copy rows; tell whether all arrived."""
        driver: Any = self._beside.connection.dbapi_connection
        cursor = driver.cursor()
        try:
            told = cursor.bulkcopy_arrow(table.name, copyable(rows), timeout=_PATIENCE, keep_nulls=True)
        except Exception as error:  # noqa: BLE001 - inserts tell what is wrong in the database's own words
            _log.warning("Bulk copy did not work (%s); the rows are inserted instead", type(error).__name__)
            return False
        finally:
            cursor.close()
        return bool(told["rows_copied"] == rows.num_rows)


class MssqlStore(SetStore):
    """See the module.

    Args:
        engine: Of the database.
        beside: Another engine of the same, for what is done outside the transaction.
    """

    def __init__(self, engine: sa.Engine, beside: sa.Engine) -> None:
        super().__init__(None, f"_{uuid4().hex[:12]}")
        self._engine = engine
        self._beside = beside.execution_options(isolation_level="AUTOCOMMIT")
        self._is_swept = False

    @contextlib.contextmanager
    def begin(self) -> Iterator[MssqlTransaction]:
        """Return a transaction."""
        with self._beside.connect() as beside, self._engine.begin() as connection:
            if not self._is_swept:
                sweep(beside)
                self._is_swept = True
            yield MssqlTransaction(connection, beside)

    def close(self) -> None:
        """Close the connections that only this store has."""
        self._beside.dispose()


def sweep(beside: sa.Connection) -> None:
    """Drop the staging tables that crashed writers left."""
    for name in sa.inspect(beside).get_table_names():
        if _LEFT(name):
            beside.execute(DropTable(sa.Table(name, sa.MetaData()), if_exists=True))


def _bare(column: sa.Column[Any]) -> sa.Column[Any]:
    return sa.Column(column.name, column.type, key=column.key, nullable=True)


def copyable(rows: pa.Table) -> pa.Table:
    """Return rows with instants in UTC without a zone, as ``DATETIME2`` has them.

    >>> stamp = pa.array([0], pa.timestamp("us", tz="UTC"))
    >>> copyable(pa.table({"at": stamp})).schema.field("at").type
    TimestampType(timestamp[us])
    """
    plain = pa.timestamp("us")
    return pa.table(
        {
            name: column.cast(plain) if pa.types.is_timestamp(column.type) else column
            for name, column in zip(rows.column_names, rows.columns, strict=True)
        }
    )
