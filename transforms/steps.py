"""Flattening as a step of a pipeline."""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.pvalue import PCollection

from ..model import failpoints
from ..model.batch import FlattenedBatch
from ..model.envelope import Envelope, MicroBatch
from ..tables.types import ColumnTypes
from . import coder
from .flattener import Flattener
from .rules import FlattenRules

__all__ = ["FlattenContexts", "coder"]


class FlattenContexts(beam.PTransform[PCollection[MicroBatch], PCollection[FlattenedBatch]]):
    """Flattens micro-batches: ``MicroBatch`` in, ``FlattenedBatch`` out, one for one.

    A message that cannot be flattened is a verdict inside its batch, not a
    failure of the bundle and not a side output.

    Args:
        types: What is known about columns.
        rules: What to skip, and what is too large.
    """

    def __init__(self, types: ColumnTypes | None = None, rules: FlattenRules | None = None) -> None:
        super().__init__()
        self._types = types
        self._rules = rules

    def expand(self, pcoll: PCollection[MicroBatch]) -> PCollection[FlattenedBatch]:
        """Apply the step."""
        step = beam.ParDo(_FlattenFn(self._types, self._rules)).with_output_types(FlattenedBatch)
        return pcoll | "Flatten" >> step


class _FlattenFn(beam.DoFn):
    """Flattens one batch after another."""

    def __init__(self, types: ColumnTypes | None, rules: FlattenRules | None) -> None:
        super().__init__()
        self._types = types
        self._rules = rules

    def setup(self) -> None:
        """Build the flattener, and let it flatten nothing, so that Arrow is loaded before data comes."""
        self._flattener = Flattener(self._types, self._rules)
        self._flattener.flatten(MicroBatch("", (Envelope(b"", "", 0),)))

    def process(self, batch: MicroBatch) -> Iterator[FlattenedBatch]:
        """Flatten one batch."""
        yield self._flattener.flatten(batch)
        failpoints.reach("flattened")
