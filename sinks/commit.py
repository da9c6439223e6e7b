"""The rule of committing: every sink holds a flush before any message in it is settled."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from ..model import failpoints
from ..model.batch import FlattenedBatch
from ..model.counters import counters
from ..model.errors import BridgeError, ConfigError, NotPermitted, SinkUnavailable
from ..model.verdict import Disposition, DispositionBatch, Outcome, Reason, Verdict
from ..tables.columns import history_name
from ..tables.contract import Contracts
from ..tables.names import PARTY_TABLE
from ..tables.profile import Profile
from ..tables.schema import TableSchema
from .base import Claim, SchemaMoved, Sink
from .describing import united
from .holding import Backoff, Holding, OnHold, log_hold, stopping
from .pieces import numbers_of
from .plan import Plan, committed_rows, make_plan, outcomes, rules_of, touched
from .refused import RowsRefused
from .slot import Slot

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a flush is due.

    Attributes:
        rows: History rows gathered.
        messages: Messages gathered.
        size: Bytes gathered, bodies and Arrow columns together.
    """

    rows: int = 100_000
    messages: int = 20_000
    size: int = 128 * 1024 * 1024


def utc_now() -> int:
    """Return the instant, microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


class Committer:
    """Gathers flattened batches and makes them durable in every sink.

    It is used by one thread at a time.

    Args:
        sinks: At least one.  All of them hold a flush before it counts.
        limits: When a flush is due.
        clock: Gives the instant of a commit, microseconds since 1970 UTC.
        stop: When set, no sink is waited for any longer.
        on_hold: Told before each wait for a sink.
        backoff: How long to wait.
        accounted: Whether the envelopes are messages, whose ends ledger, quarantine and
            counters tell; rows that came by another way are not.
        contracts: What becomes of news about tables.
        claim: The start of a bridge that takes the sinks over; none takes nothing over.
        profile: Which columns tables show.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        limits: Limits | None = None,
        clock: Callable[[], int] = utc_now,
        stop: threading.Event = stopping,
        on_hold: OnHold = log_hold,
        backoff: Backoff | None = None,
        accounted: bool = True,
        contracts: Contracts | None = None,
        claim: Claim | None = None,
        profile: Profile = "native",
    ) -> None:
        if not sinks:
            raise ConfigError("A bridge needs at least one sink")
        self._slots: Final = [Slot(sink, claim) for sink in sinks]
        self._limits: Final = limits or Limits()
        self._clock = clock
        self._rules: Final = rules_of(sinks, contracts or Contracts(), profile, accounted=accounted)
        self._holding: Final = Holding(backoff or Backoff(), stop, on_hold)
        self._known: dict[str, TableSchema] = {}
        self._knows_parties = False
        self.clear()

    def clear(self) -> None:
        """Forget what was gathered since the last flush."""
        self._pending: list[FlattenedBatch] = []
        self._rows = self._messages = self._size = 0

    def add(self, flat: FlattenedBatch) -> None:
        """Gather a batch; nothing is written yet."""
        self._pending.append(flat)
        self._messages += len(flat.batch.envelopes)
        self._size += flat.batch.size
        for table in flat.tables:
            self._rows += table.records.num_rows
            self._size += table.records.nbytes

    @property
    def due(self) -> bool:
        """Whether enough is gathered to be worth a flush."""
        return (
            self._rows >= self._limits.rows
            or self._messages >= self._limits.messages
            or self._size >= self._limits.size
        )

    def flush(self) -> list[DispositionBatch]:
        """Make all that was gathered durable in every sink and say how each message ended.

        A sink that is away is waited for without end.  When this raises, what
        was gathered is kept, and nothing of it may be settled.

        Returns:
            One batch for each batch gathered, in their order; empty if there was none.

        Raises:
            SinkUnavailable: A stop was requested while a sink was away.
            NotPermitted: A sink refused us at first contact.
            ConfigError: The sinks disagree about the type of a column.
        """
        if not self._pending:
            return []
        plan = self._written()
        failpoints.reach("committed")
        self._count(plan)
        pairs = zip(self._pending, plan.verdicts, strict=True)
        dispositions = [_dispositions(flat, verdicts) for flat, verdicts in pairs]
        self.clear()
        return dispositions

    def close(self) -> None:
        """Close the writers; what was gathered and not flushed is forgotten."""
        self.clear()
        for slot in self._slots:
            slot.drop()

    def _written(self) -> Plan:
        attempt = 0
        refused: dict[int, Verdict] = {}
        while True:
            try:
                self._look_up({history_name(name): name for name in touched(self._pending)})
                self._look_up_parties()
                plan = make_plan(self._pending, self._known, self._clock(), self._rules, refused)
                self._write(plan)
            except SchemaMoved as moved:
                self._known.clear()
                self._wait("a sink", moved, attempt)
                attempt += 1
            except RowsRefused as error:
                refused |= self._refused(error, refused)
            else:
                self._known.update({schema.table: schema for schema in plan.schemas})
                return plan

    def _write(self, plan: Plan) -> None:
        """Stage in every sink before any commits, so that what one refuses stands in none."""
        for slot in self._slots:
            self._persist(slot, partial(slot.stage, plan))
        for slot in sorted(self._slots, key=lambda slot: not slot.sink.may_refuse):
            self._persist(slot, partial(slot.commit, plan))
            failpoints.reach("sink_committed")

    def _refused(self, error: RowsRefused, before: Mapping[int, Verdict]) -> dict[int, Verdict]:
        rows = {(row.table, row.event_id): row for row in error.rows}
        numbers = numbers_of(self._pending, rows)
        found = {
            number: Verdict.rejected(Reason.REFUSED, rows[row].sentence, rows[row].column)
            for row, number in numbers.items()
            if number not in before
        }
        if not found:
            raise error
        return found

    def _look_up_parties(self) -> None:
        """An emptied list touches the parties, though no row of theirs comes: look once."""
        if self._rules.states and not self._knows_parties:
            self._look_up({history_name(PARTY_TABLE): PARTY_TABLE})
            self._knows_parties = True

    def _look_up(self, tables: Mapping[str, str]) -> None:
        for history in sorted(tables.keys() - self._known.keys()):
            asks = [(slot, partial(slot.describe, history, tables[history])) for slot in self._slots]
            union = united(history, ((slot.sink.name, self._persist(slot, ask)) for slot, ask in asks))
            if union.columns:
                self._known[history] = union

    def _persist(self, slot: Slot, action: Callable[[], T]) -> T:
        attempt = 0
        while True:
            try:
                return action()
            except SchemaMoved:
                slot.drop()
                raise
            except (SinkUnavailable, NotPermitted) as error:
                slot.drop()
                if isinstance(error, NotPermitted) and not slot.met:
                    raise
                self._wait(slot.sink.name, error, attempt)
                attempt += 1

    def _wait(self, sink: str, error: BridgeError, attempt: int) -> None:
        counters.add("sink_retries")
        self._holding.wait(sink, error, attempt)

    def _count(self, plan: Plan) -> None:
        if self._rules.accounted:
            found = outcomes(plan)
            counters.add("committed", found[Outcome.COMMITTED])
            counters.add("skipped", found[Outcome.SKIPPED])
            counters.add("rejected", found[Outcome.REJECTED])
        counters.add("rows", committed_rows(plan))
        counters.add("flushes")


def _dispositions(flat: FlattenedBatch, verdicts: Sequence[Verdict]) -> DispositionBatch:
    return DispositionBatch(
        flat.batch.entity,
        tuple(
            Disposition(envelope.sequence_number, envelope.enqueued_at, envelope.lock_token, verdict)
            for envelope, verdict in zip(flat.batch.envelopes, verdicts, strict=True)
        ),
    )
