"""Table batches of a pool: the data of a harvest, with the columns every row has beside it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..model.batch import TableBatch
from ..model.envelope import MicroBatch
from ..tables.columns import FLATTENED, TIMESTAMP
from ..tables.order import order_keys
from .entries import Unfit
from .harvest import Harvest
from .pool import Pool, Seed
from .rules import Limits
from .slots import Slots


def harvested(
    pool: Pool, slots: Slots, limits: Limits, batch: MicroBatch
) -> tuple[list[TableBatch], list[int]]:
    """Return the tables of a pool, and the positions of messages that are not in them.

    A row that does not fit takes no other with it.
    """
    left_out: list[int] = []
    while pool.seeds:
        try:
            harvest = Harvest(pool, slots, limits)
        except Unfit as unfit:
            left_out.extend(pool.seeds[row].position for row in unfit.rows)
            pool = pool.without(unfit.rows)
        else:
            left_out.extend(pool.seeds[row].position for row in harvest.unfit)
            return _tables(harvest, pool, slots, batch), left_out
    return [], left_out


def _tables(harvest: Harvest, pool: Pool, slots: Slots, batch: MicroBatch) -> list[TableBatch]:
    order = harvest.grid.order
    seeds = [pool.seeds[row] for row in order.tolist()]
    system = _system(seeds, harvest, batch)
    positions = pa.array([seed.position for seed in seeds], pa.int32())
    fit = pa.array(np.isin(order, list(harvest.unfit), invert=True)) if harvest.unfit else None
    tables = []
    for table, start, size in harvest.grid.tables():
        data = sorted(harvest.columns[table].items())
        records = pa.RecordBatch.from_arrays(
            [*(column.slice(start, size) for column in system), *(column for _, column in data)],
            names=[*FLATTENED, *(name for name, _ in data)],
        )
        found = TableBatch(slots.table_names[table], records, positions.slice(start, size))
        if fit is not None:
            found = _only(found, fit.slice(start, size))
        if found.records.num_rows:
            tables.append(found)
    return tables


def _only(batch: TableBatch, fit: pa.Array) -> TableBatch:
    """Return some rows of a table batch; data columns that are only null then are left out."""
    records = batch.records.filter(fit)
    held = [
        index
        for index, column in enumerate(records.columns)
        if index < len(FLATTENED) or column.null_count < len(column)
    ]
    return TableBatch(batch.table, records.select(held), batch.positions.filter(fit))


def _system(seeds: Sequence[Seed], harvest: Harvest, batch: MicroBatch) -> list[pa.Array]:
    """Return the columns beside the data, of rows in the order of their tables."""
    envelopes = [batch.envelopes[seed.position] for seed in seeds]
    order = pa.array(harvest.grid.order)
    occurred = pa.array(harvest.occurred).take(order)
    ops = pa.array([seed.op for seed in seeds], pa.string())
    events = pc.binary_join_element_wise(pa.array([seed.event for seed in seeds], pa.string()), "0", "-")
    numbers = pa.array([envelope.sequence_number for envelope in envelopes], pa.int64())
    values = {
        "Id": [seed.id for seed in seeds],
        "IsDelete": pc.equal(ops, "delete"),
        "_event_id": events,
        "_op": ops,
        "_message": [seed.message for seed in seeds],
        "_order": order_keys(occurred, ops, numbers, events),
        "_changed": harvest.sent.take(order),
        "_extra": pa.nulls(len(seeds), pa.string()),
        "_truncated": pa.repeat(pa.scalar(False), len(seeds)),
        "_occurred_at": occurred.cast(TIMESTAMP),
        "_correlation_id": [seed.correlation_id for seed in seeds],
        "_operation_id": [seed.operation_id for seed in seeds],
        "_user_id": [seed.user_id for seed in seeds],
        "_initiating_user_id": [seed.initiating_user_id for seed in seeds],
        "_organization": [seed.organization for seed in seeds],
        "_depth": [seed.depth for seed in seeds],
        "_entity": [envelope.entity for envelope in envelopes],
        "_sequence_number": numbers,
        "_message_id": [envelope.message_id or None for envelope in envelopes],
        "_enqueued_at": [envelope.enqueued_at or None for envelope in envelopes],
        "_received_at": [envelope.received_at or None for envelope in envelopes],
    }
    return [
        values[name] if isinstance(values[name], pa.Array) else pa.array(values[name], kind)
        for name, kind in FLATTENED.items()
    ]
