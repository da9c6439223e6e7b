"""Refuses graphs that a local runner would turn into silent waiting.

Beam's local runners hold everything that crosses a stage boundary until the
source ends.  Behind a source that never ends nothing would be committed, and
whatever acknowledges early would lose messages
(``docs/decisions/002-one-fused-stage.md`` has the measurement).
"""

from collections.abc import Iterator
from typing import Final

import apache_beam as beam
from apache_beam.pipeline import AppliedPTransform
from apache_beam.pvalue import PCollection

from ..model.errors import UsageRefused
from ..model.verdict import DispositionBatch
from .read import ReadFromServiceBus

_STREAMING_RUNNERS: Final = ("FlinkRunner", "DataflowRunner", "PortableRunner")
"""Runners that pass elements on across stages while a source is still reading."""

_BREAKS: Final = (beam.GroupByKey, beam.Flatten, beam.WindowInto, beam.CombinePerKey, beam.Reshuffle)


def refuse_stage_break(dispositions: PCollection[DispositionBatch]) -> None:
    """Look from a settling step up to its source.

    Raises:
        UsageRefused: What comes in is not dispositions of a commit; there is
            no :class:`ReadFromServiceBus` upstream; or, on a local runner, a
            step between the two breaks the stage.
    """
    if dispositions.element_type is not DispositionBatch:
        raise UsageRefused(
            "SettleMessages settles what a commit has made durable: give it the output of CommitTables "
            f"(PCollection[DispositionBatch]), not a PCollection[{dispositions.element_type}]"
        )
    steps = list(_upstream(dispositions))
    if not any(isinstance(step.transform, ReadFromServiceBus) for step in _with_parents(steps)):
        raise UsageRefused("SettleMessages has no ReadFromServiceBus upstream, so there is nothing to settle")
    if type(dispositions.pipeline.runner).__name__ in _STREAMING_RUNNERS:
        return
    for step in steps:
        if isinstance(step.transform, _BREAKS):
            raise UsageRefused(
                f"{step.full_label!r} breaks the stage between ReadFromServiceBus and SettleMessages: "
                "a local runner holds everything there until the source ends, so nothing would be committed "
                "or settled. Do that work inside one step, per micro-batch, or run on Flink"
            )


def _upstream(collection: PCollection[DispositionBatch]) -> Iterator[AppliedPTransform]:
    """Yield the primitive steps that lead to a collection, nearest first."""
    todo, seen = [collection], set()
    while todo:
        producer = todo.pop().producer
        if producer is None or id(producer) in seen:
            continue
        seen.add(id(producer))
        yield producer
        todo.extend(side for side in producer.main_inputs.values() if isinstance(side, PCollection))


def _with_parents(steps: list[AppliedPTransform]) -> Iterator[AppliedPTransform]:
    for step in steps:
        at: AppliedPTransform | None = step
        while at is not None:
            yield at
            at = at.parent
