"""Connections to a SQL database, and what its errors mean for us."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    NotSupportedError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..model.errors import ConfigError, SinkUnavailable

_OURS: Final = (DataError, IntegrityError, NotSupportedError)
"""Errors that trying again does not mend: they speak of the values, not of the database."""

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


def open_engine(url: str, name: str, *, writing: bool) -> sa.Engine:
    """Return an engine; nothing is connected yet.

    SQLite: the folder of the file is made; a writer's transactions take the
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
    try:
        engine = sa.create_engine(url, hide_parameters=True, pool_size=1, max_overflow=0)
    except (ArgumentError, NoSuchModuleError, ImportError, TypeError) as error:
        # the error of a bad URL may quote the URL
        raise ConfigError(f"{name}: no driver can be loaded for this URL ({type(error).__name__})") from None
    if engine.dialect.name == "sqlite":
        _make_folder(engine.url.database, name)
        sa.event.listen(engine, "connect", _settings_to_write if writing else _settings_to_read)
        sa.event.listen(engine, "begin", _begin_writing if writing else _begin)
    return engine


@contextlib.contextmanager
def told(name: str, secret: str | None) -> Iterator[None]:
    """Turn what a database raises into :class:`SinkUnavailable`, without secrets.

    Args:
        name: What people know the database by.
        secret: A password that must not appear in the error.
    """
    try:
        yield
    except _OURS:
        raise
    except (DBAPIError, PoolTimeout, OSError) as error:
        origin = getattr(error, "orig", None) or error
        reason = (str(origin).splitlines() or [type(origin).__name__])[0]
        if secret:
            reason = reason.replace(secret, "***")
        raise SinkUnavailable(f"{name}: {reason}") from None


def _make_folder(database: str | None, name: str) -> None:
    if database and database != ":memory:" and not database.startswith("file:"):
        folder = Path(database).absolute().parent
        with told(name, None):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(f"the folder {folder} cannot be written to")


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
