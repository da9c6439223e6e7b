"""The local runner's memory does not grow with the number of bundles."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.utils.timestamp import Duration

from cdsbridge.pipelines.local import flat_memory, local_pipeline
from cdsbridge.sources.restriction import PollingProvider

BUNDLES = 1200
MARKS: list[int] = []


class ManyBundles(beam.DoFn):
    """Ends a bundle after each element, so many times."""

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        element: int,
        tracker: Any = beam.DoFn.RestrictionParam(PollingProvider()),  # noqa: B008
    ) -> Iterator[int]:
        del element
        if not tracker.try_claim(len(MARKS) >= BUNDLES):
            return
        MARKS.append(tracemalloc.get_traced_memory()[0])
        yield len(MARKS)
        tracker.defer_remainder(Duration(0))


def test_a_thousand_bundles_leave_memory_flat_and_metrics_readable() -> None:
    MARKS.clear()
    tracemalloc.start()
    try:
        with flat_memory():
            pipeline = local_pipeline()
            pipeline | beam.Create([0], reshuffle=False) | beam.ParDo(ManyBundles()) | beam.Map(lambda x: x)
            result = pipeline.run()
            result.wait_until_finish()
    finally:
        tracemalloc.stop()
    assert len(MARKS) == BUNDLES
    assert MARKS[-1] - MARKS[BUNDLES // 4] < 2_000_000
    result.metrics().query()
