"""Python's cyclic garbage collector, set for a process that holds thousands of messages."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_THRESHOLDS: Final = (100_000, 50, 100)
"""Allocations between collections of the youngest objects, and the ratios to the older ones."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect cycles rarely for the length of a block.

    Messages in flight are many small containers without cycles; with the default
    thresholds the collector walks them several times per thousand messages, and
    receiving takes twice the time (``docs/decisions/007-throughput.md``).
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
