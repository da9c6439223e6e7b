"""DuckDB: its statements read Arrow rows where they lie."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from .rows import ConnectionTransaction
from .sets import SetStore


class DuckdbTransaction(ConnectionTransaction):
    """A transaction that reads Arrow rows."""

    @contextlib.contextmanager
    def loaded(self, staging: sa.Table, rows: pa.Table) -> Iterator[None]:
        """Let statements read the rows."""
        inner: Any = self.connection.connection.dbapi_connection
        with inner.registered(staging.name, rows.rename_columns([each.name for each in staging.columns])):
            yield


class DuckdbStore(SetStore):
    """See the module."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(None)
        self._engine = engine

    @contextlib.contextmanager
    def begin(self) -> Iterator[DuckdbTransaction]:
        """Return a transaction."""
        with self._engine.begin() as connection:
            yield DuckdbTransaction(connection)
