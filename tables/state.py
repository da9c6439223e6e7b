"""The current state of a table: one row a key, folded from changes.

A sink keeps it by reading the rows of the groups a flush touches, folding, and
writing back what the fold returns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from .columns import SYSTEM as HISTORY
from .contract import Contracts
from .fold import SYSTEM, fold
from .names import EVENT_TABLE, PARTY_TABLE
from .option_sets import learnt, metadata_schema
from .order import VERSION, by_version
from .parties import PARTY_SYSTEM, SET, emptied, fold_sets, with_sets
from .profile import Profile, shown, with_partitions
from .schema import TableSchema

_TAKEN: Final = ("_history", "_active", "_scd2", "_state")
"""Endings of what else a sink holds of a table."""


def state_name(table: str) -> str:
    """Return the name of a table's state; never that of another table's history or view.

    >>> state_name("account"), state_name("cr1_sale_history")
    ('account', 'cr1_sale_history_state')
    """
    return f"{table}_state" if table.endswith(_TAKEN) else table


def state_schema(table: str, data: Mapping[str, pa.DataType], profile: Profile = "native") -> TableSchema:
    """Return the columns of a state.

    Args:
        table: Logical name of the table.
        data: Columns of its history; system columns among them are passed over.
        profile: Which of them are shown.
    """
    own = shown({name: kind for name, kind in data.items() if name not in HISTORY}, profile)
    system = PARTY_SYSTEM if table == PARTY_TABLE else SYSTEM
    first = {name: kind for name, kind in system.items() if name in {SET, "Id", "IsDelete"}}
    return TableSchema(state_name(table), {**first, **own, **system})


def is_state(schema: TableSchema) -> bool:
    """Tell a state from a history."""
    return "_versions" in schema.columns


@dataclass(frozen=True, slots=True)
class StateChanges:
    """What one flush says of the state of one table.

    Attributes:
        schema: Columns of the state, and its name in the sink; ``Id`` is its key.
        group: Name of the column whose values are replaced together: ``Id``, or ``_set``
            for parties.
        changes: Rows of the history, in any order, duplicates included, each in
            a group; columns of nothing but nulls may be absent.
    """

    schema: TableSchema
    group: str
    changes: pa.Table

    @property
    def groups(self) -> pa.StringArray:
        """The groups that are touched, each once."""
        return pc.unique(self.changes.column(self.group))

    def folded(self, held: pa.Table, now: int) -> pa.Table:
        """Return the rows of every group whose content changes.

        All rows a sink holds of the groups in the result are replaced by those
        in the result; groups that are not in it stay as they are.

        Args:
            held: All rows the sink holds of :attr:`groups`, with the columns of :attr:`schema`.
            now: The instant of the commit, microseconds since 1970 UTC.
        """
        rule = fold_sets if self.group == SET else fold
        return with_partitions(rule(self.schema.columns, held, self.changes, now))


def state_changes(
    rows: Mapping[str, pa.Table],
    data: Mapping[str, Mapping[str, pa.DataType]],
    contracts: Contracts,
    profile: Profile = "native",
) -> Iterator[StateChanges]:
    """Yield what rows say of the state of their tables; events have none.

    Args:
        rows: Logical name of a table to rows of its history, every post of every event.
        data: Logical name of a table to the columns of its history.
        contracts: They say what orders a table.
        profile: Which columns are shown.
    """
    parties = rows.get(PARTY_TABLE)
    empty = [each for name, some in rows.items() if (each := emptied(name, some, parties)) is not None]
    for table, changes in rows.items():
        if table in {EVENT_TABLE, PARTY_TABLE}:
            continue
        keyed = changes.filter(changes.column("Id").is_valid())
        if contracts.of(table).order == VERSION:
            keyed = by_version(keyed)
        if keyed.num_rows:
            yield StateChanges(state_schema(table, data[table], profile), "Id", keyed)
    for name, changes in learnt(rows):
        yield StateChanges(metadata_schema(name), "Id", changes)
    if parties is not None or empty:
        known = dict(data.get(PARTY_TABLE, {}))
        for each in empty:
            known |= dict(zip(each.column_names, each.schema.types, strict=True))
        parts = [*([parties] if parties is not None else []), *empty]
        changes = with_sets(pa.concat_tables(parts, promote_options="default"))
        changes = changes.filter(changes.column(SET).is_valid())
        if changes.num_rows:
            yield StateChanges(state_schema(PARTY_TABLE, known, profile), SET, changes)
