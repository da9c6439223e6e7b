"""The writer of SQL databases: what belongs to a flush is one transaction."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, NoReturn, TypeVar

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ...model import failpoints
from ...model.errors import NotPermitted, SinkUnavailable
from ...tables.schema import TableSchema
from ...tables.state import StateChanges
from .. import ledger, quarantine
from ..base import Claim, Flush, Staged
from ..refused import Refused, RowsRefused
from .errors import BadData, told
from .fence import TABLE as FENCE
from .fence import Fence
from .fit import cleaned
from .refused import FOUND_AT_ONCE, known_unfit, refused, refused_groups
from .store import Store, Write
from .tables import SqlTables
from .views import create_view, view_of

T = TypeVar("T")

_log = logging.getLogger(__name__)


class _TakenBack(Exception):
    """Rolls an attempt back."""


def _take_back() -> NoReturn:
    raise _TakenBack


@dataclass(frozen=True, slots=True)
class StagedFlush:
    """A flush whose rows are as the database takes them.

    Attributes:
        flush: What it was made of.
        histories: What writes the histories.
        endings: What writes quarantine and ledger.
    """

    flush: Flush
    histories: tuple[Write, ...]
    endings: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """The database as it is configured.

    Attributes:
        name: What people know it by.
        secret: What must not be told.
        schema: Its schema for the tables, or ``None`` for its default.
        views: Whether views are made.
    """

    name: str
    secret: str | None = field(default=None, repr=False)
    schema: str | None = None
    views: bool = True


class SqlWriter:
    """Writes flushes to a database; see :class:`cdsbridge.sinks.base.SinkWriter`.

    Args:
        engine: Of the database.
        store: The way rows get in.
        target: The database.
        claim: The start of the bridge that takes the database over.
    """

    def __init__(self, engine: sa.Engine, store: Store, target: Target, claim: Claim | None) -> None:
        self._engine = engine
        self._store = store
        self._target = target
        self._tables = SqlTables(engine.dialect, target.schema)
        self._prepared: dict[str, sa.Table] = {
            name: self._tables.fixed(name) for name in (quarantine.TABLE, ledger.TABLE)
        }
        self._fence = Fence(self._tables.fixed(FENCE), engine.dialect.name, target.name, claim)
        self._twice(self._open)

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns registered for the table."""
        with self._told(), self._engine.begin() as connection:
            return self._tables.describe(connection, table)

    def prepare(self, schema: TableSchema) -> None:
        """Create the table or add columns, in a transaction of its own.

        What fails because another writer has done the same meanwhile is tried
        once more and then finds it done.
        """
        whole = self._twice(lambda connection: self._tables.prepare(connection, schema))
        self._prepared[schema.table] = self._tables.of(whole)
        if self._target.views:
            self._show(whole)

    def stage(self, flush: Flush) -> StagedFlush:
        """Turn the rows into what the store takes.

        Raises:
            RowsRefused: Some rows hold what this kind of database has no form for.
        """
        if rows := known_unfit(self._engine.dialect.name, flush):
            raise RowsRefused(rows)
        histories = [self._store.history(self._prepared[name], rows) for name, rows in flush.tables.items()]
        return StagedFlush(flush, tuple(histories), tuple(self._endings(flush)))

    def commit(self, staged: Staged) -> None:
        """Write everything in one transaction."""
        if not isinstance(staged, StagedFlush):
            raise TypeError("not staged by this writer")
        try:
            with self._told(), self._store.begin() as transaction:
                self._write(transaction, staged)
        except BadData as error:
            if rows := tuple(islice(self._refused(staged.flush), FOUND_AT_ONCE)):
                raise RowsRefused(rows) from None
            raise SinkUnavailable(str(error)) from None

    def close(self) -> None:
        """Close the connections."""
        with self._told():
            self._store.close()
            self._engine.dispose()

    def _open(self, connection: sa.Connection) -> None:
        self._tables.create_fixed(connection)
        self._fence.raise_up(connection)

    def _twice(self, action: Callable[[sa.Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return action(connection)
        except DBAPIError:
            try:
                with self._told(), self._engine.begin() as connection:
                    return action(connection)
            except BadData as error:
                raise SinkUnavailable(str(error)) from None

    def _show(self, schema: TableSchema) -> None:
        """Make the view that goes with a table; without it nothing is lost."""
        found = view_of(self._prepared[schema.table], schema)
        if found is None:
            return
        name, query = found
        try:
            with self._told(), self._engine.begin() as connection:
                create_view(connection, name, self._target.schema, query)
        except (BadData, NotPermitted, SinkUnavailable) as error:
            _log.warning("The view %s was not made, the table is kept all the same: %s", name, error)

    def _endings(self, flush: Flush) -> list[Write]:
        pairs: Mapping[str, tuple[tuple[str, ...], pa.Table]] = {
            quarantine.TABLE: (quarantine.KEY, flush.quarantine),
            ledger.TABLE: (ledger.KEY, flush.ledger),
        }
        dialect = self._engine.dialect.name
        return [
            self._store.absent(self._prepared[name], key, cleaned(dialect, rows))
            for name, (key, rows) in pairs.items()
        ]

    def _write(self, transaction: Any, staged: StagedFlush) -> None:
        self._fence.check(transaction)
        for write in staged.histories:
            write(transaction)
        failpoints.reach("history_written")
        for changes in staged.flush.states.values():
            self._fold(transaction, changes, staged.flush.now)
        for write in staged.endings:
            write(transaction)
        failpoints.reach("all_written")

    def _fold(self, transaction: Any, changes: StateChanges, now: int) -> None:
        table = self._prepared[changes.schema.table]
        schema = changes.schema.arrow()
        held = self._store.held(transaction, table, changes.group, changes.groups, schema)
        rows = changes.folded(held, now)
        if rows.num_rows:
            self._store.replace(transaction, table, changes.group, rows)

    def _refused(self, flush: Flush) -> Iterator[Refused]:
        for name, rows in flush.tables.items():
            table = self._prepared[name]
            yield from refused(name, rows, partial(self._attempted, partial(self._write_history, table)))
        for changes in flush.states.values():
            yield from refused_groups(changes, partial(self._attempted, partial(self._fold, now=flush.now)))

    def _write_history(self, table: sa.Table, transaction: Any, rows: pa.Table) -> None:
        self._store.history(table, rows)(transaction)

    def _attempted(self, write: Callable[..., None], what: pa.Table | StateChanges) -> str | None:
        """Write something and take it back."""
        try:
            with self._told(), self._store.begin() as transaction:
                write(transaction, what)
                _take_back()
        except _TakenBack:
            return None
        except BadData as error:
            return str(error)

    def _told(self) -> AbstractContextManager[None]:
        return told(self._target.name, self._target.secret, *self._store.errors)
