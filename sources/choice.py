"""Which of the messages just received are worked on, when some have failed often."""

from collections.abc import Sequence
from typing import NamedTuple

from ..model.verdict import Verdict
from .caution import Caution
from .convert import Received
from .trials import Trials
from .unlocked import Unlocked


class Choice(NamedTuple):
    """What becomes of messages just received; those not named go back to their places.

    Attributes:
        going: They go on.
        unlocked: Whether those are handed back first.
        ended: They have ended, and are settled now.
        wait: Whether nothing is received for a moment.
    """

    going: Sequence[Received] = ()
    unlocked: bool = False
    ended: Sequence[tuple[Received, Verdict]] = ()
    wait: bool = False


def choose(
    found: Sequence[Received], caution: Caution, trials: Trials, unlocked: Unlocked, *, waited: float = 0.0
) -> Choice:
    """Return what becomes of messages just received.

    What has failed often is handed back and worked on without a lock, in the company that
    ``caution`` allows, so that a death costs no delivery.  The messages come again and are settled
    then.  A suspect (see :class:`Trials`) waits until the process has shown that it can live
    without it, and is then tried alone under its lock: if the process dies of it each time, the
    broker dead-letters it.

    Args:
        found: In the order received.
        caution: Counts what is under way.
        trials: What the process died of.
        unlocked: What is under way without a lock.
        waited: Seconds that nothing was received, because of the choice before.
    """
    if not found:
        return Choice()
    pairs = [(item, unlocked.verdict(item.envelope)) for item in found]
    ended = [(item, verdict) for item, verdict in pairs if verdict is not None]
    if ended:
        return Choice(ended=ended[: caution.admit([item.envelope.delivery_count for item, _ in ended])])
    fresh = [item for item in found if not unlocked.holds(item.envelope)]
    suspects = [item for item in fresh if trials.suspected(item.envelope)]
    others = [item for item in fresh if not trials.suspected(item.envelope)]
    if not others:
        trials.live(waited)
    for item in suspects:
        if trials.ready(item.envelope):
            return Choice([item][: caution.admit([trials.failed(item.envelope)])])
    if suspects and not others:
        return Choice(wait=caution.idle)
    admitted = caution.admit([trials.failed(item.envelope) for item in others])
    return Choice(others[:admitted], unlocked=caution.careful)
