"""ReadBatches: micro-batches of messages that nobody holds, with nothing to settle."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection

from ...model.counters import counters
from ...model.envelope import MicroBatch
from ...model.errors import BridgeError
from ...model.failpoints import reach
from .. import coder
from ..journal import Journal
from .source import BatchSource

__all__ = ["ReadBatches", "coder", "failed", "stopping"]

stopping: Final = threading.Event()
"""Set it to ask every such reading in this process to end after the micro-batch at hand."""

failed: Final[list[BridgeError]] = []
"""What ended such readings in this process; a runner hands on the text of an error, not the error."""


class ReadBatches(beam.PTransform[PBegin, PCollection[MicroBatch]]):
    """Read files or an archive once, from the beginning.

    Gives ``PCollection[MicroBatch]`` whose envelopes have no locks.  What a first run read a second
    run reads again, and commits nothing twice.
    """

    def __init__(self, source: BatchSource, *, journal: str | None = None) -> None:
        """Set up the transform; nothing is opened while the graph is built.

        Args:
            source: What to read.
            journal: Folder for the list of what was received, for the audit.
        """
        super().__init__()
        self._source = source
        self._journal = journal

    def expand(self, input_or_inputs: PBegin) -> PCollection[MicroBatch]:
        """Build the step."""
        step = beam.ParDo(_Read(self._source, self._journal)).with_output_types(MicroBatch)
        return input_or_inputs | "Source" >> beam.Create([0], reshuffle=False) | "Read" >> step


class _Read(beam.DoFn):
    """Reads all of a source in one go."""

    def __init__(self, source: BatchSource, journal: str | None) -> None:
        self._source = source
        self._folder = journal

    def process(self, element: int) -> Iterator[MicroBatch]:
        """Yield micro-batches, each written down before it goes on."""
        del element
        journal = Journal(Path(self._folder)) if self._folder else None
        try:
            for batch in self._source.batches():
                if stopping.is_set():
                    return
                if journal is not None:
                    keys = [(each.sequence_number, each.enqueued_at) for each in batch.envelopes]
                    journal.write("received", batch.entity, keys)
                counters.add("received", len(batch.envelopes))
                counters.add("received_bytes", batch.size)
                reach("received")
                yield batch
        except BridgeError as error:
            failed.append(error)
            raise
        finally:
            if journal is not None:
                journal.close()
