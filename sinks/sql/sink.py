"""SQL databases through SQLAlchemy: history, state, quarantine and ledger of a flush in one transaction.

Each event is one row, whatever the number and order of its posts; see
:mod:`cdsbridge.sinks.sql.statements`.

SQLite keeps instants as ISO text in UTC, dates as ISO text and decimals as
text of plain digits, exact to all 38.  It has no NaN: a NaN becomes null.
"""

from typing import Final, Literal, Self

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, SecretStr, field_validator, model_validator
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..base import Claim
from .duckdb import DuckdbStore
from .engine import full_url, open_engine
from .mssql import MssqlStore
from .mysql import MysqlStore
from .names import limits
from .postgresql import AdbcStore
from .reader import SqlReader
from .rows import RowStore
from .store import Store
from .writer import SqlWriter, Target

_WITHOUT_TRANSACTIONS: Final = frozenset({"bigquery"})
"""A history does without: its rows are inserted if absent, so a redelivery makes a half-written flush
whole.  https://cloud.google.com/bigquery/docs/transactions wants a session, which the driver never opens."""

_TRUE: Final = frozenset({"1", "true", "yes", "on"})


class SqlSink(BaseModel):
    """Tables in a SQL database.

    Attributes:
        kind: ``sql``.
        url: SQLAlchemy URL (``sqlite:////data/out.db``); it may hold a password and is never shown.
        schema_name: The database's schema for the tables; its default if not given.
        portable: Use only statements that every database has, row by row.
        history: Keep every event.
        state: Keep the current state.
        views: Make a view of the rows that are alive, and one of what each row was at each time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["sql"] = "sql"
    url: SecretStr
    schema_name: str | None = None
    portable: bool = False
    history: bool = True
    state: bool = True
    views: bool = True

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: SecretStr) -> SecretStr:
        try:
            make_url(url.get_secret_value())
        except ArgumentError:
            raise ValueError("not a SQLAlchemy URL, such as sqlite:///rows.db") from None
        return url

    @model_validator(mode="after")
    def _has_transactions(self) -> Self:
        kind = make_url(self.url.get_secret_value()).get_backend_name()
        if self.state and kind in _WITHOUT_TRANSACTIONS:
            raise ValueError(
                f"a current state is replaced within transactions, and {kind} has none by its driver: "
                "set state: false to keep the history, and query the newest row of each Id"
            )
        return self

    @property
    def name(self) -> str:
        """Kind of database, host and database; no user, no password, no options."""
        url = make_url(self.url.get_secret_value())
        return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"

    @property
    def wants_messages(self) -> bool:
        """Whether it takes the messages themselves: it does not."""
        return False

    @property
    def max_columns(self) -> int:
        """Columns a table may have; see :mod:`cdsbridge.sinks.sql.names`."""
        return limits(self._full().get_backend_name()).columns

    @property
    def may_refuse(self) -> bool:
        """``True``: a database has the last word on values."""
        return True

    def open(self, claim: Claim | None = None) -> SqlWriter:
        """Return a live writer; see :meth:`cdsbridge.sinks.base.Sink.open`."""
        engine = self._engine(writing=True)
        try:
            target = Target(self.name, self.secret, self.schema_name, self.views)
            return SqlWriter(engine, self._store(engine), target, claim)
        except BaseException:
            engine.dispose()
            raise

    def read(self) -> SqlReader:
        """Return a live reader; see :meth:`cdsbridge.sinks.base.Sink.read`."""
        return SqlReader(self._engine(writing=False), self.schema_name, self.name, self.secret)

    @property
    def secret(self) -> str | None:
        """The password in the URL, to be kept out of errors."""
        password = make_url(self.url.get_secret_value()).password
        return str(password) if password else None

    def _store(self, engine: sa.Engine) -> Store:
        kind = engine.dialect.name
        if not self.portable:
            if kind == "postgresql":
                return AdbcStore(self._full(), self.name)
            if kind in {"mysql", "mariadb"}:
                asked = str(self._full().query.get("local_infile", "")).lower()
                return MysqlStore(engine, asked in _TRUE)
            if kind == "mssql" and engine.driver == "mssqlpython":
                return MssqlStore(engine, self._engine(writing=True))
            if kind == "duckdb":
                return DuckdbStore(engine)
        return RowStore(engine, kind if kind == "sqlite" and not self.portable else None)

    def _engine(self, *, writing: bool) -> sa.Engine:
        return open_engine(self.url.get_secret_value(), self.name, writing=writing)

    def _full(self) -> URL:
        return full_url(self.url.get_secret_value())
