"""Does the sum hold?  What was received, against what the sinks say and hold.

Run it on a bridge at rest: on one at work, messages between a sink's history
and its ledger, or between two sinks, look like faults.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ..model.verdict import Outcome
from ..tables.columns import TIMESTAMP
from ..tables.hydration import hydration_ids
from . import ledger, quarantine
from .base import SinkReader

Received = tuple[str, int, int]
"""A message: entity, sequence number, enqueued at in microseconds since 1970 UTC."""

_KEY: Final = list(ledger.KEY)
_PIECE: Final = 65_536


@dataclass(frozen=True, slots=True)
class SinkAudit:
    """What one sink says, and whether it holds what it says.

    Attributes:
        committed: Messages its ledger calls committed.
        skipped: Messages its ledger calls skipped.
        rejected: Messages its ledger calls rejected.
        missing: Events its ledger promises and no history holds.
        unexplained: Events in a history that no message in the ledger became, nor the
            hydration of a truncated row.
        quarantine_missing: Rejected messages that are not in quarantine.
        truncated: Rows that can be read again from Dataverse because their message was cut.
        hydrated: Truncated rows that have been.
        rows: Distinct events by history table, quarantine under ``_quarantine``.
    """

    committed: int
    skipped: int
    rejected: int
    missing: int
    unexplained: int
    quarantine_missing: int
    truncated: int
    hydrated: int
    rows: Mapping[str, int]

    @property
    def holds(self) -> bool:
        """Whether the sink holds exactly what its ledger says."""
        return not (self.missing or self.unexplained or self.quarantine_missing)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The sum and its parts.

    Attributes:
        received: Distinct messages received, or ``None`` if that is not known.
        committed: Messages committed, skipped and rejected, by all ledgers together.
        skipped: See above.
        rejected: See above.
        in_flight: Messages received that no ledger knows; 0 if not known.
        unreceived: Messages in a ledger that were not received; 0 if not known.
        differences: Messages that do not end alike in all sinks, and events
            that are not in all sinks.
        lost: Messages settled on the broker that some ledger does not know; 0 if not known.
        sinks: Name of the sink to what it says.
    """

    received: int | None
    committed: int
    skipped: int
    rejected: int
    in_flight: int = 0
    unreceived: int = 0
    differences: int = 0
    lost: int = 0
    sinks: Mapping[str, SinkAudit] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Events promised and not held, over all sinks."""
        return sum(sink.missing for sink in self.sinks.values())

    @property
    def unexplained(self) -> int:
        """Events held that no message became, over all sinks."""
        return sum(sink.unexplained for sink in self.sinks.values())

    @property
    def quarantine_missing(self) -> int:
        """Rejected messages not in quarantine, over all sinks."""
        return sum(sink.quarantine_missing for sink in self.sinks.values())

    @property
    def holds(self) -> bool:
        """Whether received = committed + skipped + rejected, and every sink holds what it says."""
        sums = not (self.in_flight or self.unreceived or self.differences or self.lost)
        return sums and all(sink.holds for sink in self.sinks.values())

    def lines(self) -> list[str]:
        """Return the report for people, the verdict last."""
        ended = self.committed + self.skipped + self.rejected
        parts = f"{self.committed:,} committed + {self.skipped:,} skipped + {self.rejected:,} rejected"
        sum_line = f"{parts} = {ended:,}"
        if self.received is not None:
            sum_line = f"received {self.received:,}; {sum_line}"
        faults = {
            "received, but in no ledger (still in flight)": self.in_flight,
            "in a ledger, but not received": self.unreceived,
            "differences between the sinks": self.differences,
            "LOST: settled on the broker, but not in every ledger": self.lost,
        }
        lines = [sum_line, *(f"{count:,} {what}" for what, count in faults.items() if count)]
        for name, sink in self.sinks.items():
            lines += [f"{name}: {line}" for line in _sink_lines(sink)]
        return [*lines, "The sum holds" if self.holds else "The sum does NOT hold"]


def audit(
    received: Iterable[Received] | None,
    readers: Mapping[str, SinkReader],
    *,
    settled: Iterable[Received] | None = None,
) -> AuditReport:
    """Compare what was received with the ledgers, and the ledgers with what the sinks hold.

    Needs about 100 bytes of memory for a message or event.

    Args:
        received: Every message received, repeats allowed; ``None`` if not known.
        readers: At least one: name of the sink to its reader.
        settled: Every message settled on the broker, likewise.

    Raises:
        SinkUnavailable: A sink cannot be read.
    """
    endings: dict[str, pa.Table] = {}
    events: dict[str, pa.Array] = {}
    sinks: dict[str, SinkAudit] = {}
    for name, reader in readers.items():
        endings[name] = _endings(reader)
        events[name] = _distinct(ids for _, ids in reader.event_ids())
        answers = _distinct(hydration_ids(cut.column("_event_id")) for _, cut in reader.truncated())
        sinks[name] = _audited(endings[name], events[name], answers, reader.rows())
    union = _distinct_keys(pa.concat_tables(endings.values()))
    counts = _counts(union)
    arrived = None if received is None else _received_table(received)
    gone = _received_table(settled or ())
    return AuditReport(
        received=None if arrived is None else arrived.num_rows,
        committed=counts[Outcome.COMMITTED],
        skipped=counts[Outcome.SKIPPED],
        rejected=counts[Outcome.REJECTED],
        in_flight=0 if arrived is None else _lacking(arrived, union, _KEY),
        unreceived=0 if arrived is None else _lacking(union, arrived, _KEY),
        differences=_differences(list(endings.values()), list(events.values())),
        lost=max(_lacking(gone, ending, _KEY) for ending in endings.values()),
        sinks=sinks,
    )


def _endings(reader: SinkReader) -> pa.Table:
    columns = [*_KEY, "disposition", "event", "rows"]
    empty = ledger.SCHEMA.empty_table().select(columns)
    return _distinct_keys(pa.concat_tables([empty, *(piece.select(columns) for piece in reader.ledger())]))


def _distinct_keys(endings: pa.Table) -> pa.Table:
    rest = [name for name in endings.column_names if name not in _KEY]
    grouped = endings.group_by(_KEY, use_threads=False).aggregate([(name, "first") for name in rest])
    return grouped.rename_columns([name.removesuffix("_first") for name in grouped.column_names])


def _audited(endings: pa.Table, held: pa.Array, answers: pa.Array, rows: Mapping[str, int]) -> SinkAudit:
    counts = _counts(endings)
    promised = _promised(endings)
    rejected = counts[Outcome.REJECTED]
    return SinkAudit(
        committed=counts[Outcome.COMMITTED],
        skipped=counts[Outcome.SKIPPED],
        rejected=rejected,
        missing=_outside(promised, held),
        unexplained=_outside(held, pa.concat_arrays([promised, answers])),
        quarantine_missing=max(0, rejected - rows.get(quarantine.TABLE, 0)),
        truncated=len(answers),
        hydrated=len(answers) - _outside(answers, held),
        rows=rows,
    )


def _counts(endings: pa.Table) -> dict[str, int]:
    counts = dict.fromkeys(map(str, Outcome), 0)
    for entry in pc.value_counts(endings.column("disposition")).to_pylist():
        counts[entry["values"]] = entry["counts"]
    return counts


def _promised(endings: pa.Table) -> pa.Array:
    committed = endings.filter(pc.equal(endings.column("disposition"), str(Outcome.COMMITTED)))
    most = pc.max(committed.column("rows")).as_py() or 0
    return _distinct(_ids_at(committed, ordinal) for ordinal in range(most))


def _ids_at(committed: pa.Table, ordinal: int) -> pa.Array:
    having = committed.filter(pc.greater(committed.column("rows"), ordinal)).column("event")
    return pc.binary_join_element_wise(having, str(ordinal), "-").combine_chunks()


def _distinct(pieces: Iterable[pa.Array]) -> pa.Array:
    return pc.unique(pa.chunked_array(list(pieces), pa.string()))


def _outside(these: pa.Array, those: pa.Array) -> int:
    """How many of these are not among those."""
    inside = pc.sum(pc.is_in(these, those)).as_py() or 0
    return len(these) - inside


def _lacking(these: pa.Table, those: pa.Table, keys: Sequence[str]) -> int:
    """How many rows of these have no equal among those."""
    left, right = these.select(keys), those.select(keys)
    return left.join(right, keys=list(keys), join_type="left anti", use_threads=False).num_rows


def _received_table(received: Iterable[Received]) -> pa.Table:
    schema = pa.schema([("entity", pa.string()), ("sequence_number", pa.int64()), ("enqueued_at", TIMESTAMP)])
    pieces = [schema.empty_table()]
    for rows in _pieces(received):
        columns = zip(*rows, strict=True)
        arrays = [pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)]
        pieces.append(pa.Table.from_arrays(arrays, schema=schema))
    return _distinct_keys(pa.concat_tables(pieces))


def _pieces(received: Iterable[Received]) -> Iterator[list[Received]]:
    rest = iter(received)
    while piece := list(islice(rest, _PIECE)):
        yield piece


def _differences(endings: Sequence[pa.Table], events: Sequence[pa.Array]) -> int:
    """Messages and events in which any sink differs from the first, counted a sink."""
    found = 0
    whole = [*_KEY, "disposition"]
    for other, ids in zip(endings[1:], events[1:], strict=True):
        found += max(_lacking(endings[0], other, whole), _lacking(other, endings[0], whole))
        found += _outside(events[0], ids) + _outside(ids, events[0])
    return found


def _sink_lines(sink: SinkAudit) -> Iterator[str]:
    tables = ", ".join(f"{table} {count:,}" for table, count in sorted(sink.rows.items()))
    yield f"{sink.committed:,} committed, {sink.skipped:,} skipped, {sink.rejected:,} rejected; {tables}"
    if sink.truncated:
        yield f"{sink.truncated:,} truncated, {sink.hydrated:,} of them hydrated"
    faults = {
        "events in its ledger are in no history": sink.missing,
        "events in its histories are in no ledger": sink.unexplained,
        "rejected messages are not in quarantine": sink.quarantine_missing,
    }
    yield from (f"{count:,} {what}" for what, count in faults.items() if count)
