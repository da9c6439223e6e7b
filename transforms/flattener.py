"""The flattener: a micro-batch in, table batches and verdicts out."""

import logging
from collections.abc import Sequence

from ..model.batch import FlattenedBatch, TableBatch
from ..model.envelope import MicroBatch
from ..model.verdict import Outcome, Verdict
from ..tables.types import ColumnTypes
from .assembly import assemble, joined
from .compiled import IS_USED, Compiled
from .content_types import ContentTypes
from .gather import Gatherer
from .pool import Pool
from .pooled import harvested
from .rows import Row
from .rules import FlattenRules
from .slots import Slots
from .thorough import SKIPPED, flatten_one

_log = logging.getLogger(__name__)


class Flattener:
    """Turns bodies into rows of typed columns, exactly or not at all.

    Messages of the form Dataverse writes are read in bulk, all others one by
    one; the rows are the same.  What is remembered between batches decides
    only what is tried first, so a batch may be split, mixed or repeated.

    Args:
        types: What is known about columns.
        rules: What to skip, and what is too large.
    """

    def __init__(self, types: ColumnTypes | None = None, rules: FlattenRules | None = None) -> None:
        self._types = types or ColumnTypes()
        self._rules = rules or FlattenRules()
        self._content_types = ContentTypes()
        self._forget()

    def flatten(self, batch: MicroBatch) -> FlattenedBatch:
        """Return the rows of a batch, in no particular order, and one verdict per envelope.

        Never raises for what a message holds: such a message is rejected, and
        the others are as if it had not been there.
        """
        verdicts: dict[int, Verdict] = {}
        self._content_types.note(batch.envelopes)
        if any(slots.full for slots in self._slots):
            self._forget()
        tables = self._by_machine(batch, verdicts)
        others, rest = self._in_bulk(batch, verdicts)
        tables = joined(tables, others) if others else tables
        made: list[tuple[int, Row]] = []
        for position in rest:
            verdicts[position], rows = flatten_one(batch.envelopes[position], self._types, self._rules)
            made.extend((position, row) for row in rows)
        if made:
            tables = joined(tables, assemble(made))
        return FlattenedBatch(
            batch, tuple(tables), tuple(verdicts[position] for position in range(len(batch.envelopes)))
        )

    def _by_machine(self, batch: MicroBatch, verdicts: dict[int, Verdict]) -> list[TableBatch]:
        """Flatten what the compiled engine reads, where there is one; return its tables."""
        if self._compiled is None:
            return []
        try:
            tables, events = self._compiled.read(batch)
        except Exception:  # noqa: BLE001 - a fault of ours on one message must not stop the others
            _log.exception("the compiled engine failed; the batch is read without it")
            self._forget()
            return []
        for position, event in enumerate(events):
            if event is not None:
                verdicts[position] = Verdict(Outcome.COMMITTED, event, 1) if event else SKIPPED
        return tables

    def _in_bulk(
        self, batch: MicroBatch, verdicts: dict[int, Verdict]
    ) -> tuple[Sequence[TableBatch], list[int]]:
        """Flatten familiar messages; return their tables, and the positions of all others."""
        positions = [position for position in range(len(batch.envelopes)) if position not in verdicts]
        if not positions:
            return [], []
        pool = Pool()
        try:
            known = self._gatherer.gather(
                pool, [(position, batch.envelopes[position]) for position in positions]
            )
            tables, left_out = harvested(pool, self._slots[0], self._rules.limits, batch)
        except Exception:  # noqa: BLE001 - a fault of ours on one message must not stop the others
            _log.exception("flattening in bulk failed; the batch is read message by message")
            self._forget()
            return [], positions
        for position in known.keys() - set(left_out):
            event = known[position]
            verdicts[position] = SKIPPED if event is None else Verdict(Outcome.COMMITTED, event, 1)
        return tables, [position for position in positions if position not in verdicts]

    def _forget(self) -> None:
        self._slots = (Slots(self._types), Slots(self._types))
        self._gatherer = Gatherer(self._slots[0], self._rules)
        self._compiled = Compiled(self._slots[1], self._rules) if IS_USED else None
