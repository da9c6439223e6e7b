"""Faults around a running bridge: it holds, says so, loses nothing, and ends as it is told to."""

import contextlib
import os
import queue
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from crashing import QUEUE, crash_rig, write_config
from verifying import audit, read_sqlite, sqlite_path

from cdsbridge.emulator.dataverse import Organization, Post, traffic
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.pipelines.audit import audit_bridge
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.post import post_all

PATIENCE = 60.0
KEY = "the right key"


@pytest.fixture
def bus() -> Iterator[RunningBroker]:
    namespace = Namespace()
    namespace.create_queue(QUEUE, QueueSettings(lock_duration=300))
    with run_in_thread(namespace, key=KEY) as running:
        yield running


def day(messages: int, poison: float = 0.0) -> Iterator[Post]:
    organization = Organization(seed=messages, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
    return traffic(organization, messages, poison=poison, duplicates=0)


def in_queue(bus: RunningBroker) -> int:
    return bus.call(lambda namespace: namespace.queue(QUEUE).size)


def wait_until(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if condition():
            return
        tick.wait(0.02)
    raise AssertionError("what was waited for did not come")


class Bridge:
    """A bridge in a process of its own, and what it says on standard error."""

    def __init__(self, conf: Path, *options: str) -> None:
        command = [sys.executable, "-m", "cdsbridge.pipelines.cli", "run", str(conf), "--quiet", *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        self.said: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.process.stderr or ():
            self._lines.put(line)

    def says(self, words: str) -> str:
        """Wait for a line with these words, and return it."""
        while words not in (line := self._lines.get(timeout=PATIENCE)):
            self.said.append(line)
        return line

    def end(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def running(conf: Path, *options: str) -> Iterator[Bridge]:
    bridge = Bridge(conf, *options)
    try:
        yield bridge
    finally:
        bridge.process.kill()
        bridge.process.wait()


def holds_while(
    broken: Callable[[], contextlib.AbstractContextManager[object]],
    reason: str,
    bus: RunningBroker,
    config: BridgeConfig,
    conf: Path,
    *options: str,
) -> None:
    """Break a sink under a running bridge: nothing is settled until it is mended, then everything is."""
    with running(conf, *options) as bridge:
        post_all(config.source, QUEUE, day(50))
        wait_until(lambda: in_queue(bus) == 0)
        with broken():
            post_all(config.source, QUEUE, day(100))
            assert reason in bridge.says("Holding")
            bridge.says("Holding")
            assert in_queue(bus) == 100
            assert len(read_sqlite(config, "_ledger")) == 50
        wait_until(lambda: in_queue(bus) == 0)
        assert bridge.end() == 0
    assert len(read_sqlite(config, "_ledger")) == 150
    assert audit(conf) == 0


@contextlib.contextmanager
def locked_database(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_a_locked_database_holds_the_bridge_and_nothing_is_settled(
    bus: RunningBroker, tmp_path: Path
) -> None:
    config = write_config(tmp_path, bus.connection_string)
    locked = partial(locked_database, sqlite_path(config))
    holds_while(locked, "database is locked", bus, config, tmp_path / "bridge.yaml")


def test_a_bridge_that_is_asked_to_end_while_it_holds_gives_everything_back(
    bus: RunningBroker, tmp_path: Path
) -> None:
    config = write_config(tmp_path, bus.connection_string)
    post_all(config.source, QUEUE, day(20))
    with locked_database(sqlite_path(config)), running(tmp_path / "bridge.yaml") as bridge:
        bridge.says("Holding")
        assert bridge.end() == 69
    left = bus.call(lambda namespace: namespace.queue(QUEUE).peek(1, 100))
    assert [(message.delivery_count, message.locked_until) for message in left] == [(0, 0.0)] * 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: a full disk; mounting a small one takes Linux and root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_holds_the_bridge_and_nothing_is_settled(bus: RunningBroker, small_disk: Path) -> None:
    """Tables, journal and all: one message a line fills what room the journal's last block has."""
    config = write_config(small_disk, bus.connection_string)

    @contextlib.contextmanager
    def full() -> Iterator[None]:
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(512)):
                pass
        yield
        filler.unlink()

    one_by_one = ("--set", "source.batch=1")
    holds_while(full, "No space left on device", bus, config, small_disk / "bridge.yaml", *one_by_one)


def test_a_bridge_under_load_that_is_asked_to_end_settles_what_it_received(tmp_path: Path) -> None:
    with crash_rig(tmp_path, seed=5, lock_seconds=300) as rig:
        for asked, code in {signal.SIGTERM: 0, signal.SIGINT: 130}.items():
            with rig.bridge() as process:
                rig.wait_for_messages(process)
                process.send_signal(asked)
                assert process.wait(PATIENCE) == code
            assert rig.locked() == 0
        rig.drain()
        findings = rig.verify()
    assert findings.faults() == []
    assert findings.redelivered == 0


@dataclass(frozen=True)
class Ended:
    code: int
    said: str


NOWHERE = {
    "missing queue": ("--set", "source.entities=[nowhere]"),
    "wrong key": ("--set", "source.connection_string=${WRONG_KEY}"),
    "unreachable host": ("--set", "source.connection_string=${UNREACHABLE}"),
    "verbose": ("--set", "source.entities=[nowhere]", "--verbose"),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Start a bridge for each way that leads nowhere, all at once, and see how they end."""
    folder = tmp_path_factory.mktemp("nowhere")
    namespace = Namespace()
    namespace.create_queue(QUEUE)
    with socket.socket() as taken, run_in_thread(namespace, key=KEY) as bus:
        taken.bind(("127.0.0.1", 0))
        write_config(folder, bus.connection_string)
        environment = {
            **os.environ,
            "WRONG_KEY": bus.connection_string.replace(KEY, "a wrong key"),
            "UNREACHABLE": bus.connection_string.replace(str(bus.port), str(taken.getsockname()[1])),
        }
        command = [sys.executable, "-m", "cdsbridge.pipelines.cli", "run", str(folder / "bridge.yaml")]
        processes = {
            name: subprocess.Popen([*command, *options], stderr=subprocess.PIPE, env=environment, text=True)
            for name, options in NOWHERE.items()
        }
        said = {name: process.communicate(timeout=PATIENCE)[1] for name, process in processes.items()}
        return {name: Ended(process.returncode, said[name]) for name, process in processes.items()}


@pytest.mark.parametrize(
    ("way", "code", "sentence"),
    [
        ("missing queue", 69, "'nowhere' does not exist on localhost"),
        ("wrong key", 77, "refuses to let us receive from 'dataverse'"),
        ("unreachable host", 69, "cannot be reached for 'dataverse'"),
    ],
)
def test_a_bridge_that_cannot_begin_says_why_in_one_sentence(
    ended: dict[str, Ended], way: str, code: int, sentence: str
) -> None:
    told = [line for line in ended[way].said.splitlines() if "apitools" not in line]
    assert ended[way].code == code
    assert len(told) == 1, told
    assert told[0].startswith("cdsbridge: ")
    assert sentence in told[0]
    assert "key" not in told[0]


def test_with_verbose_the_traceback_is_shown_and_the_exit_code_is_the_same(ended: dict[str, Ended]) -> None:
    assert ended["verbose"].code == 69
    assert "Traceback" in ended["verbose"].said
    assert "SharedAccessKey" not in ended["verbose"].said
    assert KEY not in ended["verbose"].said


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The folder of a bridge that has drained its queue, and its exit code with few rejected allowed."""
    folder = tmp_path_factory.mktemp("drained")
    namespace = Namespace()
    namespace.create_queue(QUEUE)
    with run_in_thread(namespace) as bus:
        config = write_config(folder, bus.connection_string)
        post_all(config.source, QUEUE, day(100, poison=0.1))
        with running(folder / "bridge.yaml", "--drain", "--set", "max_rejected=9") as bridge:
            return folder, bridge.process.wait(PATIENCE)


def test_more_rejected_messages_than_allowed_end_in_4(drained: tuple[Path, int]) -> None:
    assert drained[1] == 4


def delete_row(folder: Path, table: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "bridge.db")) as database:
        database.execute(f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})")
        database.commit()


def delete_file(folder: Path, table: str) -> None:
    next((folder / "parquet" / table).rglob("*.parquet")).unlink()


TAMPERING: dict[str, Callable[[Path], None]] = {
    "a history row": lambda folder: delete_row(folder, "account_history"),
    "a ledger row": lambda folder: delete_row(folder, "_ledger"),
    "a quarantine row": lambda folder: delete_row(folder, "_quarantine"),
    "a Parquet history file": lambda folder: delete_file(folder, "account_history"),
    "a Parquet ledger file": lambda folder: delete_file(folder, "_ledger"),
}


@pytest.mark.parametrize("missing", TAMPERING)
def test_the_audit_sees_what_was_taken_away(drained: tuple[Path, int], tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drained[0], folder)
    config = write_config(folder, "Endpoint=sb://localhost;UseDevelopmentEmulator=true")
    assert audit_bridge(config).holds
    TAMPERING[missing](folder)
    assert not audit_bridge(config).holds


def test_the_command_audit_ends_in_0_or_3(drained: tuple[Path, int], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(drained[0], folder)
    write_config(folder, "Endpoint=sb://localhost;UseDevelopmentEmulator=true")
    assert audit(folder / "bridge.yaml") == 0
    delete_row(folder, "account_history")
    assert audit(folder / "bridge.yaml") == 3
