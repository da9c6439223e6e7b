"""Table batches of a pool: the data of a harvest, with the columns every row has beside it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ..model.batch import TableBatch
from ..model.envelope import MicroBatch
from ..tables.columns import FLATTENED, TIMESTAMP
from ..tables.order import order_key
from .harvest import Harvest, Unfit
from .pool import Pool, Seed
from .slots import Slots


def harvested(pool: Pool, slots: Slots, batch: MicroBatch) -> tuple[list[TableBatch], list[int]]:
    """Return the tables of a pool, and the positions of messages that are not in them.

    A row that does not fit takes no other with it: it is taken out, and the
    rest is read again.
    """
    left_out: list[int] = []
    while pool.seeds:
        try:
            harvest = Harvest(pool, slots)
        except Unfit as unfit:
            left_out.extend(pool.seeds[row].position for row in unfit.rows)
            pool = pool.without(unfit.rows)
        else:
            return [_table(harvest, table, pool, slots, batch) for table in harvest.grid.tables()], left_out
    return [], left_out


def _table(harvest: Harvest, table: int, pool: Pool, slots: Slots, batch: MicroBatch) -> TableBatch:
    rows = harvest.grid.rows(table)
    seeds = [pool.seeds[row] for row in rows.tolist()]
    occurred = harvest.occurred[rows]
    columns = _system(seeds, occurred, batch)
    columns |= dict(sorted(harvest.columns[table].items()))
    records = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    return TableBatch(
        slots.table_names[table], records, pa.array([seed.position for seed in seeds], pa.int32())
    )


def _system(seeds: Sequence[Seed], occurred: np.ndarray, batch: MicroBatch) -> dict[str, pa.Array]:
    envelopes = [batch.envelopes[seed.position] for seed in seeds]
    count = len(seeds)
    events = [f"{seed.event}-0" for seed in seeds]
    orders = [
        order_key(at, seed.op, envelope.sequence_number, event)
        for at, seed, envelope, event in zip(occurred.tolist(), seeds, envelopes, events, strict=True)
    ]
    values = {
        "Id": [seed.id for seed in seeds],
        "IsDelete": [seed.op == "delete" for seed in seeds],
        "_event_id": events,
        "_op": [seed.op for seed in seeds],
        "_message": [seed.message for seed in seeds],
        "_order": orders,
        "_changed": [seed.sent for seed in seeds],
        "_extra": pa.nulls(count, pa.string()),
        "_truncated": pa.repeat(pa.scalar(False), count),
        "_occurred_at": pa.array(occurred).cast(TIMESTAMP),
        "_correlation_id": [seed.correlation_id for seed in seeds],
        "_operation_id": [seed.operation_id for seed in seeds],
        "_user_id": [seed.user_id for seed in seeds],
        "_initiating_user_id": [seed.initiating_user_id for seed in seeds],
        "_organization": [seed.organization for seed in seeds],
        "_depth": [seed.depth for seed in seeds],
        "_entity": [envelope.entity for envelope in envelopes],
        "_sequence_number": [envelope.sequence_number for envelope in envelopes],
        "_message_id": [envelope.message_id or None for envelope in envelopes],
        "_enqueued_at": [envelope.enqueued_at or None for envelope in envelopes],
        "_received_at": [envelope.received_at or None for envelope in envelopes],
    }
    return {
        name: held if isinstance(held, pa.Array) else pa.array(held, FLATTENED[name])
        for name, held in values.items()
    }
