"""Which of the messages just received go on, and which dispositions are to be settled."""

import logging
from collections.abc import Sequence

import msgspec

from ..model.counters import counters
from ..model.verdict import Disposition, Outcome
from .address import Address
from .caution import Caution
from .convert import Received
from .plan import Again, ReadPlan
from .progress import Progress
from .settler import Settler
from .staying import REASON_NOW

_log = logging.getLogger(__name__)


class Sifting:
    """The rules of one link.  Used by the link's thread alone."""

    def __init__(
        self, entity: str, plan: ReadPlan, progress: Progress, settler: Settler, caution: Caution
    ) -> None:
        self._entity = entity
        self._plan = plan
        self._progress = progress
        self._settler = settler
        self._dead_letters = Address.parse(entity).dead_letters
        self._caution = None if self._dead_letters or plan.numbers else caution
        self._warned = False

    def at_once(self, asked: int) -> int:
        """Return how many of the messages asked for may be received now."""
        return asked if self._caution is None else self._caution.ask(asked)

    def ended(self, count: int) -> None:
        """Note messages that are held no more."""
        if self._caution is not None:
            self._caution.ended(count)

    def sift(self, found: Sequence[Received]) -> Sequence[Received]:
        """Return the messages that go on; the others stay where they are, or go back to their places."""
        if self._dead_letters or not self._plan.selection.everything:
            found = self._selected(found)
        return found if self._caution is None else self._in_safe_company(found, self._caution)

    def _selected(self, found: Sequence[Received]) -> Sequence[Received]:
        taken, passed = [], []
        for item in found:
            known = self._progress.left(item.envelope.sequence_number)
            if not known and self._plan.selection.takes(item.envelope):
                taken.append(_renamed(item))
                continue
            passed.append(item)
            if not known:
                counters.add("passed_by")
                self._progress.leave(item.envelope.sequence_number)
        if passed:
            self._settler.let_stay(passed)
        return taken

    def _in_safe_company(self, found: Sequence[Received], caution: Caution) -> Sequence[Received]:
        """Return the first messages, fewer the more often one of them has failed already."""
        admitted = caution.admit([item.envelope.delivery_count for item in found])
        if caution.careful and not self._warned:
            _log.warning(
                "messages of %s have failed often already: few of them are under way together", self._entity
            )
        self._warned = caution.careful
        if admitted < len(found):
            self._settler.refuse(found[admitted:])
        return found[:admitted]

    def to_settle(self, dispositions: tuple[Disposition, ...]) -> tuple[Disposition, ...]:
        """Return what is to be settled; dead letters that were rejected again stay dead letters."""
        if not self._dead_letters:
            return dispositions
        rejected = [item for item in dispositions if item.verdict.outcome is Outcome.REJECTED]
        if rejected and self._plan.again is Again.DEFER:
            self._settler.defer(rejected)
        elif rejected:
            for item in rejected:
                self._progress.leave(item.sequence_number)
            self._settler.stay(rejected)
        return tuple(item for item in dispositions if item.verdict.outcome is not Outcome.REJECTED)


def _renamed(item: Received) -> Received:
    """Name a dead letter that was rejected again by the delivery too.

    Each time it is judged it ends anew, and a ledger keeps one end for each name.
    """
    envelope = item.envelope
    if REASON_NOW not in envelope.properties:
        return item
    name = f"{envelope.entity}#{envelope.delivery_count}"
    return item._replace(envelope=msgspec.structs.replace(envelope, entity=name))
