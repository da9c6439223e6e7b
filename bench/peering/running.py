"""Runs programs by themselves on given cores, and says what they took."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
VENV: Final = HERE.parent.parent / ".cache" / "peers-venv"
INTERVAL: Final = 0.25
"""Seconds between two looks at the memory of a program."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Program:
    """A program that reads messages and writes tables.

    Attributes:
        file: In this folder.
        needs: Packages it needs in the environment of the peers; without any it
            runs in the project's own.
        goal: How many times its messages a second the bridge is to reach.
        more: Arguments of its own.
    """

    file: str
    needs: tuple[str, ...] = ()
    goal: float | None = None
    more: tuple[str, ...] = ()


PROGRAMS: Final = {
    "bridge": Program("bridge.py"),
    "bridge in Beam": Program("bridge_beam.py"),
    "pandas, 1,000": Program("pandas_listener.py", ("pandas", "pyarrow"), 5.0, ("1000",)),
    "pandas, 10,000": Program("pandas_listener.py", ("pandas", "pyarrow"), 5.0, ("10000",)),
    "dlt": Program("dlt_rows.py", ("dlt",), 5.0),
    "polars": Program("polars_frames.py", ("polars",), 4.0),
    "duckdb, best": Program("duckdb_sql.py", ("duckdb",), 1.0),
    "duckdb, natural": Program("duckdb_natural.py", ("duckdb",)),
    "beam": Program("beam_element.py", (), 5.0),
    "spark": Program("spark_sql.py", ("pyspark",)),
}


@dataclass(frozen=True, slots=True)
class Run:
    """What programs took: seconds, CPU seconds of all their processes, and bytes resident at most."""

    wall: float
    cpu: float
    peak: int


def unavailable(program: Program) -> str | None:
    """Install what a program needs; return why it cannot run here, or ``None``."""
    if "pyspark" in program.needs and shutil.which("java") is None:
        return "there is no Java here"
    if not program.needs or _imports(program.needs):
        return None
    if not VENV.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pinned = (HERE / "requirements.txt").read_text().split()
    wanted = [line for line in pinned if line.partition("==")[0].partition("[")[0] in program.needs]
    if subprocess.run([str(VENV / "bin/pip"), "install", "--quiet", *wanted], check=False).returncode:
        return f"{' '.join(wanted)} does not install here"
    return None


def _imports(packages: Sequence[str]) -> bool:
    python = VENV / "bin/python"
    if not python.exists():
        return False
    tried = subprocess.run([python, "-c", f"import {', '.join(packages)}"], capture_output=True, check=False)
    return tried.returncode == 0


def command(program: Program, data: Path, out: Path, *more: str) -> list[str]:
    """Return how to run a program over the messages of a folder."""
    python = VENV / "bin/python" if program.needs else Path(sys.executable)
    files = (HERE / program.file, data / "messages.ndjson", out, data / "schema.json")
    return [str(python), *map(str, files), *program.more, *more]


def run(commands: Sequence[tuple[list[str], int]], log: Path) -> Run:
    """Run programs at once, each on its core, from empty folders.

    Args:
        commands: Each with the core it is pinned to; the third part is its folder.
        log: What they print.

    Raises:
        SystemExit: A program failed.
    """
    for words, _ in commands:
        shutil.rmtree(words[3], ignore_errors=True)
    ours = os.sched_getaffinity(0)
    start = time.monotonic()
    with log.open("wb") as printed:
        processes = []
        for words, core in commands:
            os.sched_setaffinity(0, {core})  # the program inherits it
            processes.append(_started(words, printed.fileno()))
        os.sched_setaffinity(0, ours)
        watch = _Watch([process.pid for process in processes])
        ended = [os.wait4(process.pid, 0) for process in processes]
        wall = time.monotonic() - start
        left = watch.close()
    if any(status for _, status, _ in ended):
        raise SystemExit(f"{commands[0][0][1]} failed:\n{log.read_text(errors='replace')[-3000:]}")
    cpu = sum(usage.ru_utime + usage.ru_stime for _, _, usage in ended) + left
    return Run(wall, cpu, max(watch.peak, sum(usage.ru_maxrss for _, _, usage in ended) * 1024))


def _started(words: list[str], printed: int) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.Popen(words, env=environment, stdout=printed, stderr=printed, start_new_session=True)


class _Watch:
    """Looks at all processes of some sessions: Spark's work is done by a child that nobody waits for."""

    def __init__(self, sessions: Sequence[int]) -> None:
        self.peak = 0
        self._sessions = {str(session).encode() for session in sessions}
        self._cpu: dict[int, float] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def close(self) -> float:
        """Wait for processes left behind; return the CPU seconds of those."""
        self._done.set()
        self._thread.join()
        left: set[int] = set()
        until = time.monotonic() + 20
        while (alive := self._look()) and time.monotonic() < until:
            left |= alive
            time.sleep(INTERVAL)
        return sum(self._cpu[pid] for pid in left)

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL):
            self._look()

    def _look(self) -> set[int]:
        resident, alive = 0, set()
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                data = Path("/proc", name, "stat").read_bytes()
            except OSError:
                continue
            parts = data[data.rindex(b")") + 2 :].split()
            if parts[3] in self._sessions and parts[0] != b"Z":
                alive.add(int(name))
                resident += int(parts[21]) * _PAGE
                self._cpu[int(name)] = (int(parts[11]) + int(parts[12])) / _TICKS
        self.peak = max(self.peak, resident)
        return alive
