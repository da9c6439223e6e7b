"""Two bridges on one target by mistake: the one that started first stops, says why, and nothing is lost."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import pytest

from cdsbridge.emulator.dataverse import Organization, Post, traffic
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.pipelines.exit import Exit
from cdsbridge.pipelines.load import load_config
from cdsbridge.pipelines.post import post_all


@pytest.fixture
def bus() -> Iterator[RunningBroker]:
    namespace = Namespace()
    namespace.create_queue("q", QueueSettings(lock_duration=5, max_delivery_count=50))
    with run_in_thread(namespace) as running:
        yield running


class Bridge:
    """A bridge in a process of its own, which streams."""

    def __init__(self, path: Path, *options: str) -> None:
        command = [sys.executable, "-m", "cdsbridge.pipelines.cli", "run", str(path), "--quiet", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ended(self) -> tuple[int, str]:
        out, err = self.process.communicate(timeout=200)
        return self.process.returncode, out + err


def ledger(database: Path) -> int:
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM _ledger").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_the_bridge_that_started_first_stops_and_says_why(bus: RunningBroker, tmp_path: Path) -> None:
    database = tmp_path / "rows.db"
    path = tmp_path / "bridge.yaml"
    path.write_text(
        f"name: orders\nsource: {{connection_string: '{bus.connection_string}', entities: [q], batch: 20}}\n"
        f"sinks: [{{kind: sql, url: 'sqlite:///{database}'}}]\ncommit: {{seconds: 0.2}}\n"
    )
    config = load_config(path)
    organization = Organization(seed=3, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
    posts = list(traffic(organization, 200, duplicates=0, poison=0))
    enough, sent = threading.Event(), [0]

    def post() -> None:
        def flow() -> Iterator[Post]:
            for number, each in enumerate(cycle(posts)):
                if number % 20 == 0 and enough.wait(0.1):
                    return
                yield each

        post_all(config.source, "q", flow(), lambda count: sent.__setitem__(0, sent[0] + count))

    poster = threading.Thread(target=post)
    first = Bridge(path)
    poster.start()
    try:
        wait_until(lambda: ledger(database) > 0, first)
        second = Bridge(path)
        code, told = first.ended()
        assert code == Exit.TAKEN_OVER, told
        assert "orders" in told
        assert "taken" in told
    finally:
        enough.set()
        poster.join()
    second.process.terminate()
    assert second.ended()[0] == Exit.OK
    code, told = Bridge(path, "--drain").ended()
    assert code == Exit.OK, told
    assert ledger(database) == sent[0]


def wait_until(holds: Callable[[], bool], bridge: Bridge) -> None:
    pause = threading.Event()
    while not holds():
        assert bridge.process.poll() is None, bridge.ended()
        pause.wait(0.05)
