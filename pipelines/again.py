"""The graph over messages that nobody holds: files, an archive, a quarantine; nothing is settled."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import BaseModel, ConfigDict

from ..model.batch import FlattenedBatch
from ..model.counters import counters
from ..model.envelope import MicroBatch
from ..model.errors import SinkUnavailable
from ..sinks import ArchiveSink
from ..sinks.holding import stopping
from ..sources.files import read as files_read
from ..sources.files.item import with_origins
from ..sources.files.read import ReadBatches
from ..sources.files.source import BatchSource
from .collector import rare_collections
from .config import BridgeConfig
from .exit import Exit
from .graph import flattened_and_committed
from .local import flat_memory, local_pipeline
from .supervise import RunResult, ended_with, signals

_log = logging.getLogger(__name__)


class ArchivedMessages(BaseModel):
    """The messages of a raw archive, as they were committed."""

    model_config = ConfigDict(frozen=True)

    archive: ArchiveSink

    def batches(self) -> Iterator[MicroBatch]:
        """Yield them in the order of their commits.

        Raises:
            SinkUnavailable: The archive cannot be read.
            ConfigError: A file there is not one of an archive.
        """
        with closing(self.archive.read()) as reader:
            for archived in reader.messages():
                yield archived.batch


def run_again(config: BridgeConfig, source: BatchSource) -> RunResult:
    """Flatten and commit what a source holds.  A bridge may run beside it: nothing is taken over.

    It may be broken off and begun again; what was committed is not committed twice.

    Raises:
        BridgeError: The source cannot be read, or the sinks cannot be opened.
    """
    begun = time.monotonic()
    for event in (stopping, files_read.stopping):
        event.clear()
    files_read.failed.clear()
    error: Exception | None = None
    with signals() as stop, rare_collections(), flat_memory():
        pipeline = local_pipeline()
        read = pipeline | "ReadMessages" >> ReadBatches(source, journal=config.journal)
        flattened_and_committed(read, config, after=_TellOrigins())
        try:
            pipeline.run().wait_until_finish()
        except Exception as trouble:
            if files_read.failed:
                raise files_read.failed[0] from None
            if not stop.asked.is_set():
                raise
            _log.debug("stopped", exc_info=trouble)
            error = SinkUnavailable("stopped before everything read was committed; begin it again")
        code = ended_with(config, stop, error)
    if code is Exit.OK and stop.asked.is_set():
        code = Exit.INTERRUPTED
    return RunResult(code, time.monotonic() - begun, counters.read(), str(error or ""))


class _TellOrigins(beam.PTransform[PCollection[FlattenedBatch], PCollection[FlattenedBatch]]):
    """Says of each rejected message where it stands."""

    def expand(self, input_or_inputs: PCollection[FlattenedBatch]) -> PCollection[FlattenedBatch]:
        """Build the step."""
        return input_or_inputs | "Tell" >> beam.Map(with_origins).with_output_types(FlattenedBatch)
