"""Named points at which a test may kill the process, or hold it.

The environment variable ``CDSBRIDGE_FAILPOINT`` arms one point:
``committed:kill@3`` ends the process by SIGKILL the third time the point is
reached, with nothing flushed or closed: what a power cut does to a process.
Unarmed, reaching a point costs one comparison.
"""

import os
import signal
import threading
from typing import Final

POINTS: Final = (
    "received",
    "flattened",
    "staged",
    "history_written",
    "all_written",
    "sink_committed",
    "committed",
    "half_settled",
    "settled",
)
"""The points, in the order a message passes them.

``history_written`` and ``all_written`` lie inside the commit of a sink: in a database nothing of it is
durable yet, in files and lakes all but the ledger is in the end.
"""

_lock = threading.Lock()
_armed, _, _action = os.environ.get("CDSBRIDGE_FAILPOINT", "").partition(":")
_left = int(_action.partition("@")[2] or 1)


def reach(point: str) -> None:
    """Pass a named point; never returns from the armed one."""
    if point == _armed:
        _count_down()


def _count_down() -> None:
    global _left  # noqa: PLW0603 - one process, one armed point
    with _lock:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
