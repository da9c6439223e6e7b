"""What a sink that is away, full, locked or shot costs: time, and nothing else."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cdsbridge.model.counters import counters
from cdsbridge.model.errors import BridgeError, NotPermitted, SinkUnavailable
from cdsbridge.sinks import ParquetSink, SqlSink
from cdsbridge.sinks.audit import audit
from cdsbridge.sinks.base import Claim, Sink, SinkReader, SinkWriter
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.holding import Backoff
from cdsbridge.sinks.testing.history import TABLE
from cdsbridge.sinks.testing.places import Place

from .batches import NOW, STRICT, Post, flattened, text
from .places import PLACES, ParquetPlace, SqlitePlace

SOON = Backoff(first=0.001, cap=0.01)
POSTS = [Post(i, f"e{i}", [("account", {"name": text(f"N{i}")})]) for i in range(20)]


class Holds:
    """Hears of every hold and mends the cause at the second one."""

    def __init__(self, mend: Callable[[], object]) -> None:
        self.heard: list[tuple[str, BridgeError, float]] = []
        self._mend = mend

    def __call__(self, sink: str, error: BridgeError, seconds: float) -> None:
        self.heard.append((sink, error, seconds))
        if len(self.heard) == 2:
            self._mend()


def lock(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_a_locked_database_is_waited_for_and_then_written(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    place.sink.open().close()
    locker = lock(place.path)
    seen_while_held: list[object] = []

    def let_go() -> None:
        seen_while_held.append(locker.execute("SELECT count(*) FROM _ledger").fetchone()[0])
        locker.close()

    counters.reset()
    holds = Holds(let_go)
    committer = Committer([place.sink], on_hold=holds, backoff=SOON)
    committer.add(flattened(POSTS))
    assert len(committer.flush()[0].dispositions) == 20
    assert seen_while_held == [0]
    assert len(place.rows(TABLE)) == 20
    assert all("database is locked" in str(error) for _, error, _ in holds.heard)
    assert holds.heard[0][0] == place.sink.name
    assert counters.read()["sink_retries"] == len(holds.heard) == 2
    committer.close()


def test_a_folder_that_cannot_be_made_is_waited_for_and_then_written(tmp_path: Path) -> None:
    place = ParquetPlace(tmp_path)
    place.root.mkdir()
    obstacle = place.root / TABLE
    obstacle.write_bytes(b"a file where a folder must be")
    holds = Holds(obstacle.unlink)
    committer = Committer([place.sink], on_hold=holds, backoff=SOON)
    committer.add(flattened(POSTS))
    assert len(committer.flush()[0].dispositions) == 20
    assert len(place.rows(TABLE)) == 20
    assert str(place.root) in str(holds.heard[0][1])
    committer.close()


def test_a_folder_that_becomes_read_only_is_waited_for(tmp_path: Path) -> None:
    place = ParquetPlace(tmp_path)
    staging = place.root / "_staging"
    holds = Holds(lambda: staging.chmod(0o700))
    committer = Committer([place.sink], on_hold=holds, backoff=SOON)
    committer.add(flattened(POSTS[:1]))
    committer.flush()
    staging.chmod(0o500)
    if os.access(staging, os.W_OK):
        pytest.skip("nothing is forbidden to this user")
    committer.add(flattened(POSTS[1:]))
    assert len(committer.flush()[0].dispositions) == 19
    assert len(holds.heard) == 2
    committer.close()


FULL_DISK = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from cdsbridge.sinks.commit import Committer
from tests_sinks.batches import flattened, text
from tests_sinks.places import PLACES
from tests_sinks.test_faults import POSTS, SOON, TABLE

place = PLACES[sys.argv[1]](Path(sys.argv[2]))
place.sink.open().close()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
heard = []

def on_hold(sink, error, seconds):
    heard.append(str(error))
    assert place.rows("_ledger") == [] and place.rows(TABLE) == [], "nothing may be visible yet"
    if len(heard) == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

committer = Committer([place.sink], on_hold=on_hold, backoff=SOON)
long = [replace(post, rows=[("account", {"name": text("long " * 2_000)})]) for post in POSTS]
committer.add(flattened(long))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), hard))
assert len(committer.flush()[0].dispositions) == 20
assert len(place.rows(TABLE)) == 20 and len(heard) == 2, heard
committer.close()
print(heard[0])
"""


