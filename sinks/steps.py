"""The committing step of the graph."""

from collections.abc import Iterator, Sequence

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from ..model.batch import FlattenedBatch
from ..model.verdict import DispositionBatch
from . import coder
from .base import Sink
from .commit import Committer, Limits

__all__ = ["CommitTables", "coder"]


class CommitTables(beam.PTransform[PCollection[FlattenedBatch], PCollection[DispositionBatch]]):
    """Commits flattened batches to every sink, then says how each message ended.

    Takes a ``PCollection[FlattenedBatch]``, gives a
    ``PCollection[DispositionBatch]`` with one batch for each taken, all of it
    durable.  Every bundle ends with a flush, so none ends with messages that
    are neither committed nor to come again.

    A sink that is away is waited for; set
    :data:`cdsbridge.sinks.holding.stopping` to end the waiting.

    Args:
        sinks: At least one; values that pickle.
        limits: When to flush within a bundle.
        label: Name of the step.
    """

    def __init__(
        self, sinks: Sequence[Sink], *, limits: Limits | None = None, label: str | None = None
    ) -> None:
        super().__init__(label)
        self._sinks = tuple(sinks)
        self._limits = limits or Limits()

    def expand(self, batches: PCollection[FlattenedBatch]) -> PCollection[DispositionBatch]:
        """Add the step to the graph."""
        step = beam.ParDo(CommitFn(self._sinks, self._limits))
        return batches | "Commit" >> step.with_output_types(DispositionBatch)


class CommitFn(beam.DoFn):
    """A :class:`cdsbridge.sinks.commit.Committer` in a worker, opened at the first batch."""

    def __init__(self, sinks: Sequence[Sink], limits: Limits) -> None:
        self._sinks = sinks
        self._limits = limits
        self._committer: Committer | None = None

    def start_bundle(self) -> None:
        """Forget a bundle that failed: its messages come again."""
        if self._committer:
            self._committer.clear()

    def process(self, element: FlattenedBatch) -> Iterator[DispositionBatch]:
        """Gather a batch; flush when enough is gathered."""
        if self._committer is None:
            self._committer = Committer(self._sinks, limits=self._limits)
        self._committer.add(element)
        if self._committer.due:
            yield from self._committer.flush()

    def finish_bundle(self) -> "Iterator[WindowedValue]":
        """Flush what is left."""
        for batch in self._committer.flush() if self._committer else ():
            yield WindowedValue(batch, Timestamp.now(), (GlobalWindow(),))

    def teardown(self) -> None:
        """Close the writers."""
        if self._committer:
            self._committer.close()
            self._committer = None
