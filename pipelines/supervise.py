"""Runs a bridge in this process, restarts it when it breaks, and ends it in order."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final

from ..model.counters import counters
from ..model.errors import BridgeError, ConfigError, Fenced, SinkUnavailable, UsageRefused
from ..sinks.base import Claim
from ..sinks.holding import stopping, taken_over
from ..sources.ending import Ending, When
from ..sources.files import read as files_read
from ..sources.intake import Reading, reading_from, stop_reading
from ..sources.plan import ReadPlan
from .collector import rare_collections
from .config import BridgeConfig
from .exit import Exit, exit_code
from .graph import bridge
from .local import flat_memory, local_pipeline

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 1.0
"""Seconds before the first restart."""
_BACKOFF_MAX: Final = 60.0
"""Seconds between two restarts, at most."""
_TRIES: Final = 5
"""Restarts in a row, without a commit between them, after which a run that has an end gives up."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run went.

    Attributes:
        exit: The exit code.
        seconds: How long it took.
        counts: The counters at the end, see :data:`cdsbridge.model.counters.counters`.
        error: Why it ended early, or the empty string.
    """

    exit: Exit
    seconds: float
    counts: Mapping[str, int]
    error: str = ""


def run_bridge(
    config: BridgeConfig, ending: Ending, plan: ReadPlan | None = None, *, beside: bool = False
) -> RunResult:
    """Run a bridge until its ending, a signal, or an error that trying again cannot cure.

    SIGTERM and SIGINT stop receiving; what was received is committed and
    settled, and the run ends.  A second signal ends the process at once, which
    costs a redelivery and nothing else.

    Args:
        config: The bridge.
        ending: When reading ends.
        plan: Which messages are taken, and how; all of them, if not given.
        beside: Leave the sinks to the bridge that has them, and write to them beside it.

    Raises:
        BridgeError: The source cannot be opened, or the graph is refused.
    """
    begun = time.monotonic()
    stopping.clear()
    taken_over.clear()
    with signals() as stop, rare_collections():
        claim = None if beside else Claim.of(config.name)
        reading = Reading(config.source, ending, config.journal, plan or ReadPlan())
        error = _run_until_done(config, reading, claim, stop)
        code = ended_with(config, stop, error)
        return RunResult(code, time.monotonic() - begun, counters.read(), str(error or ""))


class PassBlocked(BridgeError):
    """A pass ended before its end: the messages in front are to stay, and are too many to hold."""


class Stop:
    """Whether a signal asked to end, and which."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.signal = 0

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Hear a signal: the first asks to end in order, the second ends the process."""
        del frame
        if self.asked.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.signal = number
        self.asked.set()
        threading.Thread(target=self._tell, name="stop", daemon=True).start()

    @staticmethod
    def _tell() -> None:
        _log.info("stopping: no more receiving; committing and settling what was received")
        stop_reading()
        files_read.stopping.set()
        stopping.set()


@contextmanager
def signals() -> Iterator[Stop]:
    """Let SIGTERM and SIGINT end what runs in the block in order, where the block is in the main thread."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_until_done(
    config: BridgeConfig, reading: Reading, claim: Claim | None, stop: Stop
) -> Exception | None:
    pause, tries, opened = _FIRST_PAUSE, 0, False
    while True:
        flushes = counters.read()["flushes"]
        try:
            _run_once(reading, config, claim, stop.asked.is_set)
        except (ConfigError, UsageRefused):
            raise
        except PassBlocked as error:
            return error
        except Exception as error:
            if isinstance(error, BridgeError) and not opened and not counters.read()["received"]:
                raise
            trouble = error
        else:
            return None
        opened = True
        if taken_over:
            return taken_over[0]
        if stop.asked.is_set():
            return SinkUnavailable(f"stopped before everything received was committed: {_last_line(trouble)}")
        if counters.read()["flushes"] > flushes:
            pause, tries = _FIRST_PAUSE, 0
        tries += 1
        if reading.ending.when is not When.NEVER and tries >= _TRIES:
            return trouble
        _log.error("the pipeline broke (%s); starting it again in %.0f s", _last_line(trouble), pause)
        _log.debug("the pipeline broke", exc_info=trouble)
        counters.add("restarts")
        stop.asked.wait(pause)
        pause = min(2 * pause, _BACKOFF_MAX)


def _run_once(
    reading: Reading, config: BridgeConfig, claim: Claim | None, stopped: Callable[[], bool]
) -> None:
    """Run the pipeline once; what it still holds goes back to the broker whatever happens."""
    with reading_from(reading) as intake, flat_memory():
        if stopped():
            stop_reading()
        pipeline = local_pipeline()
        bridge(pipeline, config, reading.ending, claim, reading.plan)
        pipeline.run().wait_until_finish()
        if intake.blocked:
            raise PassBlocked(
                f"{', '.join(intake.blocked)}: too many of the first messages are to stay to read on past "
                "them; take a wider selection, set aside what fails again with --again defer, or export and "
                "purge it"
            )


def ended_with(config: BridgeConfig, stop: Stop, error: Exception | None) -> Exit:
    """Return the exit code of a run that has ended."""
    if isinstance(error, SinkUnavailable | Fenced):
        return exit_code(error)
    if isinstance(error, PassBlocked):
        return Exit.ROWS_WAIT
    if error is not None:
        return Exit.UNEXPECTED
    if stop.signal == signal.SIGINT:
        return Exit.INTERRUPTED
    if config.max_rejected is not None and counters.read()["rejected"] > config.max_rejected:
        return Exit.TOO_MANY_REJECTED
    return Exit.OK


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
