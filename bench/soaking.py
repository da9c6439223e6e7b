"""The rig of ``soak.py``: a broker that can fail, a steady load, a bridge process, and a watch on all."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from crashing import PATIENCE, QUEUE, write_config
from verifying import acknowledged_but_missing, audit, histories, parquet_folder, read_parquet, read_sqlite

from cdsbridge.emulator.amqp.sections import APPLICATION_PROPERTIES, DATA, PROPERTIES, section
from cdsbridge.emulator.amqp.types import Symbol
from cdsbridge.emulator.dataverse import Organization, Post, traffic
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.emulator.server.content import read_content
from cdsbridge.pipelines.config import BridgeConfig

LOCK: Final = 20.0
AWAY: Final = 5.0
"""Seconds for which the broker is gone when it restarts."""
LOADED: Final = 0.9
"""Share of the messages that must have been sent for the run to mean anything."""
ORGANIZATION: Final = 5_000
"""Messages of one simulated organization."""
SETTINGS: Final = (
    "source.batch=200",
    "source.max_in_flight=3000",
    "commit.seconds=2",
    "commit.messages=2000",
)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a process used at a moment.

    Attributes:
        at: Seconds since the beginning.
        resident: Bytes of memory.
        files: Open file handles.
        threads: Threads.
    """

    at: float
    resident: int
    files: int
    threads: int


@dataclass(frozen=True, slots=True)
class Life:
    """One process of the bridge, and how it looked."""

    name: str
    process: "subprocess.Popen[bytes]"
    looked: list[Looked] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outage:
    """A fault, the seconds until all messages from before it were settled, and the most that waited then."""

    fault: str
    seconds: float
    waiting: int


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in the end: sentences to read, and those of them that must not be."""

    sentences: tuple[str, ...]
    faults: tuple[str, ...]


class Station:
    """A broker with its queue in a file; it can go away and come back at the same port."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._open = ExitStack()
        self._port = 0
        self.bus = self._start()

    def _start(self) -> RunningBroker:
        bus = self._open.enter_context(run_in_thread(self._namespace, port=self._port))
        self._port = bus.port
        return bus

    def _namespace(self) -> Namespace:
        namespace = Namespace(path=self._file)
        namespace.create_queue(QUEUE, QueueSettings(lock_duration=LOCK, max_delivery_count=1_000_000))
        return namespace

    def restart(self, away: float) -> None:
        """Go away for so many seconds."""
        self._open.close()
        time.sleep(away)
        self.bus = self._start()

    def close(self) -> None:
        """End the broker."""
        self._open.close()


