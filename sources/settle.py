"""SettleMessages: acknowledge what is durable, and nothing else."""

import logging

import apache_beam as beam
from apache_beam.pvalue import PCollection

from ..model.errors import BridgeError
from ..model.verdict import DispositionBatch
from .config import ServiceBusSource
from .ending import Ending
from .intake import Intake, Reading, intake_holding, intake_of
from .stage_break import refuse_stage_break

_log = logging.getLogger(__name__)


class SettleMessages(beam.PTransform[PCollection[DispositionBatch], PCollection[DispositionBatch]]):
    """Complete what was committed or skipped; dead-letter what was rejected, with the reason.

    Takes ``PCollection[DispositionBatch]``, which only a commit makes, and
    gives it on unchanged.  A settle that fails is counted and becomes a
    redelivery.  The links that received the messages settle them; in a process
    that received none, a link of its own does so by lock token.
    """

    def __init__(self, source: ServiceBusSource) -> None:
        """Settle messages of a source.

        Args:
            source: The one the messages were read from.
        """
        super().__init__()
        self._source = source

    def expand(self, input_or_inputs: PCollection[DispositionBatch]) -> PCollection[DispositionBatch]:
        """Build the step.

        Raises:
            UsageRefused: The graph has a stage break before this step, or
                hands it something that was not committed.
        """
        refuse_stage_break(input_or_inputs)
        return input_or_inputs | "Settle" >> beam.ParDo(_Settle(self._source)).with_output_types(
            DispositionBatch
        )


class _Settle(beam.DoFn):
    """Hands dispositions to the links; waits for them only when reading has ended."""

    def __init__(self, source: ServiceBusSource) -> None:
        self._source = source
        self._intake: Intake | None = None

    def process(self, element: DispositionBatch) -> list[DispositionBatch]:
        """Hand in one batch of dispositions."""
        try:
            self._find_intake().settle(element)
        except BridgeError as error:
            _log.warning("%s; %d messages will come again", error, len(element.dispositions))
        return [element]

    def finish_bundle(self) -> None:
        """After the last bundle, see everything settled before the pipeline ends."""
        if self._intake is not None and self._intake.finished and not self._intake.flush():
            _log.warning("not everything could be settled in time; those messages will come again")

    def _find_intake(self) -> Intake:
        self._intake = intake_holding(self._source) or intake_of(
            Reading(self._source, Ending.after_idle(0), None)
        )
        return self._intake
