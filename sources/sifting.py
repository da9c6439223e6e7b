"""Which of the messages just received go on, and which dispositions are to be settled."""

import logging
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from ..model.counters import counters
from ..model.envelope import Envelope
from ..model.verdict import Disposition, Outcome, Verdict
from .address import Address
from .caution import Caution
from .choice import Choice, choose
from .convert import Received
from .plan import Again, ReadPlan
from .progress import Progress
from .settler import Settler
from .staying import REASON_NOW
from .trials import Name, Trials, name_of
from .unlocked import Gone, Unlocked

_log = logging.getLogger(__name__)

PAUSE: Final = 1.0
"""Seconds between two looks whether anything but suspects is there."""


class Handing(NamedTuple):
    """What is needed to work on messages without a lock."""

    trials: Trials
    unlocked: Unlocked


class Sifted(NamedTuple):
    """What becomes of messages just received; the others stay where they are, or are back in their places.

    Attributes:
        going: They go on; those without a lock token are handed back already.
        ended: They have ended before, and are to be settled so.
    """

    going: Sequence[Received]
    ended: Sequence[tuple[Received, Verdict]] = ()


class Sifting:
    """The rules of one link.  Used by the link's thread alone."""

    def __init__(
        self,
        entity: str,
        plan: ReadPlan,
        progress: Progress,
        settler: Settler,
        caution: Caution,
        handing: Handing | None = None,
    ) -> None:
        """Use what is given; without ``handing`` everything stays under lock while it is worked on."""
        self._entity = entity
        self._plan = plan
        self._progress = progress
        self._settler = settler
        self._dead_letters = Address.parse(entity).dead_letters
        self._caution = None if self._dead_letters or plan.numbers else caution
        self._handing = handing
        self._waits_until = 0.0
        self._waited = 0.0
        self._warned = False

    def at_once(self, asked: int) -> int:
        """Return how many of the messages asked for may be received now."""
        if self._caution is None:
            return asked
        if self._handing is None:
            return self._caution.ask(asked)
        if time.monotonic() < self._waits_until:
            self._progress.known_to_wait()
            return 0
        return self._caution.ask(asked, beside=self._handing.trials.suspects(self._entity))

    def ended(self, count: int) -> None:
        """Note messages that are under way no more."""
        if self._caution is not None:
            self._caution.ended(count)

    def sift(self, found: Sequence[Received]) -> Sifted:
        """Return what becomes of messages just received."""
        if self._dead_letters or not self._plan.selection.everything:
            found = self._selected(found)
        if self._caution is None:
            return Sifted(found)
        if self._handing is None:
            return Sifted(self._in_safe_company(found, self._caution))
        return self._chosen(found, self._caution, self._handing)

    def _chosen(self, found: Sequence[Received], caution: Caution, handing: Handing) -> Sifted:
        choice = choose(found, caution, handing.trials, handing.unlocked, waited=self._waited)
        self._waited = PAUSE if choice.wait else 0.0
        self._waits_until = time.monotonic() + self._waited
        self._warn(caution)
        kept = {id(item) for item in (*(choice.going if not choice.unlocked else ()), *_items(choice))}
        back = [item for item in found if id(item) not in kept]
        still_held = self._settler.hand_back(back)
        handing.unlocked.forget(item.envelope for item, _ in choice.ended)
        if not choice.unlocked:
            return Sifted(choice.going, choice.ended)
        going = [item if item.envelope.lock_token in still_held else _unlocked(item) for item in choice.going]
        handing.unlocked.pass_on([item.envelope for item in going if item.envelope.lock_token is None])
        return Sifted(going)

    def begin(self, envelopes: Sequence[Envelope]) -> None:
        """Write down messages that are to be worked on now, if any of them has failed often.

        Raises:
            OSError: They cannot be written down.
        """
        if self._handing is not None and self._caution is not None and self._caution.careful:
            self._handing.trials.begin(envelopes)

    def note(self, dispositions: Sequence[Disposition]) -> Gone:
        """Note ends that are durable; return what was under way without a lock and is no more."""
        if self._handing is None:
            return Gone(0, 0)
        self._handing.trials.end(
            (self._entity, item.sequence_number, item.enqueued_at) for item in dispositions
        )
        return self._handing.unlocked.end(dispositions)

    def give_up(self, envelopes: Sequence[Envelope]) -> Gone:
        """Forget messages that do not go on after all; return what was under way without a lock."""
        if self._handing is None:
            return Gone(0, 0)
        self._handing.trials.lay_down([name_of(envelope) for envelope in envelopes])
        return self._handing.unlocked.forget(envelopes)

    def lay_down(self, names: Sequence[Name]) -> None:
        """Note messages that are held no more and have not ended."""
        if self._handing is not None:
            self._handing.trials.lay_down(names)

    def overdue(self) -> Gone:
        """Give up what has been under way without a lock for too long; return it."""
        return Gone(0, 0) if self._handing is None else self._handing.unlocked.overdue()

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
        self._warn(caution)
        if admitted < len(found):
            self._settler.hand_back(found[admitted:])
        return found[:admitted]

    def _warn(self, caution: Caution) -> None:
        if caution.careful and not self._warned:
            _log.warning(
                "messages of %s have failed often already: few of them are under way together", self._entity
            )
        self._warned = caution.careful

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


def _unlocked(item: Received) -> Received:
    """Return a message that was handed back: there is nothing to settle."""
    envelope = msgspec.structs.replace(item.envelope, lock_token=None, locked_until=0)
    return Received(envelope, None, None)


def _items(choice: Choice) -> list[Received]:
    return [item for item, _ in choice.ended]
