"""The flattener: a micro-batch in, table batches and verdicts out."""

from ..model.batch import FlattenedBatch
from ..model.envelope import Envelope, MicroBatch
from ..model.errors import MessageRejected
from ..model.verdict import Outcome, Reason, Verdict
from ..tables.types import ColumnTypes
from .assembly import assemble
from .encodings import recognise
from .json_context import read_context
from .rows import Row, Rows, rows
from .rules import FlattenRules


class Flattener:
    """Turns bodies into rows of typed columns, exactly or not at all.

    It keeps nothing between batches, so a batch may be split or repeated and
    gives the same rows.

    Args:
        types: What is known about columns.
        rules: What to skip, and what is too large.
    """

    def __init__(self, types: ColumnTypes | None = None, rules: FlattenRules | None = None) -> None:
        self._types = types or ColumnTypes()
        self._rules = rules or FlattenRules()

    def flatten(self, batch: MicroBatch) -> FlattenedBatch:
        """Return the rows of a batch, and one verdict per envelope.

        Never raises for what a message holds: such a message is rejected, and
        the others are as if it had not been there.
        """
        verdicts: list[Verdict] = []
        made: list[tuple[int, Row]] = []
        for position, envelope in enumerate(batch.envelopes):
            verdict, found = self._one(envelope)
            verdicts.append(verdict)
            made.extend((position, row) for row in found)
        return FlattenedBatch(batch, assemble(made), tuple(verdicts))

    def _one(self, envelope: Envelope) -> tuple[Verdict, tuple[Row, ...]]:
        try:
            found = self._rows(envelope)
        except MessageRejected as fault:
            return Verdict(
                Outcome.REJECTED, reason=fault.reason, sentence=fault.sentence, where=fault.where
            ), ()
        except Exception as error:  # noqa: BLE001 - a fault of ours on one message must not stop the others
            sentence = f"the message could not be flattened ({type(error).__name__}); please report it"
            return Verdict.rejected(Reason.UNDECODABLE, sentence), ()
        if not found.rows:
            return Verdict(Outcome.SKIPPED, sentence="the rules skip this message or table"), ()
        return Verdict(Outcome.COMMITTED, found.event, len(found.rows)), found.rows

    def _rows(self, envelope: Envelope) -> Rows:
        limit = self._rules.limits.body_bytes
        if len(envelope.body) > limit:
            sentence = f"the body has {len(envelope.body)} bytes; the limit is {limit}"
            raise MessageRejected(Reason.TOO_LARGE, sentence)
        context = read_context(recognise(envelope.body), self._rules)
        return rows(context, envelope, self._types, self._rules)
