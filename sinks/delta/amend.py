"""How a Delta table is changed: look, decide, write files, commit; and from the start if another was faster.

Nothing is ever changed in place.  A file of which a row goes is written anew
without it (copy on write), and one commit to the table's log takes the old
file out and puts the new ones in.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ...model import failpoints
from ...model.errors import SinkUnavailable
from .errors import Raced
from .fence import APPLICATION, Fence
from .files import Encoded, Sources, aligned, encoded
from .keys import DataFile, Hashes, Key, KnownKeys, hashed, may_share
from .rules import Decision, Rule
from .table import RACES, Table


class Amender:
    """Changes tables by rules.  Different tables may be changed by threads at the same time.

    Args:
        fence: Tells whether the tables are still ours.
        known: What is known of the keys in files.
    """

    def __init__(self, fence: Fence, known: KnownKeys) -> None:
        self._fence: Final = fence
        self._known: Final = known

    def amend(
        self,
        table: Table,
        key: Key,
        rows: pa.Table,
        rule: Rule,
        *,
        staged: Encoded | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        """Do to a table what a rule says, all or nothing.

        Args:
            table: One that is prepared.
            key: What names its rows.
            rows: Those that come; they tell which names are looked for.
            rule: Decides.
            staged: ``rows`` as a file that is put already.
            columns: Of the rows held, those the rule needs; ``None`` for all.

        Raises:
            Fenced: The table is no longer ours.
            SinkUnavailable: Others keep changing it, or it cannot be read or written.
        """
        raced: Raced | None = None
        for _ in range(RACES):
            if not table.refresh():
                raise SinkUnavailable(f"{table.label} has gone since it was prepared")
            fence = self._fence.checked(table)
            try:
                change = _Change(table, key, self._known)
                decision = rule(change.held(rows, columns))
                if decision.is_idle:
                    return
                removed, added = change.files(decision, staged if decision.added is rows else None)
                failpoints.reach("files_put")
                table.commit(removed, added, {APPLICATION: fence})
            except Raced as error:
                raced = error
                continue
            self._known.forget(table.name, [file.path for file in removed])
            for file in added:
                self._known.put(table.name, file.path, file.hashes)
            return
        raise SinkUnavailable(f"Others keep writing to it: {raced}")


class _Change:
    """One try to change a table, as it was at the last refresh."""

    def __init__(self, table: Table, key: Key, known: KnownKeys) -> None:
        self._table = table
        self._key = key
        self._known = known
        self._schema = table.schema().arrow()
        self._sources = Sources(table.lake.files, table.folder)
        self._touched: list[DataFile] = []

    def held(self, rows: pa.Table, columns: Sequence[str] | None) -> pa.Table:
        """Return the rows the table holds under the names of some rows."""
        names = pc.unique(self._key.of(rows))
        wanted = hashed(names)
        schema = (
            self._schema if columns is None else pa.schema([self._schema.field(name) for name in columns])
        )
        found = [schema.empty_table()]
        for file in self._key.candidates(self._table.data_files(self._key.span), rows):
            if may_share(self._hashes(file), wanted):
                there = [aligned(piece, schema) for piece in self._matching(file, names, columns)]
                if there:
                    self._touched.append(file)
                    found += there
        return pa.concat_tables(found)

    def files(self, decision: Decision, staged: Encoded | None) -> tuple[list[DataFile], list[Encoded]]:
        """Put the files of a decision; return those that go and those that come."""
        removed: list[DataFile] = []
        added: list[Encoded] = []
        for file in self._touched if len(decision.dropped) else ():
            kept = list(self._without(file, decision.dropped))
            if not any(lost for _, lost in kept):
                continue
            removed.append(file)
            if anew := encoded((rows for rows, _ in kept), self._key):
                added.append(anew)
        fresh = encoded([aligned(decision.added, self._schema)], self._key) if staged is None else None
        added += [fresh] if fresh else []
        for each in added:
            self._table.lake.files.create(f"{self._table.folder}/{each.path}", each.data)
        return removed, added + ([staged] if staged else [])

    def _hashes(self, file: DataFile) -> Hashes:
        found = self._known.get(self._table.name, file.path)
        if found is None:
            groups = [group.read(self._key.columns) for group in self._sources.groups(file)]
            found = hashed(self._key.of(pa.concat_tables(groups)))
            self._known.put(self._table.name, file.path, found)
        return found

    def _matching(
        self, file: DataFile, names: pa.StringArray, columns: Sequence[str] | None
    ) -> Iterator[pa.Table]:
        for group in self._sources.groups(file):
            matches = pc.is_in(self._key.of(group.read(self._key.columns)), names)
            if pc.any(matches).as_py():
                yield group.read(columns).filter(matches)

    def _without(self, file: DataFile, dropped: pa.StringArray) -> Iterator[tuple[pa.Table, int]]:
        """Yield the rows that stay, a row group at a time, and how many do not."""
        for group in self._sources.groups(file):
            rows = group.read()
            kept = rows.filter(pc.invert(pc.is_in(self._key.of(rows), dropped)))
            yield aligned(kept, self._schema), rows.num_rows - kept.num_rows
