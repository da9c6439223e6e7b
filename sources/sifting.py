"""Which of the messages just received go on, and which dispositions are to be settled."""

import logging
from collections.abc import Sequence

from ..model.counters import counters
from ..model.verdict import Disposition, Outcome
from .address import Address
from .config import ServiceBusSource
from .convert import Received
from .pace import safe_number
from .plan import Again, ReadPlan
from .progress import Progress
from .settler import Settler

_log = logging.getLogger(__name__)


class Sifting:
    """The rules of one link.  Used by the link's thread alone."""

    def __init__(
        self, source: ServiceBusSource, entity: str, plan: ReadPlan, progress: Progress, settler: Settler
    ) -> None:
        self._source = source
        self._entity = entity
        self._plan = plan
        self._progress = progress
        self._settler = settler
        self._dead_letters = Address.parse(entity).dead_letters
        self._together = source.batch

    def at_once(self, held: int) -> int:
        """Return how many messages to ask for, 0 while those that failed often are under way."""
        if self._together < self._source.batch and held:
            return 0
        return self._together

    def sift(self, found: Sequence[Received]) -> Sequence[Received]:
        """Return the messages that go on; the others stay where they are, or go back to their places."""
        if self._dead_letters or not self._plan.selection.everything:
            return self._selected(found)
        return self._in_safe_company(found)

    def _selected(self, found: Sequence[Received]) -> Sequence[Received]:
        taken, passed = [], []
        for item in found:
            known = self._progress.left(item.envelope.sequence_number)
            if not known and self._plan.selection.takes(item.envelope):
                taken.append(item)
                continue
            passed.append(item)
            if not known:
                counters.add("passed_by")
                self._progress.leave(item.envelope.sequence_number)
        if passed:
            self._settler.let_stay(passed)
        return taken

    def _in_safe_company(self, found: Sequence[Received]) -> Sequence[Received]:
        """Return the first messages, fewer the more often one of them has failed already."""
        if not found:
            return found
        worst = max(item.envelope.delivery_count for item in found)
        together = safe_number(worst, self._source.max_deliveries, self._source.batch)
        if together < self._together:
            _log.warning(
                "messages of %s have failed %d times already: at most %d of them are under way together",
                self._entity,
                worst,
                together,
            )
        self._together = together
        if len(found) > together:
            self._settler.refuse(found[together:])
        return found[:together]

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
