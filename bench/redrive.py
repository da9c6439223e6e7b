"""Dead letters by the million, re-driven and killed on the way: time, memory, and each committed once.

A dead-letter queue is filled, and ``cdsbridge backfill --from dlq`` works it off in a process of its own,
which is ended by SIGKILL three times and begun again.  Prints what each run took and its peak memory, then
what must hold: every event in both sinks once, nothing left, the audit's sum.  Exits with 1 if it does not.

    python bench/redrive.py                      1,000,000 dead letters
    python bench/redrive.py --letters 20000
"""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from azure.servicebus import ServiceBusClient, ServiceBusMessage
from crashing import write_config
from rich import box
from rich.console import Console
from rich.table import Table
from verifying import audit, parquet_folder, sqlite_path

from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.sinks import ParquetSink

QUEUE = "dataverse"
DEAD = f"{QUEUE}/$DeadLetterQueue"
PATIENCE = 3600.0
PIECE = 5_000
MARK = "00000000-0000-4000-8000-000000000000"
"""What stands for the event in the message that all others are made of."""
REASON, SENTENCE = "MaxDeliveryCountExceeded", "Message could not be consumed after 10 delivery attempts."
BODY = (
    '{"BusinessUnitId":"50968ec9-0afb-4475-8aed-34674d6ddffb","CorrelationId":"{MARK}","Depth":1,'
    '"InputParameters":[{"key":"Target","value":{"__type":'
    '"Entity:http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts","Attributes":['
    '{"key":"name","value":"Fourth Coffee {MARK}"},{"key":"revenue","value":{"__type":'
    '"Money:http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts","Value":12345.6700}},'
    '{"key":"accountid","value":"{MARK}"}],"FormattedValues":[],"Id":"{MARK}","LogicalName":"account"}}],'
    '"MessageName":"Create","Mode":1,"OperationCreatedOn":"\\/Date(1722582039000+0000)\\/",'
    '"OperationId":"{MARK}","OrganizationName":"contoso","PrimaryEntityId":"{MARK}",'
    '"PrimaryEntityName":"account","Stage":40}'
).replace("{MARK}", MARK)


@dataclass(frozen=True, slots=True)
class Run:
    """One process, from its start to its end.

    Attributes:
        ended: How: ``killed`` or its exit code.
        seconds: How long it ran.
        worked_off: Dead letters that were gone at its end and not at its start.
        peak: The most memory it held, bytes.
    """

    ended: str
    seconds: float
    worked_off: int
    peak: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """All runs, and what was found in the end.

    Attributes:
        runs: The killed ones, and the one that ended by itself.
        faults: What does not hold, a sentence each.
    """

    runs: tuple[Run, ...]
    faults: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--letters", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = redrive(Path(folder), arguments.letters, arguments.kills)
    show(outcome, arguments.letters)
    return 1 if outcome.faults else 0


