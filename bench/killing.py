"""A broker in a process of its own, to be killed: its queue is in a file, and a new one goes on with it.

Run as a program it serves the queue, and answers the names of questions, a line each, on standard input.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from crashing import PATIENCE, QUEUE, CrashRig, active, issued, loaded, oldest

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread

_QUESTIONS: Final[dict[str, Callable[[Namespace], int]]] = {
    each.__name__: each for each in (active, issued, oldest)
}


class MortalBroker:
    """Stands for a broker in another process, for what a rig asks of it under load.

    Args:
        file: Its store.
        lock_seconds: How long a lock lasts.
    """

    def __init__(self, file: Path, lock_seconds: float) -> None:
        self._file = file
        self._lock_seconds = lock_seconds
        self._one = threading.Lock()
        self._port = "0"
        self._process = self._start()

    @property
    def connection_string(self) -> str:
        """What a client is configured with."""
        return self._shown

    def _start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, __file__, str(self._file), self._port, str(self._lock_seconds)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._port, self._shown = _line(process).split(" ", 1)
        return process

    def call(self, function: Callable[[Namespace], int]) -> int:
        """Return the answer to one of the questions that a rig has under load."""
        with self._one:
            print(function.__name__, file=self._process.stdin)
            return int(_line(self._process))

    def kill(self) -> None:
        """Kill it (SIGKILL), and start another on the same file and port."""
        with self._one:
            self.end()
            self._process = self._start()

    def end(self) -> None:
        """Kill it for good."""
        self._process.kill()
        self._process.wait(PATIENCE)


def _line(process: "subprocess.Popen[str]") -> str:
    line = process.stdout.readline() if process.stdout is not None else ""
    if not line:
        raise AssertionError("the broker's process ended by itself")
    return line.strip()


@contextmanager
def mortal_rig(folder: Path, seed: int, lock_seconds: float = 4.0) -> Iterator[CrashRig]:
    """Lend a rig whose broker can be killed, with its load running."""
    broker: Any = MortalBroker(folder / "broker.db", lock_seconds)
    try:
        with loaded(CrashRig(broker, folder, seed)) as rig:
            yield rig
    finally:
        broker.end()


@contextmanager
def at_rest(rig: CrashRig, folder: Path) -> Iterator[RunningBroker]:
    """Lend what is in the file of a mortal broker, which is no more then."""
    mortal: Any = rig.bus
    mortal.end()
    with run_in_thread(lambda: Namespace(path=folder / "broker.db")) as bus:
        rig.bus = bus
        yield bus


def main() -> None:
    file, port, lock_seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

    def namespace() -> Namespace:
        made = Namespace(path=file)
        made.create_queue(QUEUE, QueueSettings(lock_duration=lock_seconds, max_delivery_count=1_000_000))
        return made

    with run_in_thread(namespace, port=port) as bus:
        print(bus.port, bus.connection_string, flush=True)
        for question in sys.stdin:
            print(bus.call(_QUESTIONS[question.strip()]), flush=True)


if __name__ == "__main__":
    main()
