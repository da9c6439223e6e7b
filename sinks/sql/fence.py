"""Which start of a bridge a database obeys, and that commits come one after the other.

``_fence`` has the holder in slot 0 and, in the slots after it, those it was
taken from: a worker of theirs that starts again must not take it back.
"""

from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from ...model.errors import Fenced
from ...tables.columns import TIMESTAMP
from ..base import Claim
from .store import Transaction, selected

TABLE: Final = "_fence"
SCHEMA: Final = pa.schema(
    [("slot", pa.int64()), ("run", pa.string()), ("told", pa.string()), ("since", TIMESTAMP)]
)
KEY: Final = ("slot",)

_LOCKS_ROWS: Final = frozenset({"postgresql", "mysql", "mariadb", "oracle"})
_LOCKS_ALL: Final = frozenset({"sqlite"})
"""Databases whose transaction has the lock before it begins."""


class Fence:
    """The fence of one database.

    Args:
        table: ``_fence``.
        dialect: SQLAlchemy's name for the database.
        name: What people know the database by.
        claim: Ours, or ``None`` where nothing is claimed.
    """

    def __init__(self, table: sa.Table, dialect: str, name: str, claim: Claim | None) -> None:
        self._table = table
        self._dialect = dialect
        self._name = name
        self._claim = claim
        self._is_holder = table.c["slot"] == 0

    def raise_up(self, connection: sa.Connection) -> None:
        """Take the database over, unless it was taken from our claim before.

        Raises:
            Fenced: It was.
        """
        columns = self._table.c
        connection.execute(sa.update(self._table).where(self._is_holder).values(slot=0))
        found = connection.execute(
            sa.select(columns["slot"], columns["run"], columns["told"], columns["since"])
        )
        rows = {row[0]: row[1:] for row in found}
        if 0 not in rows:
            connection.execute(
                sa.insert(self._table).values(slot=0, run="", told="", since=datetime.now(UTC))
            )
            rows[0] = ("", "", None)
        holder, ours = rows[0], self._claim
        if ours is None or holder[0] == ours.run:
            return
        if any(row[0] == ours.run for row in rows.values()):
            raise self._fenced(holder[1])
        if holder[0]:
            past = {"slot": max(rows) + 1, "run": holder[0], "told": holder[1], "since": holder[2]}
            connection.execute(sa.insert(self._table).values(past))
        now = {"run": ours.run, "told": ours.told, "since": datetime.now(UTC)}
        connection.execute(sa.update(self._table).where(self._is_holder).values(now))

    def check(self, transaction: Transaction) -> None:
        """Hold the lock until the transaction ends, and look whose the database is.

        Raises:
            Fenced: It is no longer ours.
        """
        query: sa.Select[Any] = selected(self._table, ("run", "told")).where(self._is_holder)
        if self._dialect in _LOCKS_ROWS:
            query = query.with_for_update()
        elif self._dialect not in _LOCKS_ALL:
            transaction.execute(sa.update(self._table).where(self._is_holder).values(slot=0))
        found = transaction.fetch(query, _HOLDER).to_pylist()
        if self._claim and (not found or found[0]["run"] != self._claim.run):
            raise self._fenced(found[0]["told"] if found else "")

    def _fenced(self, told: str) -> Fenced:
        return Fenced(
            f"{self._name}: {told or 'another bridge'} has taken over; nothing more is written by this one. "
            "Stop the other before you start this one again"
        )


_HOLDER: Final = pa.schema([("run", pa.string()), ("told", pa.string())])
