"""What must hold after any number of crashes: everything sent, against everything found.

The reference is made of the posts alone: each is flattened, and of several
posts of one event the one with the lowest ``_order`` counts.
"""

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cdsbridge.emulator.dataverse import EXPECTED, Poison, Post
from cdsbridge.emulator.server import RunningBroker
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.sinks import ParquetSink, SqlSink
from cdsbridge.sources.journal import read_journal
from cdsbridge.tables.columns import COMMITTED
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.transforms.flattener import Flattener

Cells = dict[str, Any]
"""One row: column to value, as SQLite keeps it; a null has no entry."""
Rows = dict[tuple[str, str], Cells]
"""History table and event id to the row that counts."""

UNEQUAL = frozenset({*COMMITTED, "_received_at"})
"""Columns that tell when, and so differ from run to run."""
PIECE = 1000


@dataclass(frozen=True, slots=True)
class Sent:
    """What was posted: to which queue, in the order of its sequence numbers, from 1."""

    queue: str
    posts: tuple[Post, ...]

    @property
    def events(self) -> int:
        """Distinct events among the posts, by what the simulator says."""
        return len({post.event.operation_id for post in self.posts if post.event is not None})

    @property
    def poison(self) -> dict[str, Poison]:
        """Message id of each broken post, with what is wrong."""
        return {post.message_id: post.poison for post in self.posts if post.poison is not None}


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in the end.

    Attributes:
        sent: Posts.
        events: Distinct events among them.
        rows: Distinct events in each sink.
        lost: Events of the reference that are in no sink, or not in all.
        extra: Events in a sink that nobody sent.
        missing: Messages gone from the broker that are not in every ledger.
        doubled: Effects of duplicates: events that are in SQLite twice, and rows that
            differ from the reference (in Parquet: of the row with the lowest ``_order``).
        redelivered: Deliveries beyond the first of each message, by the journal.
        quarantine: Faults of a quarantine or the dead-letter queue, told in words.
        left: Messages still in the queue.
        audit: Exit code of ``cdsbridge audit``.
    """

    sent: int
    events: int
    rows: Mapping[str, int]
    lost: int
    extra: int
    missing: int
    doubled: int
    redelivered: int
    quarantine: tuple[str, ...]
    left: int
    audit: int

    def faults(self) -> list[str]:
        """Return what does not hold, a sentence each."""
        told = {
            f"{self.lost} events are lost": self.lost,
            f"{self.extra} events were never sent": self.extra,
            f"{self.missing} messages are gone from the broker but not in every ledger": self.missing,
            f"{self.doubled} rows show an effect of duplicates": self.doubled,
            f"{self.left} messages are left in the queue": self.left,
            f"the audit ended with {self.audit}": self.audit,
            f"{self.events} events were sent, the sinks hold {dict(self.rows)}": any(
                count != self.events for count in self.rows.values()
            ),
        }
        return [*(sentence for sentence, wrong in told.items() if wrong), *self.quarantine]


def verify(config: BridgeConfig, bus: RunningBroker, conf: Path, sent: Sent) -> Findings:
    """Compare everything, on a bridge at rest."""
    truth = reference(config, sent, enqueued_at(config))
    sinks = {"Parquet": parquet_rows(config), "SQLite": sqlite_rows(config)}
    deliveries = Counter(read_journal(Path(config.journal or ""), "received"))
    return Findings(
        sent=len(sent.posts),
        events=sent.events,
        rows={name: len(rows) for name, rows in sinks.items()},
        lost=sum(len(truth.keys() - rows.keys()) for rows in sinks.values()),
        extra=sum(len(rows.keys() - truth.keys()) for rows in sinks.values()),
        missing=len(acknowledged_but_missing(config, bus, len(sent.posts))),
        doubled=repeated(config) + sum(differing(truth, rows) for rows in sinks.values()),
        redelivered=deliveries.total() - len(deliveries),
        quarantine=tuple(quarantine_faults(config, bus, sent)),
        left=bus.call(lambda namespace: sum(list(namespace.queue(sent.queue).depth().values())[:4])),
        audit=audit(conf),
    )


def audit(conf: Path) -> int:
    """Return the exit code of the command ``audit``."""
    command = [sys.executable, "-m", "cdsbridge.pipelines.cli", "audit", str(conf), "--output", "json"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode


def differing(truth: Rows, found: Rows) -> int:
    return sum(found[key] != truth[key] for key in truth.keys() & found.keys())


def acknowledged_but_missing(config: BridgeConfig, bus: RunningBroker, accepted: int) -> set[int]:
    """Return the messages that the broker no longer keeps and some ledger does not know.

    Args:
        config: The bridge; it must not be running.
        bus: The broker.
        accepted: Messages the broker had taken, at least; numbered from 1.
    """
    queue = config.source.entities[0]
    kept = bus.call(lambda namespace: [m.sequence_number for m in namespace.queue(queue).peek(1, 1 << 30)])
    gone = set(range(1, accepted + 1)) - set(kept)
    column = "sequence_number"
    parquet = {row[column] for row in read_parquet(parquet_folder(config) / "_ledger", [column])}
    return (gone - parquet) | (gone - {row[column] for row in read_sqlite(config, "_ledger", column)})


def reference(config: BridgeConfig, sent: Sent, enqueued: Mapping[int, int]) -> Rows:
    """Return the rows that the posts must become."""
    flattener = Flattener(load_metadata(config.metadata).types if config.metadata else None, config.flatten)
    envelopes = [
        Envelope(
            post.body,
            sent.queue,
            number,
            enqueued.get(number, 0),
            0,
            post.message_id,
            post.correlation_id,
            post.content_type,
            dict(post.properties),
        )
        for number, post in enumerate(sent.posts, 1)
    ]
    rows: Rows = {}
    for at in range(0, len(envelopes), PIECE):
        flat = flattener.flatten(MicroBatch(sent.queue, tuple(envelopes[at : at + PIECE])))
        for table in flat.tables:
            keep_lowest(rows, f"{table.table}_history", table.records.to_pylist())
    return rows


def parquet_rows(config: BridgeConfig) -> Rows:
    """Return the Parquet sink's history, each event once."""
    rows: Rows = {}
    for folder in sorted(parquet_folder(config).glob("*_history")):
        keep_lowest(rows, folder.name, read_parquet(folder))
    return rows


