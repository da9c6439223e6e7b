"""What a table's columns are, and how they may grow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of one table in a sink.

    Attributes:
        table: Name of the table in the sink (``account_history``).
        columns: Column name to Arrow type, in the order they were added.
    """

    table: str
    columns: Mapping[str, pa.DataType] = field(default_factory=dict)

    def arrow(self) -> pa.Schema:
        """Return the columns as an Arrow schema, all nullable."""
        return pa.schema(list(self.columns.items()))


@dataclass(frozen=True, slots=True)
class Evolution:
    """What has to change in a table before some columns can be written.

    Attributes:
        schema: The schema afterwards; equal to the one before if nothing is new.
        added: Names of new columns, in order.
        conflicts: Indexes of the seen columns whose type the table cannot hold.
    """

    schema: TableSchema
    added: tuple[str, ...] = ()
    conflicts: tuple[int, ...] = ()


def evolve(current: TableSchema, seen: Iterable[pa.Field]) -> Evolution:
    """Return the schema that also holds the columns seen.

    Columns are added, never dropped, narrowed or retyped.  A column seen with
    a type other than the table's is a conflict.  Evolving twice with the same
    columns is evolving once.

    >>> old = TableSchema("t", {"name": pa.string()})
    >>> step = evolve(old, [pa.field("name", pa.int64()), pa.field("age", pa.int64())])
    >>> list(step.schema.columns), step.added, step.conflicts
    (['name', 'age'], ('age',), (0,))
    """
    columns = dict(current.columns)
    added: list[str] = []
    conflicts: list[int] = []
    for index, column in enumerate(seen):
        known = columns.get(column.name)
        if known is None:
            columns[column.name] = column.type
            added.append(column.name)
        elif known != column.type:
            conflicts.append(index)
    if not added:
        return Evolution(current, (), tuple(conflicts))
    return Evolution(TableSchema(current.table, columns), tuple(added), tuple(conflicts))