def redrive(folder: Path, letters: int, kills: int) -> Outcome:
    """Fill a dead-letter queue and work it off, killed so many times."""
    namespace = Namespace()
    namespace.create_queue(QUEUE, QueueSettings(lock_duration=5.0))
    with run_in_thread(namespace) as bus:
        config = write_config(folder, bus.connection_string, settings=[])
        fill(bus, letters)
        share = letters // (kills + 2)
        commits = min(5_000, max(100, letters // 20))
        runs = [run(bus, folder, commits, share) for _ in range(kills)]
        runs.append(run(bus, folder, commits, None))
        return Outcome(tuple(runs), tuple(faults(bus, config, folder, letters, runs)))


def fill(bus: RunningBroker, letters: int) -> None:
    """Make so many dead letters, each about an event of its own."""
    with (
        ServiceBusClient.from_connection_string(bus.connection_string) as client,
        client.get_queue_sender(QUEUE) as sender,
    ):
        sender.send_messages(ServiceBusMessage(BODY, message_id=MARK, content_type="application/json"))
    (pattern,) = bus.call(lambda namespace: namespace.queue(QUEUE).receive(1, lock=False))
    for start in range(0, letters, PIECE):
        numbers = range(start, min(start + PIECE, letters))
        bus.call(partial(bury, pattern=pattern.message.content, numbers=numbers))


def bury(namespace: Namespace, pattern: Content, numbers: range) -> None:
    queue = namespace.queue(QUEUE)
    queue.send([like(pattern, number) for number in numbers])
    tokens = [each.token for each in queue.receive(len(numbers), lock=True) if each.token is not None]
    queue.dead_letter(tokens, REASON, SENTENCE)


def like(pattern: Content, number: int) -> Content:
    """Return a message about another event: the mark is replaced wherever it stands, by one as long."""
    event = f"{number:08x}{MARK[8:]}"
    mark, other = MARK.encode(), event.encode()
    return Content(
        properties=pattern.properties.replace(mark, other),
        application=pattern.application,
        body=pattern.body.replace(mark, other),
        message_id=event,
    )


def left(bus: RunningBroker) -> int:
    return bus.call(lambda namespace: namespace.queue(DEAD).size)


def run(bus: RunningBroker, folder: Path, commits: int, share: int | None) -> Run:
    """Work the queue off in a process of its own, killed as soon as it has worked off its share.

    Args:
        bus: The broker.
        folder: Of the bridge.
        commits: Messages in one commit.
        share: Dead letters after which it is killed; ``None``: it ends by itself.
    """
    before, begun = left(bus), time.monotonic()
    command = [sys.executable, "-m", "cdsbridge.pipelines.cli", "backfill", str(folder / "bridge.yaml")]
    command += [
        "--from",
        "dlq",
        "--quiet",
        "--set",
        "source.max_in_flight=5000",
        "--set",
        "source.batch=1000",
    ]
    command += ["--set", f"commit.messages={commits}", "--set", "commit.seconds=5"]
    peak = 0
    with process(command, folder / "bridge.log") as child:
        while not has_ended(child):
            peak = max(peak, memory(child.pid))
            if share is not None and before - left(bus) >= share:
                # Popen.send_signal would reap the process
                os.kill(child.pid, signal.SIGKILL)
            if time.monotonic() - begun > PATIENCE:
                raise AssertionError(f"{before:,} dead letters are not worked off in {PATIENCE:.0f} s")
            time.sleep(0.02)
    code = child.returncode
    return Run(
        "killed" if code == -signal.SIGKILL else str(code), time.monotonic() - begun, before - left(bus), peak
    )


@contextmanager
def process(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("ab") as file, subprocess.Popen(command, stdout=file, stderr=file) as child:
        try:
            yield child
        finally:
            if child.returncode is None:
                child.kill()


def has_ended(child: "subprocess.Popen[bytes]") -> bool:
    """Tell whether a process has ended; note its exit code."""
    pid, status, _ = os.wait4(child.pid, os.WNOHANG)
    if pid:
        child.returncode = os.waitstatus_to_exitcode(status)
    return bool(pid)


def memory(pid: int) -> int:
    """Return the most memory a process has held so far, bytes; 0 where that is not told (Linux tells it).

    What is told of one that has ended counts the memory of the one it was forked from: here all letters.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def faults(
    bus: RunningBroker, config: BridgeConfig, folder: Path, letters: int, runs: list[Run]
) -> Iterator[str]:
    """Yield what does not hold, a sentence each."""
    if runs[-1].ended != "0":
        yield f"the last run ended with {runs[-1].ended}: {(folder / 'bridge.log').read_text()[-1000:]}"
    if any(each.ended != "killed" for each in runs[:-1]):
        yield "a run ended before it was killed"
    if left(bus):
        yield f"{left(bus):,} dead letters are left"
    with closing(sqlite3.connect(sqlite_path(config))) as database:
        rows, events = database.execute(
            "SELECT count(*), count(DISTINCT _event_id) FROM account_history"
        ).fetchone()
    if (rows, events) != (letters, letters):
        yield f"SQLite holds {rows:,} rows of {events:,} events"
    with closing(ParquetSink(url=str(parquet_folder(config))).read()) as reader:
        found = reader.rows()["account_history"]
    if found != letters:
        yield f"Parquet holds {found:,} events"
    if code := audit(folder / "bridge.yaml"):
        yield f"the audit ended with {code}"


def show(outcome: Outcome, letters: int) -> None:
    table = Table(box=box.SIMPLE_HEAD, title=f"{letters:,} dead letters re-driven", title_justify="left")
    for name in ("run", "ended", "worked off", "seconds", "a second", "peak MB"):
        table.add_column(name, justify="left" if name in {"run", "ended"} else "right")
    for number, each in enumerate(outcome.runs, 1):
        table.add_row(
            str(number),
            each.ended,
            f"{each.worked_off:,}",
            f"{each.seconds:.1f}",
            f"{each.worked_off / each.seconds:,.0f}",
            f"{each.peak / 1e6:,.0f}",
        )
    total = sum(each.seconds for each in outcome.runs)
    table.add_row("all", "", f"{letters:,}", f"{total:.1f}", f"{letters / total:,.0f}", "")
    console = Console(width=110)
    console.print(table)
    for sentence in outcome.faults:
        console.print(f"DOES NOT HOLD: {sentence}")
    if not outcome.faults:
        console.print(
            "every event is in each sink, in SQLite once; no dead letter is left; the audit's sum holds"
        )


if __name__ == "__main__":
    sys.exit(main())