def sqlite_rows(config: BridgeConfig) -> Rows:
    """Return the SQLite sink's history."""
    rows: Rows = {}
    for table in histories(config):
        keep_lowest(rows, table, read_sqlite(config, table))
    return rows


def keep_lowest(rows: Rows, table: str, found: Iterable[Cells]) -> None:
    """Add rows; of several of one event the one with the lowest ``_order`` stays."""
    for row in found:
        key = (table, row["_event_id"])
        if key not in rows or row["_order"] < rows[key]["_order"]:
            rows[key] = {
                name: plain(value) for name, value in row.items() if value is not None and name not in UNEQUAL
            }


def plain(value: Any) -> Any:
    """Return a value as SQLite keeps it: decimals and instants as text, truth as a number."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds")
    return value.isoformat() if isinstance(value, date) else value


def repeated(config: BridgeConfig) -> int:
    """Return how many rows of SQLite's histories repeat an event."""
    ids = [row["_event_id"] for table in histories(config) for row in read_sqlite(config, table, "_event_id")]
    return len(ids) - len(set(ids))


def enqueued_at(config: BridgeConfig) -> dict[int, int]:
    """Return when each message was enqueued, microseconds since 1970 UTC, by what the ledger noted."""
    ledger = read_parquet(parquet_folder(config) / "_ledger", ["sequence_number", "enqueued_at"])
    return {row["sequence_number"]: microseconds(row["enqueued_at"]) for row in ledger}


def microseconds(instant: datetime) -> int:
    return int(pa.scalar(instant, pa.timestamp("us", tz="UTC")).value)


def quarantine_faults(config: BridgeConfig, bus: RunningBroker, sent: Sent) -> Iterator[str]:
    """Yield where the dead letters or a quarantine are not the broken posts, each with a right reason."""
    columns = ["message_id", "reason"]
    dead = bus.call(
        lambda namespace: [
            {"message_id": m.content.message_id, "reason": m.dead_letter.get("DeadLetterReason", "")}
            for m in namespace.queue(f"{sent.queue}/$DeadLetterQueue").peek(1, 1 << 30)
        ]
    )
    places: dict[str, Iterable[Cells]] = {
        "the dead-letter queue": dead,
        "Parquet's quarantine": read_parquet(parquet_folder(config) / "_quarantine", columns),
        "SQLite's quarantine": read_sqlite(config, "_quarantine", *columns),
    }
    for place, entries in places.items():
        reasons = {entry["message_id"]: entry["reason"] for entry in entries}
        if reasons.keys() != sent.poison.keys():
            yield f"{place} holds {len(reasons)} messages, {len(sent.poison)} broken ones were sent"
        wrong = sum(
            reasons.get(message) not in (*EXPECTED[kind], None) for message, kind in sent.poison.items()
        )
        if wrong:
            yield f"{place} gives a wrong reason for {wrong} messages"


def parquet_folder(config: BridgeConfig) -> Path:
    return next(Path(sink.url) for sink in config.sinks if isinstance(sink, ParquetSink))


def read_parquet(folder: Path, columns: Sequence[str] | None = None) -> Iterator[Cells]:
    """Yield the rows of every file below a folder."""
    for path in sorted(folder.rglob("*.parquet")):
        yield from pq.ParquetFile(path).read(list(columns) if columns else None).to_pylist()


def sqlite_path(config: BridgeConfig) -> Path:
    url = next(sink.url.get_secret_value() for sink in config.sinks if isinstance(sink, SqlSink))
    return Path(url.removeprefix("sqlite:///"))


def histories(config: BridgeConfig) -> list[str]:
    found = read_sqlite(config, "sqlite_master", "name", where="WHERE type = 'table'")
    return sorted(row["name"] for row in found if row["name"].endswith("_history"))


def read_sqlite(config: BridgeConfig, table: str, *columns: str, where: str = "") -> list[Cells]:
    """Return rows of a table of the SQLite sink, without changing the file; none if it is not there."""
    path = sqlite_path(config)
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
        database.row_factory = sqlite3.Row
        try:
            found = database.execute(f'SELECT {", ".join(columns) or "*"} FROM "{table}" {where}')
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
        return [dict(row) for row in found]
