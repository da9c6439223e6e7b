"""The compiled engine: familiar messages read by machine code, to the same tables.

``cdsbridge-engine`` (the folder ``engine``) is a package of its own, which not every machine has.
What it reads it reads exactly; every other message it leaves, and that is read as if
there were no engine.  ``CDSBRIDGE_COMPILED=0`` in the environment turns it off.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ..model.batch import TableBatch
from ..model.envelope import Envelope, MicroBatch
from ..tables.columns import FLATTENED, TIMESTAMP
from ..tables.names import label_name, target_name
from ..tables.order import order_keys
from ..tables.types import ARROW, Kind
from .forms import OF_KIND, Form
from .gather import is_whole, largest, plan_of
from .rules import FlattenRules, Limits
from .slots import Slots

try:
    import cdsbridge_engine
except ImportError:
    is_installed = False
else:
    is_installed = True

IS_USED: Final = is_installed and os.environ.get("CDSBRIDGE_COMPILED", "1") != "0"
"""Whether messages are read by the engine in this process."""

_OPS: Final = ("create", "update", "delete")
_MOST_BYTES: Final = 1 << 30
_ARROW: Final[Mapping[int, pa.DataType]] = {
    OF_KIND[kind]: ARROW[kind] for kind in Kind if OF_KIND[kind] > Form.ODD
}
_TEXTS: Final = (
    "Id",
    "_event_id",
    "_message",
    "_correlation_id",
    "_operation_id",
    "_user_id",
    "_initiating_user_id",
    "_organization",
    "_changed",
)

Buffers = tuple[bytes | None, bytes | None, bytes]
"""Validity, offsets and data, as Arrow lays them out."""


class Compiled:
    """Reads familiar messages by the compiled engine; not for two threads at once.

    Args:
        slots: What has been seen of columns; the engine's alone.
        rules: What to skip, and what is too large.
    """

    def __init__(self, slots: Slots, rules: FlattenRules) -> None:
        self._slots = slots
        self._rules = rules
        self._engine = cdsbridge_engine.Engine(
            self._plan,
            slots.learnt,
            lambda table, alias: rules.images.of(table).count(alias),
            attributes=rules.limits.attributes,
            columns=rules.limits.columns,
        )

    def read(self, batch: MicroBatch) -> tuple[list[TableBatch], list[str | None]]:
        """Return the tables of a batch, and of each message the identity of its event.

        That is the empty string where the rules skip the message, and ``None``
        where it must be read otherwise.

        Raises:
            RuntimeError: The engine failed; it is not to be used again.
        """
        envelopes = batch.envelopes
        bodies = _whole_bodies(envelopes, self._rules.limits)
        events, found = self._engine.read(bodies)
        delivered = _delivered(batch) if found else {}
        tables = []
        for number, positions, ops, occurred, depths, texts, columns in found:
            places = _numbers(pa.int32(), positions)
            data = self._data(number, len(places), columns)
            if data is None:
                for position in places.to_pylist():
                    events[position] = None
                continue
            system = _system(places, ops, occurred, depths, texts, delivered)
            records = pa.RecordBatch.from_arrays([*system, *data.values()], names=[*FLATTENED, *data])
            tables.append(TableBatch(self._slots.table_names[number], records, places))
        return tables, events

    def _plan(
        self, message: str, table: str
    ) -> tuple[bool, int, str, list[tuple[str, str]], int, str] | None:
        plan = plan_of(message, table.lower(), self._rules, self._slots)
        if plan is None:
            return None
        meaning = plan.meaning
        columns = list(meaning.columns.items())
        return plan.taken, _OPS.index(meaning.op), meaning.target, columns, max(plan.number, 0), plan.table

    def _data(
        self,
        table: int,
        rows: int,
        columns: Sequence[tuple[int, int, Buffers, Buffers | None, Buffers | None]],
    ) -> dict[str, pa.Array] | None:
        """Return the data columns by name, in order; ``None`` if two columns would have one name."""
        found: dict[str, pa.Array] = {}
        for code, form, own, labels, targets in columns:
            key = self._slots.names[code]
            found[key] = _array(_ARROW[form], rows, own)
            for beside, name in ((labels, label_name(key)), (targets, target_name(key))):
                if beside is None:
                    continue
                if self._slots.knows(table, name):
                    return None
                found[name] = _array(pa.string(), rows, beside)
        return dict(sorted(found.items()))


def _whole_bodies(envelopes: Sequence[Envelope], limits: Limits) -> list[bytes | None]:
    """Return the bodies of messages that may be familiar, and ``None`` for each of the others."""
    lengths = [len(envelope.body) for envelope in envelopes]
    if sum(lengths) > _MOST_BYTES:
        return [None] * len(envelopes)
    propertied = [1 for envelope in envelopes if envelope.properties]
    if not propertied and max(lengths, default=0) <= largest(limits):
        return [envelope.body for envelope in envelopes]
    return [envelope.body if is_whole(envelope, limits) else None for envelope in envelopes]


def _system(
    places: pa.Int32Array,
    ops: bytes,
    occurred: bytes,
    depths: bytes,
    texts: Sequence[Buffers],
    delivered: Mapping[str, pa.Array],
) -> Iterator[pa.Array]:
    """Yield the columns beside the data."""
    rows = len(places)
    told = dict(zip(_TEXTS, (_array(pa.string(), rows, each) for each in texts), strict=True))
    instants = _numbers(pa.int64(), occurred)
    op = pa.array(_OPS).take(_numbers(pa.uint8(), ops))
    events = pc.binary_join_element_wise(told["_event_id"], "0", "-")
    here = {name: column.take(places) for name, column in delivered.items()}
    values = {
        **told,
        **here,
        "_event_id": events,
        "IsDelete": pc.equal(op, "delete"),
        "_op": op,
        "_order": order_keys(instants, op, here["_sequence_number"], events),
        "_extra": pa.nulls(rows, pa.string()),
        "_truncated": pa.repeat(pa.scalar(False), rows),
        "_occurred_at": instants.cast(TIMESTAMP),
        "_depth": _numbers(pa.int64(), depths),
    }
    return (values[name] for name in FLATTENED)


def _delivered(batch: MicroBatch) -> dict[str, pa.Array]:
    """Return the columns that tell of the delivery, a row a message."""
    envelopes = batch.envelopes
    values = {
        "_entity": [envelope.entity for envelope in envelopes],
        "_sequence_number": [envelope.sequence_number for envelope in envelopes],
        "_message_id": [envelope.message_id or None for envelope in envelopes],
        "_enqueued_at": [envelope.enqueued_at or None for envelope in envelopes],
        "_received_at": [envelope.received_at or None for envelope in envelopes],
    }
    return {name: pa.array(column, FLATTENED[name]) for name, column in values.items()}


def _array(kind: pa.DataType, rows: int, buffers: Buffers) -> pa.Array:
    validity, offsets, data = (each if each is None else pa.py_buffer(each) for each in buffers)
    laid_out = [validity, data] if offsets is None else [validity, offsets, data]
    return pa.Array.from_buffers(kind, rows, laid_out)


def _numbers(kind: pa.DataType, data: bytes) -> pa.Array:
    return pa.Array.from_buffers(kind, len(data) * 8 // kind.bit_width, [None, pa.py_buffer(data)])
