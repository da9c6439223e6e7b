"""What a run says while it runs: one live line on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TextIO

from ..model.counters import counters

_EVERY: Final = 5.0
"""Seconds between two plain lines."""
_LIVE_EVERY: Final = 0.25
"""Seconds between two updates of the live line."""


def progress_line(counts: Mapping[str, int], seconds: float, rate: float) -> str:
    """Return one line about a run.

    Args:
        counts: The counters.
        seconds: Since the run began.
        rate: Messages per second lately.

    >>> progress_line({"received": 3, "committed": 2, "rejected": 1}, 4.0, 0.75)
    '    4 s  received 3  committed 2  skipped 0  rejected 1  settled 0  (1 messages/s)'
    """
    shown = "  ".join(
        f"{name} {counts.get(name, 0):,}"
        for name in ("received", "committed", "skipped", "rejected", "settled")
    )
    return f"{seconds:5.0f} s  {shown}  ({rate:,.0f} messages/s)"


@contextmanager
def progress(quiet: bool, stream: TextIO | None = None) -> Iterator[None]:
    """Report on the counters for the length of a block, on standard error unless told otherwise."""
    stream = stream or sys.stderr
    if quiet:
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_report, args=(stream, done), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _report(stream: TextIO, done: threading.Event) -> None:
    live = stream.isatty()
    begun = last = time.monotonic()
    before = counters.read()["received"]
    ending = False
    while not ending:
        ending = done.wait(_LIVE_EVERY if live else _EVERY)
        now, counts = time.monotonic(), counters.read()
        rate = (counts["received"] - before) / max(now - last, 1e-9)
        if now - last >= _EVERY:
            last, before = now, counts["received"]
        if not (live or counts["received"]):
            continue
        line = progress_line(counts, now - begun, rate)
        stream.write(f"\r\x1b[2K{line}" if live else f"{line}\n")
        stream.flush()
    if live:
        stream.write("\n")
        stream.flush()
