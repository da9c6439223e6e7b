"""Which columns sinks have of a table."""

from collections.abc import Iterable

import pyarrow as pa

from ..model.errors import ConfigError
from ..tables.columns import SYSTEM
from ..tables.fold import SYSTEM as STATE
from ..tables.parties import SET
from ..tables.schema import TableSchema, evolve
from ..tables.state import state_name
from .arrow_types import type_name
from .base import Sink, SinkReader, SinkWriter


def described(sink: Sink, there: SinkWriter | SinkReader, history: str, table: str) -> TableSchema | None:
    """Return the columns a sink has of a table, as those of its history; ``None`` if it has none.

    Args:
        sink: The sink.
        there: Its writer or its reader.
        history: Name of the history in the sink.
        table: Logical name of the table.
    """
    found: dict[str, pa.DataType] = {}
    if sink.history and (kept := there.describe(history)):
        found |= kept.columns
    if sink.state and (state := there.describe(state_name(table))):
        own = {name: kind for name, kind in state.columns.items() if name not in STATE and name != SET}
        found = {**SYSTEM, **own, **found}
    return TableSchema(history, found) if found else None


def united(history: str, found: Iterable[tuple[str, TableSchema | None]]) -> TableSchema:
    """Return the columns a table has in several sinks; none if no sink has it.

    Args:
        history: Name of its history.
        found: What people know each sink by, and the columns it has.

    Raises:
        ConfigError: Two hold a column in different types.
    """
    union = TableSchema(history)
    for sink, there in found:
        fields = list(there.arrow()) if there else []
        step = evolve(union, fields)
        if step.conflicts:
            column = fields[step.conflicts[0]]
            raise ConfigError(
                f"The sinks disagree about column {column.name} of table {history}: {sink} holds "
                f"{type_name(column.type)}, another holds {type_name(union.columns[column.name])}. "
                "Give one of them an empty place"
            )
        union = step.schema
    return union
