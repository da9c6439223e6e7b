"""The committing step of the graph."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from ..model.batch import FlattenedBatch
from ..model.errors import Fenced
from ..model.verdict import DispositionBatch
from ..tables.contract import Contracts
from ..tables.profile import Profile
from . import coder
from .base import Claim, Sink
from .commit import Committer, Limits
from .holding import taken_over

__all__ = ["CommitTables", "coder"]


class CommitTables(beam.PTransform[PCollection[FlattenedBatch], PCollection[DispositionBatch]]):
    """Commits flattened batches to every sink, then says how each message ended.

    Takes a ``PCollection[FlattenedBatch]``, gives a
    ``PCollection[DispositionBatch]`` with one batch for each taken, all of it
    durable.  Every bundle ends with a flush, so none ends with messages that
    are neither committed nor to come again.

    A sink that is away is waited for; set
    :data:`cdsbridge.sinks.holding.stopping` to end the waiting.

    Another bridge that takes a sink over ends this one: see
    :data:`cdsbridge.sinks.holding.taken_over`.

    Args:
        sinks: At least one; values that pickle.
        limits: When to flush within a bundle.
        label: Name of the step.
        contracts: What becomes of news about tables.
        claim: The start of the bridge; its workers take the sinks over for it.
        profile: Which columns tables show.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        limits: Limits | None = None,
        label: str | None = None,
        contracts: Contracts | None = None,
        claim: Claim | None = None,
        profile: Profile = "native",
    ) -> None:
        super().__init__(label)
        self._open = partial(
            Committer,
            tuple(sinks),
            limits=limits or Limits(),
            contracts=contracts or Contracts(),
            claim=claim,
            profile=profile,
        )

    def expand(self, batches: PCollection[FlattenedBatch]) -> PCollection[DispositionBatch]:
        """Add the step to the graph."""
        step = beam.ParDo(CommitFn(self._open))
        return batches | "Commit" >> step.with_output_types(DispositionBatch)


class CommitFn(beam.DoFn):
    """A :class:`cdsbridge.sinks.commit.Committer` in a worker, opened at the first batch."""

    def __init__(self, opened: Callable[[], Committer]) -> None:
        self._open = opened
        self._committer: Committer | None = None

    def start_bundle(self) -> None:
        """Forget a bundle that failed: its messages come again."""
        if self._committer:
            self._committer.clear()

    def process(self, element: FlattenedBatch) -> Iterator[DispositionBatch]:
        """Gather a batch; flush when enough is gathered."""
        if self._committer is None:
            self._committer = self._open()
        self._committer.add(element)
        if self._committer.due:
            yield from self._flush(self._committer)

    def finish_bundle(self) -> "Iterator[WindowedValue]":
        """Flush what is left."""
        for batch in self._flush(self._committer) if self._committer else ():
            yield WindowedValue(batch, Timestamp.now(), (GlobalWindow(),))

    @staticmethod
    def _flush(committer: Committer) -> Sequence[DispositionBatch]:
        try:
            return committer.flush()
        except Fenced as error:
            # the runner hands on the text of an error, not the error
            taken_over.append(error)
            raise

    def teardown(self) -> None:
        """Close the writers."""
        if self._committer:
            self._committer.close()
            self._committer = None
