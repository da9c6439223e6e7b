"""One line on a terminal that tells how far a command is; nothing elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def live_line(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Lend a function that replaces the line, for the length of a block."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return

    def tell(text: str) -> None:
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        tell("")
