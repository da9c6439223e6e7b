"""Bulk copy into SQL Server.

No SQL Server runs here: what the driver and the server would do stands in for
them.  SQLite plays the server, and a cursor that inserts plays bulk copy.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mssql_python
import pyarrow as pa
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.schema import CreateTable

from cdsbridge.sinks import SqlSink
from cdsbridge.sinks.sql.mssql import MssqlStore, MssqlTransaction, copyable, sweep
from cdsbridge.sinks.sql.sets import history_sets, replace_sets, staging_of
from cdsbridge.sinks.sql.tables import SqlTables
from cdsbridge.sinks.testing.history import NOW, TABLE, rows_for, schema_with

SCHEMA = schema_with(name=pa.string(), size=pa.int64())


class Cursor:
    """Takes what ``mssql_python.Cursor.bulkcopy_arrow`` takes."""

    def __init__(self, connection: Any, loses: int) -> None:
        self._connection = connection
        self._loses = loses

    def bulkcopy_arrow(
        self, table_name: str, source: pa.Table, *, timeout: int, keep_nulls: bool
    ) -> dict[str, int]:
        if self._loses < 0:
            raise RuntimeError("the login may not use bulk copy")
        assert timeout > 0
        assert keep_nulls
        assert all(not getattr(kind, "tz", None) for kind in source.schema.types)
        rows = source.slice(self._loses)
        marks = ", ".join("?" * rows.num_columns)
        texts = [rows.column(name).cast(pa.string()).to_pylist() for name in rows.column_names]
        self._connection.executemany(
            f"INSERT INTO {table_name} VALUES ({marks})", list(zip(*texts, strict=True))
        )
        return {"rows_copied": rows.num_rows}

    def close(self) -> None:
        """Nothing to do."""


class Driver:
    """A connection of the driver's, as far as a cursor is asked of it."""

    def __init__(self, connection: Any, loses: int) -> None:
        self.dbapi_connection = self
        self._connection = connection
        self._loses = loses

    def cursor(self) -> Cursor:
        return Cursor(self._connection, self._loses)


class Beside:
    """A connection whose statements commit by themselves, and that copies in bulk."""

    def __init__(self, inner: sa.Connection, loses: int) -> None:
        self._inner = inner
        self.connection = Driver(inner.connection.dbapi_connection, loses)

    def execute(self, *arguments: Any) -> Any:
        return self._inner.execute(*arguments)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/server.db", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


@pytest.mark.parametrize("loses", [0, 1, -1], ids=["copied", "a row less arrives", "bulk copy is refused"])
def test_rows_are_copied_or_else_inserted(connection: sa.Connection, loses: int) -> None:
    history = SqlTables(connection.dialect, None).of(SCHEMA)
    connection.execute(CreateTable(history))
    rows = rows_for(SCHEMA, ["a-0", "b-0"], {"name": ["A", None], "size": [1, 2]})
    staging = staging_of("_staged_0123456789ab", history, rows.column_names)
    transaction = MssqlTransaction(connection, Beside(connection, loses))  # type: ignore[arg-type]
    for _ in range(2):
        with transaction.loaded(staging, rows):
            for clause in history_sets(history, staging, None):
                transaction.execute(clause)
    found = connection.execute(sa.select(history.c["_event_id"], history.c["name"], history.c["size"]))
    assert sorted(found.all()) == [("a-0", "A", 1), ("b-0", None, 2)]
    assert sa.inspect(connection).get_table_names() == [TABLE]


def test_what_a_crash_left_is_dropped_and_nothing_else(connection: sa.Connection) -> None:
    for name in ("_staged_0123456789ab", "_asked_ffffffffffff", "_staged", "account"):
        connection.exec_driver_sql(f"CREATE TABLE {name} (a)")
    sweep(connection)
    assert sa.inspect(connection).get_table_names() == ["_staged", "account"]


def test_the_driver_has_the_bulk_copy_that_is_called_here() -> None:
    asked = inspect.signature(Cursor.bulkcopy_arrow).parameters
    assert asked.keys() <= inspect.signature(mssql_python.Cursor.bulkcopy_arrow).parameters.keys()
    sink = SqlSink.model_validate({"url": "mssql+mssqlpython://someone:secret@nowhere/crm"})
    writes = sink._store(sink._engine(writing=True))
    assert isinstance(writes, MssqlStore)
    writes.close()


def test_no_two_writers_stage_under_one_name() -> None:
    engine = sa.create_engine("sqlite://")
    names = {MssqlStore(engine, engine)._staged for _ in range(3)}
    assert len(names) == 3


def test_what_sql_server_would_be_sent() -> None:
    dialect = mssql.dialect()
    history = SqlTables(dialect, "crm").of(SCHEMA)
    staging = staging_of("_staged_0123456789ab", history, ["_event_id", "_order", "_received_at"])
    made: list[Any] = list(replace_sets(history, staging, "_event_id"))
    gone, put = (str(clause.compile(dialect=dialect)) for clause in made)
    assert " ".join(gone.split()) == (
        "DELETE FROM crm.account_history FROM crm.account_history, _staged_0123456789ab "
        "WHERE crm.account_history._event_id = _staged_0123456789ab.c0"
    )
    assert put.startswith("INSERT INTO crm.account_history (_event_id, _order, _received_at) SELECT")


def test_instants_are_copied_in_utc() -> None:
    stamps = pa.table({"at": pa.array([NOW], pa.timestamp("us", tz="UTC")), "n": [1]})
    found = copyable(stamps)
    assert found.column("at").cast(pa.int64()).to_pylist() == [NOW]
    assert found.schema.field("at").type == pa.timestamp("us")
