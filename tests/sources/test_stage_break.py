"""A graph that would hold or lose messages is refused when it is built."""

from collections.abc import Callable
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.transforms.window import FixedWindows
from apache_beam.typehints.decorators import TypeCheckError

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.envelope import MicroBatch
from cdsbridge.model.errors import UsageRefused
from cdsbridge.model.verdict import DispositionBatch
from cdsbridge.sources import ReadFromServiceBus, ServiceBusSource, SettleMessages

SOURCE = ServiceBusSource(namespace="contoso.servicebus.windows.net", entities=("q",))


def commit(batches: Any, label: str = "Commit") -> Any:
    return batches | label >> beam.Map(lambda _: DispositionBatch("q", ())).with_output_types(
        DispositionBatch
    )


def lay(between: Callable[[Any], Any]) -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    commit(between(pipeline | ReadFromServiceBus(SOURCE))) | SettleMessages(SOURCE)


def test_a_fused_graph_is_taken() -> None:
    lay(lambda batches: batches | beam.Map(lambda batch: batch).with_output_types(MicroBatch))


def windowed(batches: Any) -> Any:
    keyed = batches | beam.Map(lambda batch: (batch.entity, batch))
    return keyed | beam.WindowInto(FixedWindows(1))


@pytest.mark.parametrize(
    "between",
    [
        lambda batches: batches | beam.Reshuffle(),
        lambda batches: windowed(batches) | beam.GroupByKey(),
        lambda batches: (batches, batches | "Other" >> beam.Map(lambda b: b)) | beam.Flatten(),
        lambda batches: batches | beam.WindowInto(FixedWindows(1)),
        lambda batches: windowed(batches) | beam.CombinePerKey(len),
    ],
    ids=["reshuffle", "group", "flatten", "window", "combine"],
)
def test_a_stage_break_is_refused_with_the_step_and_the_reason(between: Callable[[Any], Any]) -> None:
    with pytest.raises(UsageRefused, match=r"breaks the stage .* until the source ends"):
        lay(between)


def test_a_break_after_settling_is_no_concern_of_ours() -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    settled = commit(pipeline | ReadFromServiceBus(SOURCE)) | SettleMessages(SOURCE)
    settled | beam.Reshuffle()


def test_what_was_not_committed_cannot_be_settled() -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    read = pipeline | ReadFromServiceBus(SOURCE)
    with pytest.raises(TypeCheckError, match="DispositionBatch"):
        read | "Typed" >> beam.Map(id).with_output_types(FlattenedBatch) | "Settle" >> SettleMessages(SOURCE)
    with pytest.raises(UsageRefused, match="made durable"):
        read | "Untyped" >> beam.Map(id).with_output_types(Any) | SettleMessages(SOURCE)


def test_settling_without_a_source_is_refused() -> None:
    pipeline = beam.Pipeline(runner=FnApiRunner())
    with pytest.raises(UsageRefused, match="no ReadFromServiceBus"):
        commit(pipeline | beam.Create([1])) | SettleMessages(SOURCE)
