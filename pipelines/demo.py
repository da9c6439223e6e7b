"""The command ``demo``: the whole bridge on one machine, with a crash in the middle."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..emulator.dataverse import Encoding, Organization, Post, metadata, traffic
from ..model.errors import BridgeError, ConfigError, ServiceUnreachable
from .config import BridgeConfig
from .demo_report import report
from .exit import Exit
from .load import load_config
from .post import chosen, post_all
from .published import published_posts

QUEUE: Final = "dataverse"
ENCODINGS: Final = tuple(Encoding)
"""In which encodings the day is posted unless others are named."""
_RARE: Final = 0.02
"""Share of rarer messages: parties, pairs of rows, several rows in one message, merges."""
_MARKER: Final = ".cdsbridge-demo"
_LOCK_SECONDS: Final = 5
_SAY_EVERY: Final = 3.0
"""Seconds between two lines of progress where there is no terminal."""
_PATIENCE: Final = 300.0
"""Seconds a part of the demo may take before it is given up."""

CONFIG: Final = """\
name: demo
source:
  connection_string: {connection}
  entities: [{queue}]
metadata: {folder}/metadata.json
sinks:
  - kind: parquet
    url: {folder}/parquet
  - kind: delta
    url: {folder}/delta
  - kind: sql
    url: sqlite:///{folder}/bridge.db
commit:
  seconds: 1
  messages: 500
state: {folder}/state
"""


@dataclass(frozen=True, slots=True)
class Day:
    """The business day that is posted.

    Attributes:
        organization: The simulated organisation, which knows the truth.
        posts: Everything that is posted, in order.
        published: How many of them are messages that others captured and published.
    """

    organization: Organization
    posts: Sequence[Post]
    published: int


def demo_command(count: int, folder: Path, seed: int, names: Sequence[str] = ENCODINGS) -> int:
    """Run the demo; return the exit code.

    Raises:
        ConfigError: The folder holds something else, or an encoding is unknown.
    """
    encodings = chosen(names or ENCODINGS)
    console = Console(soft_wrap=True)
    folder = folder.absolute()
    _empty(folder)
    day = _business_day(count, seed, encodings)
    console.print(
        f"A business day of a simulated Dataverse: {len(day.posts):,} messages "
        f"({day.published} of them published captures), with retries, late ones and broken ones."
    )
    with _broker(folder) as connection:
        config = _write_config(folder, connection)
        with _progress(console, len(day.posts)) as show:
            _first_half(config, day, folder, show)
            show.say("killed the bridge (SIGKILL); its locks lapse in a few seconds; starting it again")
            _second_half(folder, show)
        return report(console, config, folder, day.posts, day.organization)


def _empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise ConfigError(f"{folder} holds something else; name an empty folder with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / _MARKER).touch()


def _business_day(count: int, seed: int, encodings: Sequence[Encoding]) -> Day:
    start = datetime.now(UTC).replace(hour=7, minute=0, second=0, microsecond=0)
    organization = Organization(seed=seed, start=start)
    published = published_posts()
    return Day(
        organization,
        [*traffic(organization, count, rare=_RARE, encodings=encodings), *published],
        len(published),
    )


def _write_config(folder: Path, connection: str) -> BridgeConfig:
    (folder / "metadata.json").write_text(json.dumps(metadata(), indent=1), encoding="utf-8")
    path = folder / "bridge.yaml"
    path.write_text(CONFIG.format(connection=connection, queue=QUEUE, folder=folder), encoding="utf-8")
    return load_config(path, environment={})


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    """Run the embedded Service Bus in a process of its own; yield its connection string."""
    command = ["emulator", "--port", "0", "--queue", QUEUE, "--store", str(folder / "broker.db")]
    command += ["--lock-seconds", str(_LOCK_SECONDS), "--max-deliveries", "20"]
    with _start(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                if line.startswith("Endpoint="):
                    yield line.strip()
                    break
            else:
                raise ServiceUnreachable("the embedded Service Bus did not start; run: cdsbridge emulator")
        finally:
            process.terminate()
            process.wait()


def _start(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "cdsbridge.pipelines.cli", *command]
    return subprocess.Popen(program, **options)  # noqa: S603 - our own program


class _Show:
    """Progress: a bar on a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console, bar: Progress, total: int) -> None:
        self._console = console
        self._bar = bar
        self._total = total
        self._said = time.monotonic()
        self._posted = bar.add_task("posted to Service Bus", total=total)
        self._done = bar.add_task("ended in every sink", total=total)

    def say(self, text: str) -> None:
        self._console.print(f"- {text}")

    def posted(self, count: int) -> None:
        self._bar.advance(self._posted, count)

    def done(self, count: int) -> None:
        self._bar.update(self._done, completed=count)
        if not self._console.is_terminal and time.monotonic() - self._said >= _SAY_EVERY:
            self._said = time.monotonic()
            self.say(f"{count:,} of {self._total:,} messages have ended in every sink")


@contextmanager
def _progress(console: Console, total: int) -> Iterator[_Show]:
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield _Show(console, bar, total)


def _first_half(config: BridgeConfig, day: Day, folder: Path, show: _Show) -> None:
    """Post the day while the bridge runs, and kill the bridge when it is halfway through."""
    show.say("starting the bridge and posting the day to it")
    with _start(["run", str(folder / "bridge.yaml"), "--quiet"], stderr=subprocess.DEVNULL) as bridge:
        try:
            failed: list[BridgeError] = []
            poster = threading.Thread(target=_post, args=(config, day, show, failed), daemon=True)
            poster.start()
            _wait_for(folder, len(day.posts) // 2, show, bridge)
        finally:
            bridge.send_signal(signal.SIGKILL)
        poster.join(_PATIENCE)
    if failed:
        raise failed[0]


def _post(config: BridgeConfig, day: Day, show: _Show, failed: list[BridgeError]) -> None:
    try:
        post_all(config.source, QUEUE, day.posts, show.posted)
    except BridgeError as error:
        failed.append(error)


def _second_half(folder: Path, show: _Show) -> None:
    """Start the bridge again and let it drain the queue."""
    command = ["run", str(folder / "bridge.yaml"), "--drain", "--output", "json"]
    with _start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as bridge:
        while bridge.poll() is None:
            show.done(_ended(folder))
            time.sleep(0.2)
        show.done(_ended(folder))
        text = bridge.stdout.read() if bridge.stdout else ""
    if bridge.returncode != Exit.OK:
        raise ServiceUnreachable(f"the bridge ended with {bridge.returncode}: {text.strip()}")


def _wait_for(folder: Path, count: int, show: _Show, bridge: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while (ended := _ended(folder)) < count:
        show.done(ended)
        if bridge.poll() is not None or time.monotonic() > deadline:
            raise ServiceUnreachable(
                f"the bridge does not get on; run: cdsbridge run {folder}/bridge.yaml --verbose"
            )
        time.sleep(0.05)


def _ended(folder: Path) -> int:
    """Return how many messages have ended, as the SQLite sink's ledger tells."""
    path = folder / "bridge.db"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1) as database:
            return int(database.execute("SELECT count(*) FROM _ledger").fetchone()[0])
    except sqlite3.Error:
        return 0
