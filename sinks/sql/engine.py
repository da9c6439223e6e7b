"""Connections to a SQL database."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from ...model.errors import ConfigError
from .errors import told

registry.register("duckdb", "cdsbridge.sinks.sql.duckdb_dialect", "DuckdbDialect")

_DRIVERS: Final = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
"""The drivers we use where a URL names none."""

_EXTRAS: Final = {
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "duckdb": "duckdb",
    "mssql": "mssql",
    "snowflake": "snowflake",
    "bigquery": "bigquery",
}
"""Extras of this package that bring the driver of a database."""

_IN_FILES: Final = frozenset({"sqlite", "duckdb"})
"""Databases that are a file."""

_ELSEWHERE: Final = ("file:", "md:", "motherduck:")
"""How names begin that tell no path."""

_SQLITE_PATIENCE: Final = "PRAGMA busy_timeout = 1000"
"""Milliseconds SQLite itself waits for a lock; whoever calls us waits longer and says so."""

_SQLITE_WRITING: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA cache_size = -65536",
)
"""Write-ahead log; a commit returns when it is on the disk (``NORMAL`` would lose the last
commits in a power cut, messages already settled among them).  ``fullfsync`` counts on macOS only.
See https://www.sqlite.org/pragma.html#pragma_synchronous."""

LIBPQ_DEFAULTS: Final = {"connect_timeout": "10", "keepalives_idle": "30", "tcp_user_timeout": "60000"}
"""So that a connection that leads nowhere is noticed; what the URL says goes before."""

_MYSQL_SESSION: Final = (
    "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 30, "
    "sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'"
)
"""Strict, whatever the server's default: otherwise what does not fit is cut with a mere warning."""


def full_url(url: str) -> URL:
    """Return a URL with its driver named."""
    parsed = make_url(url)
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))


def open_engine(url: str, name: str, *, writing: bool) -> sa.Engine:
    """Return an engine; nothing is connected yet.

    SQLite and DuckDB: a writer makes the folder of the file, a reader makes nothing and finds
    no tables where there is no file.  SQLite: a writer's transactions take the
    write lock as they begin, so that waiting for it is bounded and no
    transaction fails half-way for want of it.

    Args:
        url: SQLAlchemy URL, secrets included.
        name: What people know the database by.
        writing: Whether transactions will write.

    Raises:
        ConfigError: The dialect or its driver is not there.
        SinkUnavailable: The folder cannot be made.
    """
    parsed = full_url(url)
    if not writing and _is_missing_file(parsed):
        parsed = parsed.set(database=":memory:")
    try:
        engine = sa.create_engine(
            parsed,
            hide_parameters=True,
            # named, for in memory SQLite has another that takes no size
            poolclass=sa.pool.QueuePool,
            pool_size=1,
            max_overflow=0,
            connect_args=_arguments(parsed),
        )
    except (ArgumentError, NoSuchModuleError, ImportError, TypeError) as error:
        # the error of a bad URL may quote the URL
        raise ConfigError(f"{name}: {_no_driver(parsed, error)}") from None
    if writing and engine.dialect.name in _IN_FILES:
        _make_folder(engine.url.database, name)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _settings_to_write if writing else _settings_to_read)
        sa.event.listen(engine, "begin", _begin_writing if writing else _begin)
    if engine.dialect.name == "postgresql":
        sa.event.listen(engine, "connect", _postgres_settings)
    return engine


def missing(backend: str, module: str) -> str:
    """Return what to tell of a driver that is not installed.

    Args:
        backend: The database, as SQLAlchemy names it.
        module: Name of the module that is missing.
    """
    extra = _EXTRAS.get(backend)
    remedy = f"pip install 'cdsbridge[{extra}]'" if extra else f"install the package that brings {module}"
    return f"the driver {module} is not installed; {remedy}"


def _no_driver(url: URL, error: Exception) -> str:
    if isinstance(error, ImportError) and not isinstance(error, NoSuchModuleError) and error.name:
        return missing(url.get_backend_name(), error.name)
    return f"no driver can be loaded for this URL ({type(error).__name__})"


def _arguments(url: URL) -> Mapping[str, Any]:
    if url.drivername == "postgresql+psycopg":
        return {name: value for name, value in LIBPQ_DEFAULTS.items() if name not in url.query}
    if url.get_driver_name() == "pymysql":
        # a server that may ask for files is trusted only where the URL says so
        return {"init_command": _MYSQL_SESSION, "connect_timeout": 10, "charset": "utf8mb4"}
    return {}


def _is_file(database: str | None) -> bool:
    return bool(database) and database != ":memory:" and not str(database).startswith(_ELSEWHERE)


def _is_missing_file(url: URL) -> bool:
    in_file = url.get_backend_name() in _IN_FILES and _is_file(url.database)
    return in_file and not Path(url.database or "").exists()


def _make_folder(database: str | None, name: str) -> None:
    if database and _is_file(database):
        folder = Path(database).absolute().parent
        with told(name, None):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(f"the folder {folder} cannot be written to")


def _postgres_settings(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        cursor.execute("SET lock_timeout = '30s'")
    connection.commit()


def _settings_to_read(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute(_SQLITE_PATIENCE)


def _settings_to_write(connection: Any, record: Any) -> None:
    _settings_to_read(connection, record)
    for setting in _SQLITE_WRITING:
        connection.execute(setting)


def _begin_writing(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")
