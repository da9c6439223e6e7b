"""What became of messages, but for ids made of their bytes: for comparing two ways to write or send them."""

from collections.abc import Sequence
from typing import NamedTuple

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.verdict import Outcome
from cdsbridge.tables.types import ColumnTypes

from .conforming import delivery, flattened, rows_of_message
from .notation import exact


class Meaning(NamedTuple):
    """What became of a message."""

    outcome: Outcome
    made: int
    reason: str
    where: str
    rows: list[object]


def meanings(flat: FlattenedBatch) -> list[Meaning]:
    """Return what became of each message, but for ids made of its bytes."""
    return [
        Meaning(verdict.outcome, verdict.rows, verdict.reason, verdict.where, rows_without_id(flat, at))
        for at, verdict in enumerate(flat.verdicts)
    ]


def meanings_alone(sent: Sequence[bytes], types: ColumnTypes) -> list[Meaning]:
    """Return what becomes of messages that come one by one, each to a flattener that has seen nothing."""
    deliveries = [delivery(number, each) for number, each in enumerate(sent)]
    return [meaning for each in deliveries for meaning in meanings(flattened([each], types))]


def rows_without_id(flat: FlattenedBatch, position: int) -> list[object]:
    event = flat.verdicts[position].event
    rows: list[object] = []
    for _, (table, system, data) in sorted(rows_of_message(flat, position).items()):
        plain = {name: value for name, value in system.items() if name not in {"_event_id", "_extra"}}
        plain["_order"] = plain["_order"].replace(event, "event")
        verbatim = {cell: exact(str(data[cell])) for cell in data if cell[0] in {"parameters", "outputs"}}
        rows.append(
            (table, plain, exact(system["_extra"]), {**data, **verbatim} if table == "event" else data)
        )
    return rows
