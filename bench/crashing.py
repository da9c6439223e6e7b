"""A crash rig: a bridge in a process of its own, under load, killed again and again.

The embedded broker runs in this process, the bridge in another.  After every
kill the cheap invariant is looked at; in the end the bridge drains its queue
and :mod:`verifying` compares everything with everything.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from verifying import Findings, Sent, acknowledged_but_missing, verify

from cdsbridge.emulator.dataverse import Organization, Post, metadata, traffic
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.errors import BridgeError
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.load import load_config
from cdsbridge.pipelines.post import post_all

QUEUE = "dataverse"
PATIENCE = 120.0
"""Seconds after which a bridge that does nothing is a failure."""
REACHED = {
    "received": 8,
    "flattened": 6,
    "staged": 4,
    "history_written": 4,
    "all_written": 4,
    "sink_committed": 4,
    "committed": 2,
    "half_settled": 2,
    "settled": 2,
}
"""Named point to how often, at most, it is passed before the kill: those inside a commit once a sink.

So often that the backlog (:attr:`Poster.READY`) still lasts: a kill must find a bridge at work."""
MOMENTS = 1.5
"""Seconds after the first message was received within which a random kill comes."""

CONFIG = """\
name: killed
source:
  connection_string: {connection}
  entities: [{queue}]
  batch: 100
  max_in_flight: 1500
  max_deliveries: 1000000
metadata: {folder}/metadata.json
sinks:
  - kind: parquet
    url: {folder}/parquet
  - kind: sql
    url: sqlite:///{folder}/bridge.db
commit:
  seconds: 0.5
  messages: 400
state: {folder}/state
"""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, and what stood when the process was dead.

    Attributes:
        where: The named point and its count, or the moment.
        locked: Messages that the dead process had under lock.
        missing: Messages gone from the broker that are not in every ledger.
    """

    where: str
    locked: int
    missing: int


