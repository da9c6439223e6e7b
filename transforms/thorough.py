"""One message at a time, whatever it looks like: the thorough way."""

from typing import Final

from ..model.envelope import Envelope
from ..model.errors import MessageRejected
from ..model.verdict import Outcome, Reason, Verdict
from ..tables.types import ColumnTypes
from .encodings import open_body
from .numbers import legible
from .reading import read_context
from .rows import Row, Rows, rows_of
from .rules import FlattenRules

_SENTENCE: Final = 390
_PLACE: Final = 200
"""Characters of a verdict, at most: names out of a message may be of any length."""

SKIPPED = Verdict(Outcome.SKIPPED, sentence="the rules skip this message or table")
"""The verdict on a message that the rules leave out."""


def flatten_one(
    envelope: Envelope, types: ColumnTypes, rules: FlattenRules
) -> tuple[Verdict, tuple[Row, ...]]:
    """Return the verdict on a message, and its rows.

    Never raises: a message that cannot become rows is rejected.
    """
    try:
        found = _rows(envelope, types, rules)
    except MessageRejected as fault:
        sentence, where = legible(fault.sentence, _SENTENCE), legible(fault.where, _PLACE)
        return Verdict(Outcome.REJECTED, "", 0, fault.reason, sentence, where), ()
    except Exception as error:  # noqa: BLE001 - a fault of ours on one message must not stop the others
        sentence = f"the message could not be flattened ({type(error).__name__}); please report it"
        return Verdict.rejected(Reason.UNDECODABLE, sentence), ()
    if not found.rows:
        return SKIPPED, ()
    return Verdict(Outcome.COMMITTED, found.event, len(found.rows)), found.rows


def _rows(envelope: Envelope, types: ColumnTypes, rules: FlattenRules) -> Rows:
    limit = rules.limits.body_bytes
    if len(envelope.body) > limit:
        sentence = f"the body has {len(envelope.body)} bytes; the limit is {limit}"
        raise MessageRejected(Reason.TOO_LARGE, sentence)
    context = read_context(open_body(envelope.body, rules.limits).tree, rules)
    return Rows("", ()) if context is None else rows_of(context, envelope, types, rules)