def run_child(program: str, *arguments: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program that imports these tests as ``tests_sinks``, which need not be on its path."""
    here = Path(__file__).parent
    finder = (
        "import importlib.machinery, sys, types\n"
        "package = types.ModuleType('tests_sinks')\n"
        f"package.__path__ = [{str(here)!r}]\n"
        "sys.modules['tests_sinks'] = package\n"
    )
    environment = {**os.environ, "CDSBRIDGE_FAILPOINT": failpoint}
    return subprocess.run(
        [sys.executable, "-c", finder + program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(("name", "limit"), [("parquet", 2_000), ("sqlite", 40_000)])
def test_a_full_disk_is_waited_for_and_then_written(tmp_path: Path, name: str, limit: int) -> None:
    child = run_child(FULL_DISK, name, str(tmp_path), str(limit))
    assert child.returncode == 0, child.stderr
    assert str(tmp_path) in child.stdout


COMMIT_ALL = """
import sys
from pathlib import Path
from cdsbridge.sinks.commit import Committer
from tests_sinks.batches import flattened
from tests_sinks.places import PLACES
from tests_sinks.test_faults import POSTS

committer = Committer([PLACES[name](Path(sys.argv[1], name)).sink for name in sys.argv[2:]])
for start in range(0, 20, 5):
    committer.add(flattened(POSTS[start : start + 5]))
    committer.flush()
"""


@pytest.mark.parametrize("point", ["staged", "committed"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_process_killed_at_a_commit_loses_nothing_and_doubles_nothing(
    tmp_path: Path, point: str, count: int
) -> None:
    names = ["parquet", "sqlite"]
    child = run_child(COMMIT_ALL, str(tmp_path), *names, failpoint=f"{point}:kill@{count}")
    assert child.returncode == -signal.SIGKILL, child.stderr
    places: list[Place] = [PLACES[name](tmp_path / name) for name in names]
    # a flush stages once in each of the two sinks, and is committed once
    flushed = (count - 1) // 2 if point == "staged" else count
    for place in places:
        assert len(place.rows(TABLE)) == len(place.rows("_ledger")) == 5 * flushed
    committer = Committer([place.sink for place in places])
    committer.add(flattened(POSTS[::-1]))
    committer.flush()
    committer.close()
    readers = {place.sink.name: place.sink.read() for place in places}
    report = audit((post.key for post in POSTS), readers)
    assert report.holds, report.lines()
    assert [len(place.rows(TABLE)) for place in places] == [20, 20]


def test_a_stop_ends_the_waiting_and_gives_no_disposition(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    place.sink.open().close()
    stop = threading.Event()
    held: list[str] = []

    def on_hold(sink: str, error: BridgeError, seconds: float) -> None:
        held.append(sink)
        stop.set()

    with closing(lock(place.path)):
        committer = Committer([place.sink], stop=stop, on_hold=on_hold, backoff=Backoff(600, 600))
        committer.add(flattened(POSTS))
        with pytest.raises(SinkUnavailable, match="Stopped while waiting"):
            committer.flush()
    assert len(held) == 1
    assert place.rows("_ledger") == []
    assert len(committer.flush()[0].dispositions) == 20, "what was gathered is kept"
    committer.close()


def test_a_stop_does_not_disturb_a_sink_that_is_there(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    place = ParquetPlace(tmp_path)
    committer = Committer([place.sink], stop=stop)
    committer.add(flattened(POSTS))
    assert len(committer.flush()[0].dispositions) == 20
    committer.close()


class Fussy:
    """A real sink that refuses to be opened a given number of times, or from then on."""

    def __init__(self, sink: Sink, answers: list[BridgeError | None]) -> None:
        self._sink = sink
        self._answers = answers

    @property
    def name(self) -> str:
        return self._sink.name

    @property
    def history(self) -> bool:
        return self._sink.history

    @property
    def state(self) -> bool:
        return self._sink.state

    @property
    def wants_messages(self) -> bool:
        return self._sink.wants_messages

    @property
    def max_columns(self) -> int:
        return self._sink.max_columns

    @property
    def may_refuse(self) -> bool:
        return self._sink.may_refuse

    def open(self, claim: Claim | None = None) -> SinkWriter:
        answer = self._answers.pop(0) if self._answers else None
        if answer:
            raise answer
        return self._sink.open(claim)

    def read(self) -> SinkReader:
        return self._sink.read()


class First(Fussy):
    """A real sink that commits before those that follow it in the configuration."""

    @property
    def may_refuse(self) -> bool:
        return True


def test_a_sink_that_refuses_us_at_first_contact_ends_the_run(tmp_path: Path) -> None:
    sink = Fussy(ParquetPlace(tmp_path).sink, [NotPermitted("no")])
    committer = Committer([sink], backoff=SOON)
    committer.add(flattened(POSTS))
    with pytest.raises(NotPermitted):
        committer.flush()


def test_a_sink_that_refuses_us_later_is_waited_for(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path)
    sink = Fussy(place.sink, [None, NotPermitted("no"), NotPermitted("no")])
    holds = Holds(lambda: None)
    committer = Committer([sink], on_hold=holds, backoff=SOON)
    committer.add(flattened(POSTS[:10]))
    committer.flush()
    with closing(sqlite3.connect(place.path)) as connection:
        connection.execute("DROP TABLE account_history")
    committer.add(flattened(POSTS[10:]))
    assert len(committer.flush()[0].dispositions) == 10
    assert [str(error) for _, error, _ in holds.heard][1:] == ["no", "no"]
    assert "no such table" in str(holds.heard[0][1])
    assert len(place.rows(TABLE)) == 10
    committer.close()


def test_a_sink_that_was_written_is_not_written_again_while_another_is_away(tmp_path: Path) -> None:
    lake, base = ParquetPlace(tmp_path), SqlitePlace(tmp_path)
    files: list[set[str]] = []
    days = iter(range(NOW, NOW + 10**12, 86_400_000_000))

    def on_hold(sink: str, error: BridgeError, seconds: float) -> None:
        files.append({str(path) for path in lake.root.rglob("*.parquet")})
        if len(files) == 2:
            locker.close()

    sinks: list[Sink] = [First(lake.sink, []), base.sink]
    committer = Committer(sinks, clock=lambda: next(days), on_hold=on_hold, backoff=SOON)
    committer.add(flattened(POSTS[:10]))
    committer.flush()
    locker = lock(base.path)
    committer.add(flattened(POSTS[10:]))
    committer.flush()
    committer.close()
    assert files[0] == files[1] == {str(path) for path in lake.root.rglob("*.parquet")}
    assert len(files[0]) == 4, "of two flushes, one file of history each and one of the ledger"
    assert len(base.rows(TABLE)) == 20


def test_a_writer_whose_columns_another_changed_plans_again(tmp_path: Path) -> None:
    for name, make in PLACES.items():
        sink = make(tmp_path / name).sink
        one, other = (Committer([sink], backoff=SOON, contracts=STRICT) for _ in range(2))
        for committer in (one, other):
            committer.add(flattened(POSTS[:1]))
            committer.flush()
        one.add(flattened([Post(31, "x", [("account", {"size": text("big")})])]))
        other.add(flattened([Post(32, "y", [("account", {"size": text("1").cast("int64")})])]))
        verdicts = [c.flush()[0].dispositions[0].verdict for c in (one, other)]
        assert [v.reason for v in verdicts] == ["", "type-conflict"], name
        one.close()
        other.close()


@pytest.mark.parametrize(
    "sink",
    [
        SqlSink.model_validate({"url": "postgresql+nodriver://bob:S3cret!@db.invalid/rows?token=T0ken"}),
        ParquetSink.model_validate({"url": "az://acc/box/rows", "options": {"no_such_option": "S3cret!"}}),
    ],
)
def test_no_secret_stands_in_an_error_a_name_or_a_representation(sink: Sink) -> None:
    with pytest.raises(BridgeError) as caught:
        sink.open()
    for said in (str(caught.value), repr(caught.value), repr(sink), str(sink), sink.name):
        assert "S3cret!" not in said
        assert "T0ken" not in said
    assert caught.value.__cause__ is None
