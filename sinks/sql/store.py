"""How rows get into a database and back: one store for each way there is."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa

from ...tables.columns import SYSTEM


class Transaction(Protocol):
    """An open transaction."""

    def execute(self, clause: sa.Executable) -> None:
        """Execute a statement without parameters."""

    def fetch(self, query: sa.Select[Any], schema: pa.Schema) -> pa.Table:
        """Return what a query finds; its columns are those of the schema, in order."""


Write = Callable[[Any], None]
"""Rows made ready: called with a transaction of its store, it writes them."""


class Store(Protocol):
    """A way into a database; the rules of :mod:`cdsbridge.sinks.sql.statements` hold for each.

    What a driver raises goes through: see :func:`cdsbridge.sinks.sql.errors.told`.
    """

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """Base classes of errors that do not come by way of SQLAlchemy."""

    def begin(self) -> AbstractContextManager[Any]:
        """Return a transaction, committed at the end, or rolled back when an error leaves it."""

    def history(self, table: sa.Table, rows: pa.Table) -> Write:
        """Make rows of a history ready."""

    def absent(self, table: sa.Table, key: Sequence[str], rows: pa.Table) -> Write:
        """Make rows ready that are written only if their key is absent."""

    def held(
        self, transaction: Any, table: sa.Table, group: str, groups: pa.StringArray, schema: pa.Schema
    ) -> pa.Table:
        """Return the rows whose group is among those given."""

    def replace(self, transaction: Any, table: sa.Table, group: str, rows: pa.Table) -> None:
        """Delete all rows of the groups in the rows, and write the rows."""

    def close(self) -> None:
        """Close the connections that only this store has."""


def filled(rows: pa.Table) -> list[str]:
    """Return the columns worth writing: one without values takes its null by default."""
    return [
        name
        for name, values in zip(rows.column_names, rows.columns, strict=True)
        if name in SYSTEM or values.null_count < rows.num_rows
    ]


def selected(table: sa.Table, names: Iterable[str]) -> sa.Select[Any]:
    """Return a query of some columns, named by their place."""
    return sa.select(*(table.c[name].label(f"c{at}") for at, name in enumerate(names)))
