"""What changes would do to the current states of a sink, told by their order alone: no value is read."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ...sinks.base import SinkReader
from ...tables.fold import STANDING
from ...tables.state import StateChanges


@dataclass(frozen=True, slots=True)
class StateChange:
    """What changes would do to the rows of one state.

    Attributes:
        appear: Rows that are not there, or are deleted, and would be.
        change: Rows of which a column or more would be set, or a tombstone's.
        go: Rows that would become tombstones.
        stay: Rows that have all of it already, or something newer.
    """

    appear: int = 0
    change: int = 0
    go: int = 0
    stay: int = 0


class Standing:
    """The states of one sink, as they would be after changes that come one flush after another.

    Args:
        reader: Of the sink; the caller closes it.
    """

    def __init__(self, reader: SinkReader) -> None:
        self._reader = reader
        self._rows: dict[str, pa.Table] = {}
        self._deleted: dict[str, dict[str, bool | None]] = {}
        self._becomes: dict[str, dict[str, bool]] = {}

    def add(self, table: str, changes: StateChanges, now: int) -> None:
        """Fold changes into what stands there.

        Args:
            table: Logical name.
            changes: Of its state, whose rows are replaced one by one.
            now: The instant of the commit, microseconds since 1970 UTC.

        Raises:
            BridgeError: The sink cannot be read.
        """
        rows = self._looked_up(table, changes)
        touched = rows.filter(pc.is_in(rows.column("Id"), changes.groups))
        folded = changes.folded(touched, now).select(STANDING.names).cast(STANDING)
        others = rows.filter(pc.invert(pc.is_in(rows.column("Id"), folded.column("Id").combine_chunks())))
        self._rows[table] = pa.concat_tables([others, folded])
        self._becomes.setdefault(table, {}).update(_deleted(folded))

    def told(self) -> dict[str, StateChange]:
        """Return what became of each table, by its logical name."""
        return {table: self._told(table) for table in sorted(self._rows)}

    def _looked_up(self, table: str, changes: StateChanges) -> pa.Table:
        """Return all rows known of a table, those the changes are about among them."""
        before = self._deleted.setdefault(table, {})
        unknown = [key for key in changes.groups.to_pylist() if key not in before]
        found = self._reader.standing(changes.schema.table, pa.array(unknown, pa.string()))
        before.update(dict.fromkeys(unknown))
        before.update(_deleted(found))
        return pa.concat_tables([self._rows.get(table, STANDING.empty_table()), found])

    def _told(self, table: str) -> StateChange:
        appear = change = go = stay = 0
        becomes = self._becomes[table]
        for key, was_deleted in self._deleted[table].items():
            if key not in becomes:
                stay += 1
            elif becomes[key] and not was_deleted:
                go += 1
            elif not becomes[key] and was_deleted is not False:
                appear += 1
            else:
                change += 1
        return StateChange(appear, change, go, stay)


def _deleted(rows: pa.Table) -> dict[str, bool]:
    return dict(zip(rows.column("Id").to_pylist(), rows.column("IsDelete").to_pylist(), strict=True))
