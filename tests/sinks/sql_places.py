"""SQL databases the contract holds for, each with a reader that is not ours: the driver itself."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pymysql
import pytest

from cdsbridge.sinks import SqlSink
from cdsbridge.sinks.testing import Place, canonical
from cdsbridge.sinks.testing.places import Cell, Row

from . import servers
from .places import PortableSqlitePlace, SqlitePlace

_numbers = itertools.count(1)


def key_of(table: str) -> str:
    """Return the columns that order the rows of a table."""
    if table in {"_ledger", "_quarantine"}:
        return "entity, sequence_number, enqueued_at"
    return "_event_id" if table.endswith("_history") else '"Id"'


class PostgresPlace:
    """A schema of its own, which the connection finds first."""

    lacks = ("a\0b",)
    portable = False

    def __init__(self, folder: Path) -> None:
        server = served(servers.postgresql)
        self.socket = str(server.folder)
        self.name = f"place_{next(_numbers)}"
        with self.connected() as connection:
            connection.execute(f"CREATE SCHEMA {self.name}")
        self.sink = self.configured()

    def configured(self) -> SqlSink:
        url = f"postgresql://postgres@/postgres?host={self.socket}&options=-csearch_path%3D{self.name}"
        return SqlSink.model_validate({"url": url, "portable": self.portable})

    def connected(self) -> "psycopg.Connection[tuple[Any, ...]]":
        settings = f"-c search_path={self.name} -c timezone=UTC"
        return psycopg.connect(host=self.socket, user="postgres", autocommit=True, options=settings)

    def rows(self, table: str) -> list[Row]:
        with self.connected() as connection:
            there = "SELECT 1 FROM pg_class WHERE relname = %s AND relnamespace = %s::regnamespace"
            if not connection.execute(there, (table, self.name)).fetchone():
                return []
            found = connection.execute(f'SELECT * FROM "{table}" ORDER BY {key_of(table)}')
            return plain([each.name for each in found.description or ()], found.fetchall())


class SchemaPostgresPlace(PostgresPlace):
    """The schema is named by the configuration, and statements go row by row."""

    def configured(self) -> SqlSink:
        url = f"postgresql+psycopg://postgres@/postgres?host={self.socket}"
        return SqlSink.model_validate({"url": url, "schema_name": self.name, "portable": True})


class MariaPlace:
    lacks = (float("inf"),)
    options = "&local_infile=1"
    portable = False

    def __init__(self, folder: Path) -> None:
        server = served(servers.mariadb)
        self.socket = str(server.socket)
        self.name = f"place_{next(_numbers)}"
        with self.connected() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {self.name}")
        url = f"mysql://root@localhost/{self.name}?unix_socket={self.socket}{self.options}"
        self.sink = SqlSink.model_validate({"url": url, "portable": self.portable})

    def connected(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        return pymysql.connect(unix_socket=self.socket, user="root", autocommit=True, sql_mode="ANSI_QUOTES")

    def rows(self, table: str) -> list[Row]:
        with self.connected() as connection, connection.cursor() as cursor:
            cursor.execute(f"USE {self.name}")
            if not cursor.execute("SHOW TABLES LIKE %s", (table.replace("_", r"\_"),)):
                return []
            cursor.execute(f'SELECT * FROM "{table}" ORDER BY {key_of(table)}')
            return plain([each[0] for each in cursor.description], cursor.fetchall())


class InsertingMariaPlace(MariaPlace):
    """Files are not allowed."""

    options = ""


class PortableMariaPlace(InsertingMariaPlace):
    portable = True


class DuckdbPlace:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "base" / "rows.duckdb"
        self.sink = SqlSink(url=f"duckdb:///{self.path}")  # type: ignore[arg-type]

    def rows(self, table: str) -> list[Row]:
        if not self.path.exists():
            return []
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            there = "SELECT 1 FROM information_schema.tables WHERE table_name = ?"
            if not connection.execute(there, [table]).fetchall():
                return []
            return canonical(
                connection.sql(f'SELECT * FROM "{table}" ORDER BY {key_of(table)}').to_arrow_table()
            )


SQL_PLACES: Mapping[str, Callable[[Path], Place]] = {
    "sqlite": SqlitePlace,
    "sqlite-portable": PortableSqlitePlace,
    "postgresql": PostgresPlace,
    "postgresql-portable": SchemaPostgresPlace,
    "mariadb": MariaPlace,
    "mariadb-inserting": InsertingMariaPlace,
    "mariadb-portable": PortableMariaPlace,
    "duckdb": DuckdbPlace,
}


def served(start: Callable[[], servers.Server]) -> servers.Server:
    """Return a server, or skip the test and say why there is none."""
    try:
        return start()
    except servers.NoServer as error:
        pytest.skip(str(error))


def plain(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Row]:
    """Return rows with every value in the form of :func:`canonical`."""
    return [dict(zip(names, map(_cell, row), strict=True)) for row in rows]


def _cell(value: Any) -> Cell:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return str(value)
    return int(value) if isinstance(value, bool) else value
