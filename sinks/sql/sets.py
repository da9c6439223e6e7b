"""Rows as a set: loaded into a table of the transaction's own, then written by two or three statements."""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from .statements import REPLACED, is_earlier
from .store import Transaction, Write, filled, selected

GROUP: Final = "group"


class SetTransaction(Transaction, Protocol):
    """A transaction that takes rows as a set."""

    def loaded(self, staging: sa.Table, rows: pa.Table) -> AbstractContextManager[None]:
        """Hold rows in a table of this transaction's own.

        Args:
            staging: The table, columns c0, c1, ... under the names of the rows' columns.
            rows: Its rows, columns in that order.
        """


def staging_of(name: str, table: sa.Table, columns: Sequence[str]) -> sa.Table:
    """Return a table for rows that are on their way to another one."""
    return sa.Table(
        name,
        sa.MetaData(),
        *(sa.Column(f"c{at}", table.c[column].type, key=column) for at, column in enumerate(columns)),
        prefixes=["TEMPORARY"],
    )


def history_sets(table: sa.Table, staging: sa.Table, native: str | None) -> list[sa.Executable]:
    """Return what writes staged rows of a history, by the rule of :mod:`cdsbridge.sinks.sql.statements`."""
    names = _names(staging)
    if native == "postgresql":
        insert = postgresql.insert(table).from_select([table.c[n] for n in names], _all(staging))
        theirs = insert.excluded
        update = insert.on_conflict_do_update(
            index_elements=[table.c["_event_id"]],
            set_={table.c[name].name: theirs[name] for name in REPLACED},
            where=is_earlier(theirs["_order"], theirs["_received_at"], table),
        )
        return [update]
    later = (
        sa.update(table)
        .where(table.c["_event_id"] == staging.c["_event_id"])
        .where(is_earlier(staging.c["_order"], staging.c["_received_at"], table))
        .values({table.c[name]: staging.c[name] for name in REPLACED})
    )
    return [later, absent_set(table, staging, ("_event_id",))]


def absent_set(table: sa.Table, staging: sa.Table, key: Sequence[str]) -> sa.Insert:
    """Return what inserts the staged rows whose key is absent."""
    there = table.alias("there")
    same = sa.and_(*(there.c[name] == staging.c[name] for name in key))
    absent = ~sa.exists(sa.select(sa.literal_column("1")).select_from(there).where(same))
    return sa.insert(table).from_select([table.c[n] for n in _names(staging)], _all(staging).where(absent))


def held_set(table: sa.Table, staging: sa.Table, group: str, names: Sequence[str]) -> sa.Select[Any]:
    """Return a query of the rows whose group is staged."""
    return selected(table, names).where(table.c[group].in_(sa.select(staging.c[group])))


def replace_sets(table: sa.Table, staging: sa.Table, group: str) -> list[sa.Executable]:
    """Return what puts staged rows in place of all rows of their groups."""
    # a join, for MariaDB looks through the whole table for each row of a subquery
    gone = sa.delete(table).where(table.c[group] == staging.c[group])
    return [gone, sa.insert(table).from_select([table.c[n] for n in _names(staging)], _all(staging))]


def _names(table: sa.Table) -> list[str]:
    return [column.key for column in table.columns]


def _all(staging: sa.Table) -> sa.Select[Any]:
    return sa.select(*staging.columns)


class SetStore:
    """Loads rows and writes them by few statements.

    Args:
        native: ``postgresql`` for its one statement of a history, ``None`` for the pair any database has.
        own: What sets the names of its staging tables apart, where other connections see them.
    """

    errors: tuple[type[Exception], ...] = ()

    def __init__(self, native: str | None, own: str = "") -> None:
        self._native = native
        self._staged, self._asked = f"_staged{own}", f"_asked{own}"

    def begin(self) -> AbstractContextManager[SetTransaction]:
        """Return a transaction."""
        raise NotImplementedError

    def history(self, table: sa.Table, rows: pa.Table) -> Write:
        """Make rows of a history ready."""
        return self._ready(table, rows, lambda staging: history_sets(table, staging, self._native))

    def absent(self, table: sa.Table, key: Sequence[str], rows: pa.Table) -> Write:
        """Make rows ready that are written only if their key is absent."""
        return self._ready(table, rows, lambda staging: [absent_set(table, staging, key)])

    def held(
        self,
        transaction: SetTransaction,
        table: sa.Table,
        group: str,
        groups: pa.StringArray,
        schema: pa.Schema,
    ) -> pa.Table:
        """Return the rows whose group is among those given."""
        staging = staging_of(self._asked, table, [group])
        with transaction.loaded(staging, pa.table({group: groups})):
            return transaction.fetch(held_set(table, staging, group, schema.names), schema)

    def replace(self, transaction: SetTransaction, table: sa.Table, group: str, rows: pa.Table) -> None:
        """Delete all rows of the groups in the rows, and write the rows."""
        self._ready(table, rows, lambda staging: replace_sets(table, staging, group))(transaction)

    def close(self) -> None:
        """Close the connections that only this store has."""

    def _ready(self, table: sa.Table, rows: pa.Table, made: Any) -> Write:
        if not rows.num_rows:
            return _nothing
        names = filled(rows)
        staging = staging_of(self._staged, table, names)
        clauses, staged = made(staging), rows.select(names)

        def write(transaction: SetTransaction) -> None:
            with transaction.loaded(staging, staged):
                for clause in clauses:
                    transaction.execute(clause)

        return write


def _nothing(_transaction: SetTransaction) -> None:
    """Write nothing."""


@contextlib.contextmanager
def unloaded(transaction: Transaction, drop: sa.Executable) -> Iterator[None]:
    """Drop a staging table at the end; where an error leaves, the end of the transaction does."""
    yield
    transaction.execute(drop)