class Soak:
    """A broker under steady load, a bridge that empties it, faults, and what all of them use.

    Args:
        folder: Where everything is kept.
        rate: Messages a second.
        seed: Of the messages.
    """

    def __init__(self, folder: Path, rate: int, seed: int) -> None:
        self._folder = folder
        self._rate = rate
        self._seed = seed
        folder.mkdir(parents=True, exist_ok=True)
        self.station = Station(folder / "broker.db")
        self.config: BridgeConfig = write_config(folder, self.station.bus.connection_string, QUEUE, SETTINGS)
        self.conf = folder / "bridge.yaml"
        self.lives: list[Life] = []
        self.broker: list[Looked] = []
        self.outages: list[Outage] = []
        self._begun = time.monotonic()
        self._broker_here = threading.Lock()
        self._enough = threading.Event()
        self._seconds = 0.0
        self._sent = 0
        self._log = (folder / "bridge.log").open("ab")

    def run(
        self,
        seconds: float,
        every: float,
        faults: "Iterator[tuple[str, Callable[[Soak], None]]]",
        say: Callable[[str], None],
    ) -> None:
        """Load for so long, with a fault now and then; then drain."""
        self._seconds = seconds
        self.start_bridge()
        workers = [threading.Thread(target=work, daemon=True) for work in (self._load, self._watch)]
        for worker in workers:
            worker.start()
        while (left := seconds - (time.monotonic() - self._begun)) > every:
            time.sleep(every)
            name, strike = next(faults)
            before = self._sent
            with self._broker_here:
                strike(self)
            self.outages.append(self._outage(name, before, PATIENCE))
            say(f"{time.monotonic() - self._begun:6.0f} s: {self.outages[-1]}, {self._sent:,} sent")
        time.sleep(max(0.0, left))
        self._enough.set()
        for worker in workers:
            worker.join()
        self._drain()

    def start_bridge(self) -> None:
        """Start a process of the bridge."""
        self.lives.append(Life(f"bridge {len(self.lives) + 1}", self._bridge()))

    def _bridge(self, *options: str) -> "subprocess.Popen[bytes]":
        command = [
            sys.executable,
            "-m",
            "cdsbridge.pipelines.cli",
            "run",
            str(self.conf),
            "--quiet",
            *options,
        ]
        command += [word for setting in SETTINGS for word in ("--set", setting)]
        return subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def kill_bridge(self) -> None:
        """Kill the bridge and start another."""
        process = self.lives[-1].process
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.start_bridge()

    def _drain(self) -> None:
        process = self.lives[-1].process
        process.terminate()
        process.wait(PATIENCE)
        ended = self._bridge("--drain").wait(10 * PATIENCE)
        if ended != 0:
            raise AssertionError(f"the drain ended with {ended}: see {self._log.name}")

    def _waiting(self) -> int:
        kinds = self.station.bus.call(lambda namespace: namespace.queue(QUEUE).depth())
        return kinds["active"] + kinds["locked"]

    def _outage(self, fault: str, before: int, patience: float) -> Outage:
        begun, most = time.monotonic(), 0
        while (taken := time.monotonic() - begun) < patience:
            most = max(most, self._waiting())
            if self._oldest() > before:
                break
            time.sleep(0.1)
        return Outage(fault, taken, most)

    def _oldest(self) -> int:
        peeked = self.station.bus.call(lambda namespace: namespace.queue(QUEUE).peek(1, 1))
        return peeked[0].sequence_number if peeked else self._sent + 1

    def _load(self) -> None:
        posts = _posts(self._seed)
        with (self._folder / "sent.txt").open("w", encoding="ascii") as noted:
            while not self._enough.wait(0.05):
                due = int(self._rate * (time.monotonic() - self._begun)) - self._sent
                some = list(itertools.islice(posts, min(due, self._rate)))
                contents = [_content(post) for post in some]
                with self._broker_here:
                    self.station.bus.call(partial(_send, contents))
                self._sent += len(some)
                noted.writelines(f"{post.event.operation_id}\n" for post in some if post.event is not None)

    def _watch(self) -> None:
        while not self._enough.wait(1.0):
            at = time.monotonic() - self._begun
            life = self.lives[-1]
            for process, looked in ((life.process.pid, life.looked), (os.getpid(), self.broker)):
                if (seen := _look(process, at)) is not None:
                    looked.append(seen)

    def verify(self) -> Found:
        """Compare what was sent with the broker, both sinks and the audit."""
        bus = self.station.bus
        missing = len(acknowledged_but_missing(self.config, bus, self._sent))
        left, audited = self._waiting(), audit(self.conf)
        dead = bus.call(lambda namespace: namespace.queue(QUEUE).depth()["dead_lettered"])
        self.station.close()
        events = len(set((self._folder / "sent.txt").read_text(encoding="ascii").split()))
        column = "_event_id"
        sqlite = [
            row[column] for name in histories(self.config) for row in read_sqlite(self.config, name, column)
        ]
        folders = parquet_folder(self.config).glob("*_history")
        parquet = {row[column] for folder in folders for row in read_parquet(folder, [column])}
        sentences = (
            f"{self._sent:,} messages were sent of {events:,} events, and {dead:,} dead-lettered",
            f"SQLite holds {len(set(sqlite)):,} events, Parquet {len(parquet):,}",
        )
        wrong = {
            f"{missing} messages are gone and not in every ledger": missing,
            f"{left} messages are left in the queue": left,
            "much less was sent than was to be": self._sent < LOADED * self._rate * self._seconds,
            f"{len(sqlite) - len(set(sqlite))} events are in SQLite twice": len(sqlite) - len(set(sqlite)),
            "the sinks do not hold what was sent": events != len(set(sqlite)) or set(sqlite) != parquet,
            f"the audit ended with {audited}": audited,
        }
        return Found(sentences, tuple(sentence for sentence, amiss in wrong.items() if amiss))


def _posts(seed: int) -> Iterator[Post]:
    """Yield messages without end, of one organization after another: each remembers its rows."""
    for number in itertools.count(1000 * seed):
        organization = Organization(seed=number, start=datetime(2026, 3, 2, 8, tzinfo=UTC), remember=False)
        posts = traffic(organization, 2 * ORGANIZATION, duplicates=0.05, reorder=40, late=0.01, poison=0.001)
        yield from itertools.islice(posts, ORGANIZATION)


def _send(contents: Sequence[Content], namespace: Namespace) -> None:
    namespace.queue(QUEUE).send(contents)


def _content(post: Post) -> Content:
    fields = [post.message_id, None, None, None, None, post.correlation_id, Symbol(post.content_type)]
    return read_content(
        section(PROPERTIES, fields)
        + section(APPLICATION_PROPERTIES, {name: str(value) for name, value in post.properties.items()})
        + section(DATA, post.body)
    )


def _look(process: int, at: float) -> Looked | None:
    folder = Path("/proc", str(process))
    try:
        told = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        files = len(os.listdir(folder / "fd"))
    except OSError:
        return None
    if "VmRSS" not in told:
        return None
    return Looked(at, int(told["VmRSS"].split()[0]) * 1024, files, int(told["Threads"]))