class CrashRig:
    """One broker, one queue under load, one set of tables, and a bridge to be killed."""

    def __init__(self, bus: RunningBroker, folder: Path, seed: int) -> None:
        self.folder = folder
        self.conf = folder / "bridge.yaml"
        self.bus = bus
        self._rng = random.Random(seed)
        self._log = folder / "bridge.log"
        self.config = write_config(folder, bus.connection_string)
        self.poster = Poster(bus, self.config, seed)
        self.kills: list[Kill] = []

    def kill_at(self, point: str) -> Kill:
        """Run the bridge until it dies at a named point, passed a random number of times."""
        action = f"{point}:kill@{self._rng.randint(1, REACHED[point])}"
        with self.bridge(CDSBRIDGE_FAILPOINT=action) as process:
            process.wait(PATIENCE)
        return self._killed(process, action)

    def kill_at_a_moment(self) -> Kill:
        """Run the bridge, and kill it at a random moment after its first message."""
        moment = self._rng.uniform(0, MOMENTS)
        with self.bridge() as process:
            self.wait_for_messages(process)
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        return self._killed(process, f"{moment:.2f} s")

    def drain(self) -> None:
        """Stop the load, and let the bridge empty the queue."""
        self.poster.stop()
        with self.bridge("--drain", "--output", "json") as process:
            process.wait(PATIENCE)
        if process.returncode != 0:
            raise AssertionError(f"the drain ended with {process.returncode}: {self._last_words()}")

    def verify(self) -> Findings:
        """Compare what was sent with the broker, the sinks, the quarantine and the audit.

        Raises:
            AssertionError: A bridge broke of itself and was started again.
        """
        if b"Traceback" in self._log.read_bytes() or b"the pipeline broke" in self._log.read_bytes():
            raise AssertionError(f"a bridge broke: see {self._log}: {self._last_words()}")
        return verify(self.config, self.bus, self.conf, self.poster.sent())

    def locked(self) -> int:
        """Return how many messages are under lock."""
        return self.bus.call(lambda namespace: namespace.queue(QUEUE).depth()["locked"])

    @contextmanager
    def bridge(self, *options: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a bridge in a process of its own, at most as long as the block."""
        command = [
            sys.executable,
            "-m",
            "cdsbridge.pipelines.cli",
            "run",
            str(self.conf),
            "--quiet",
            *options,
        ]
        with (
            self._log.open("ab") as log,
            subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environment}) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def wait_for_messages(self, process: subprocess.Popen[bytes]) -> None:
        """Return when the bridge's journal tells of its first message."""
        deadline = time.monotonic() + PATIENCE
        while not any(self.folder.glob(f"state/journal/*-{process.pid}-*")):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the bridge received nothing: {self._last_words()}")
            time.sleep(0.01)

    def _killed(self, process: subprocess.Popen[bytes], where: str) -> Kill:
        if process.returncode != -signal.SIGKILL:
            raise AssertionError(f"{where}: the bridge ended with {process.returncode}: {self._last_words()}")
        locked = self.locked()
        missing = acknowledged_but_missing(self.config, self.bus, self.poster.accepted)
        kill = Kill(where, locked, len(missing))
        self.kills.append(kill)
        return kill

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def active(namespace: Namespace) -> int:
    """Return how many messages of the queue wait."""
    return namespace.queue(QUEUE).depth()["active"]


def issued(namespace: Namespace) -> int:
    """Return the highest number the queue has given a message."""
    return namespace.queue(QUEUE).last_number


def oldest(namespace: Namespace) -> int:
    """Return the lowest number in the queue, 0 if it is empty."""
    first = namespace.queue(QUEUE).peek(1, 1)
    return first[0].sequence_number if first else 0


class Poster(threading.Thread):
    """Posts a simulated Dataverse's messages, and keeps the queue from running empty."""

    READY = 600
    """Messages that wait in the queue at any time, about."""

    def __init__(self, bus: RunningBroker, config: BridgeConfig, seed: int) -> None:
        super().__init__(name="poster", daemon=True)
        self.accepted = 0
        """How many messages the broker has taken so far; the queue numbers them from 1."""
        self._bus = bus
        self._config = config
        self._seed = seed
        self._drawn: deque[Post] = deque()
        self._posts: list[Post] = []
        self._enough = threading.Event()
        self._held = threading.Event()
        self._resting = threading.Event()
        self._failed: BridgeError | None = None

    def run(self) -> None:
        """Post until told to stop."""
        try:
            post_all(self._config.source, QUEUE, self._flow(), self._count)
        except BridgeError as error:
            self._failed = error

    def stop(self) -> None:
        """Post no more."""
        self._enough.set()
        self.join(PATIENCE)
        if self._failed is not None:
            raise self._failed

    def sent(self) -> Sent:
        """Return everything that was posted, as often as the broker took it, after the stop."""
        return Sent(QUEUE, tuple(self._posts))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing be under way to the broker for the length of a block."""
        self._resting.clear()
        self._held.set()
        self._resting.wait(PATIENCE)
        yield
        self._held.clear()

    def _count(self, sent: int) -> None:
        """Note a batch, as often as it was taken: one that was not confirmed is sent again."""
        batch = [self._drawn.popleft() for _ in range(sent)]
        numbered = self._bus.call(issued)
        self._posts += batch * ((numbered - self.accepted) // sent)
        self.accepted = numbered

    def _flow(self) -> Iterator[Post]:
        organization = Organization(
            seed=self._seed, start=datetime(2026, 3, 2, 8, tzinfo=UTC), remember=False
        )
        posts = traffic(organization, 100_000, duplicates=0.1, reorder=40, late=0.01, poison=0.02)
        for number, post in enumerate(posts):
            while self._waits(number) and not self._enough.wait(0.02):
                pass
            if self._enough.is_set():
                return
            self._drawn.append(post)
            yield post

    def _waits(self, number: int) -> bool:
        if self._held.is_set():
            self._resting.set()
            return True
        return number % 20 == 0 and self._bus.call(active) >= self.READY


def write_config(
    folder: Path, connection: str, queue: str = QUEUE, settings: Sequence[str] = ()
) -> BridgeConfig:
    """Write a bridge of Parquet and SQLite sinks into a folder, and return it with settings laid over it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps(metadata()), encoding="utf-8")
    path = folder / "bridge.yaml"
    path.write_text(CONFIG.format(connection=connection, queue=queue, folder=folder), encoding="utf-8")
    return load_config(path, settings, environment={})


@contextmanager
def crash_rig(folder: Path, seed: int, lock_seconds: float = 4.0) -> Iterator[CrashRig]:
    """Lend a rig with its load running."""
    namespace = Namespace()
    namespace.create_queue(QUEUE, QueueSettings(lock_duration=lock_seconds, max_delivery_count=1_000_000))
    with run_in_thread(namespace) as bus, loaded(CrashRig(bus, folder, seed)) as rig:
        yield rig


@contextmanager
def loaded(rig: CrashRig) -> Iterator[CrashRig]:
    """Lend a rig with its load running."""
    rig.poster.start()
    try:
        yield rig
    finally:
        rig.poster.stop()
