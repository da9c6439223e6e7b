"""ReadFromServiceBus: micro-batches of envelopes, for ever or until drained."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import apache_beam as beam
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.pvalue import PBegin, PCollection
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

from ..model.envelope import MicroBatch
from . import coder
from .config import ServiceBusSource
from .ending import Ending
from .intake import Reading, intake_of
from .plan import ReadPlan
from .restriction import PollingProvider

__all__ = ["BundleLimits", "ReadFromServiceBus", "coder"]

_POLL: Final = 0.2
"""Seconds between two looks at a stop request."""
_TRACKER: Final = beam.DoFn.RestrictionParam(PollingProvider())
_WATERMARK: Final = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())


@dataclass(frozen=True, slots=True)
class BundleLimits:
    """When the source ends a bundle, and with it everything received is committed.

    Keep ``seconds`` under a third of the lock duration, and at 1 to 2 on Flink,
    whose checkpoints wait for the bundle.

    Attributes:
        seconds: Since the first micro-batch of the bundle.
        messages: Received in the bundle.
        lull: Seconds without a message after which a bundle with messages ends early; for
            draining, where waiting brings nothing more.  ``None``: it does not.
        empty: Seconds after which a bundle without messages ends.
    """

    seconds: float = 2.0
    messages: int = 5000
    lull: float | None = None
    empty: float = 5.0


class ReadFromServiceBus(beam.PTransform[PBegin, PCollection[MicroBatch]]):
    """Read queues and subscriptions in peek-lock mode.

    Gives ``PCollection[MicroBatch]``.  Nothing is settled by reading: put
    :class:`cdsbridge.sources.SettleMessages` behind the commit of whatever
    the messages became, with the same source.  On a local runner there must be
    no stage break (GroupByKey, Reshuffle, Flatten, windows) between the two:
    it would hold everything until the source ends, and is refused.

    One transform reads all entities of a source; two such transforms in one
    local pipeline would wait for one another.
    """

    def __init__(
        self,
        source: ServiceBusSource,
        *,
        ending: Ending | None = None,
        bundle: BundleLimits | None = None,
        journal: str | None = None,
        plan: ReadPlan | None = None,
    ) -> None:
        """Set up the transform; nothing is opened while the graph is built.

        Args:
            source: What to read.
            ending: When to end; never, if not given.
            bundle: When to commit.
            journal: Folder for the list of what was received and settled, for the audit.
            plan: Which messages are taken, and how; all of them, if not given.
        """
        super().__init__()
        self.reading = Reading(source, ending or Ending.never(), journal, plan or ReadPlan())
        self._bundle = bundle or BundleLimits()

    def expand(self, input_or_inputs: PBegin) -> PCollection[MicroBatch]:
        """Build the step."""
        return (
            input_or_inputs
            | "Source" >> beam.Create([0], reshuffle=False)
            | "Receive" >> beam.ParDo(_Receive(self.reading, self._bundle)).with_output_types(MicroBatch)
        )


class _Receive(beam.DoFn):
    """Takes micro-batches from the process's intake, and checkpoints itself."""

    def __init__(self, reading: Reading, bundle: BundleLimits) -> None:
        self._reading = reading
        self._bundle = bundle

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        element: int,
        tracker: Any = _TRACKER,
        watermark: Any = _WATERMARK,
    ) -> Iterator[TimestampedValue[MicroBatch]]:
        """Yield micro-batches until the bundle has had enough or the source ends."""
        del element
        intake = intake_of(self._reading)
        bundle = _Bundle(self._bundle)
        while tracker.try_claim(intake.finished):
            if bundle.full(hurry=intake.careful):
                watermark.set_watermark(Timestamp.now())
                tracker.defer_remainder(Duration(0))
                return
            batch = intake.take(_POLL)
            if batch is not None:
                bundle.add(len(batch.envelopes))
                yield TimestampedValue(batch, Timestamp.now())


class _Bundle:
    """Counts what a bundle holds."""

    def __init__(self, limits: BundleLimits) -> None:
        self._limits = limits
        self._messages = 0
        self._begun = self._last = time.monotonic()

    def add(self, messages: int) -> None:
        self._last = time.monotonic()
        if not self._messages:
            self._begun = self._last
        self._messages += messages

    def full(self, *, hurry: bool) -> bool:
        now = time.monotonic()
        if not self._messages:
            return now - self._begun >= self._limits.empty
        return (
            hurry
            or self._messages >= self._limits.messages
            or now - self._begun >= self._limits.seconds
            or (self._limits.lull is not None and now - self._last >= self._limits.lull)
        )
