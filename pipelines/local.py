"""Beam's in-process runner, by name, one worker, kept from growing.

``DirectRunner`` is three different engines, by network and by timers; with
more than one worker ``FnApiRunner`` silently ends a stream.  Its lazily
consolidated metrics nest one generator a bundle and hold about 20 kB each
(``docs/decisions/004-local-runner.md``); consolidating at once cures it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import Pipeline
from apache_beam.runners.portability.fn_api_runner import fn_runner


def local_pipeline() -> Pipeline:
    """Return a pipeline for this process; running it blocks until its sources end."""
    options = PipelineOptions([], direct_num_workers=1, direct_running_mode="in_memory")
    return Pipeline(runner=fn_runner.FnApiRunner(), options=options)


@contextmanager
def flat_memory() -> Iterator[None]:
    """Keep the runner's memory from growing with the number of bundles."""
    module: Any = fn_runner
    lazy = module.consolidate_monitoring_infos

    def at_once(*args: Any, **kwargs: Any) -> list[Any]:
        return list(lazy(*args, **kwargs))

    module.consolidate_monitoring_infos = at_once
    try:
        yield
    finally:
        module.consolidate_monitoring_infos = lazy
