"""Who may write to a Delta lake: the newest start of a bridge.

Every start that claims the lake gets the next number.  The table ``_fence``
keeps who has which; each table's log keeps, as the version of an application
transaction, the highest number that has written to it.  A writer reads that
before it decides and writes it with its commit, and of two commits of one
application made from the same state of a table only one succeeds.  So a
writer of a lower number can never commit after one of a higher.  A start
takes the ledger over at once: no message ends in it by an older one from then on.
"""

from datetime import UTC, datetime
from typing import Final

import pyarrow as pa

from ...model.errors import Fenced, SinkUnavailable
from ...tables.columns import TIMESTAMP
from ...tables.schema import TableSchema
from ..base import Claim
from .errors import Raced
from .files import Sources, encoded
from .keys import Key
from .table import RACES, Lake, Table

TABLE: Final = "_fence"
"""Name of the table of one row that tells who has the lake."""

APPLICATION: Final = "cdsbridge"
"""Under this name each table's log keeps the number of the start that wrote last."""

_COLUMNS: Final = {"run": pa.string(), "told": pa.string(), "since": TIMESTAMP, "number": pa.int64()}
_KEY: Final = Key(("run",), "run")


class Fence:
    """The right of one start to write; without a claim, of anybody.

    Args:
        lake: What is written to.
        claim: The start; taken over from older ones by :meth:`take_over`.
    """

    def __init__(self, lake: Lake, claim: Claim | None) -> None:
        self._lake = lake
        self._claim = claim
        self._number: int | None = None

    def take_over(self, ledger: Table) -> None:
        """Get the number of the claim, and take the ledger over.

        Args:
            ledger: The ledger, prepared.

        Raises:
            Fenced: A newer start has the lake.
            SinkUnavailable: Others keep claiming it.
        """
        if self._claim is None:
            return
        raced: Raced | None = None
        for _ in range(RACES):
            try:
                self._number = self._numbered(self._claim)
                ledger.refresh()
                if self.checked(ledger) != (ledger.transaction(APPLICATION) or 0):
                    ledger.commit([], [], {APPLICATION: self._number})
            except Raced as error:
                raced = error
            else:
                return
        raise SinkUnavailable(f"Others keep claiming {self._lake.teller.name}: {raced}")

    def checked(self, table: Table) -> int:
        """Return the number to commit to a table with, as of its last refresh.

        Raises:
            Fenced: A newer start has written to the table.
        """
        last = table.transaction(APPLICATION) or 0
        if self._number is None:
            return last
        if last > self._number:
            raise self._fenced()
        return self._number

    def _numbered(self, claim: Claim) -> int:
        table = Table(self._lake, TABLE)
        table.prepare(TableSchema(TABLE, _COLUMNS))
        newest = table.transaction(APPLICATION) or 0
        mine = table.transaction(claim.run)
        if mine is not None:
            if mine < newest:
                raise self._fenced()
            return mine
        number = newest + 1
        row = {"run": claim.run, "told": claim.told, "since": datetime.now(UTC), "number": number}
        file = encoded([pa.Table.from_pylist([row], schema=pa.schema(_COLUMNS))], _KEY)
        if file is None:
            raise AssertionError("a row makes a file")
        self._lake.files.create(f"{table.folder}/{file.path}", file.data)
        table.commit(table.data_files(), [file], {APPLICATION: number, claim.run: number})
        return number

    def _fenced(self) -> Fenced:
        table = Table(self._lake, TABLE)
        owner = "another start of a bridge"
        if table.refresh():
            sources = Sources(self._lake.files, table.folder)
            rows = [group.read(["told"]) for file in table.data_files() for group in sources.groups(file)]
            owner = rows[0].column("told")[0].as_py() if rows else owner
        return Fenced(
            f"{self._lake.teller.name} has been taken over by {owner}: this bridge stops writing. "
            "If that is not meant, stop the other one and start this one again; two bridges need two places"
        )
