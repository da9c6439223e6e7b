"""The store of a namespace: one SQLite file, one transaction per commit.

What happens between two commits is collected per message, so a message that
changes often is written once, as it stands at the commit, and a dead letter
moves from queue to dead-letter queue in one statement.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from .errors import StoreUnavailable
from .message import StoredMessage
from .rows import SAVE, SCHEMA, from_row, id_range, to_row
from .settings import QueueSettings

SCHEMA_VERSION: Final = 1
"""Kept as ``user_version`` of the file."""

_PRAGMAS: Final = (
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA secure_delete=OFF",
    "PRAGMA wal_autocheckpoint=4000",
)


@dataclass(frozen=True, slots=True)
class StoredQueue:
    """A queue as the store knows it.

    Attributes:
        id: The store's number of it, never given twice.
        name: As created.
        settings: As last configured.
        next_number: The sequence number its next message gets.
    """

    id: int
    name: str
    settings: QueueSettings
    next_number: int


class Store:
    """An open store.  It has the file to itself until closed.

    Args:
        path: The file; made if absent, its folder not.
        flush_disk: Whether every commit waits for the disk.  Without, a killed
            process loses nothing that was committed, but a power failure may
            lose the last commits.

    Raises:
        StoreUnavailable: The file cannot be opened, is in use by another
            emulator, or is not a store of this version.
    """

    def __init__(self, path: Path, *, flush_disk: bool = False) -> None:
        self._path = path
        self._pending: dict[int, tuple[bool, StoredMessage] | None] = {}
        self._next_numbers: dict[int, int] = {}
        with self._answering("opened"):
            self._db = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            with self._answering("opened"):
                self._prepare(flush_disk=flush_disk)
        except StoreUnavailable:
            self._db.close()
            raise

    def _prepare(self, *, flush_disk: bool) -> None:
        for pragma in _PRAGMAS:
            self._db.execute(pragma)
        self._db.execute(f"PRAGMA synchronous={'FULL' if flush_disk else 'NORMAL'}")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version == 0 and tables == 0:
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise StoreUnavailable(
                f"The file {self._path} is not a store of this emulator (version {version}, expected "
                f"{SCHEMA_VERSION}); give another path, or move the file away."
            )

    @contextmanager
    def _answering(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"The emulator's store {self._path} cannot be {verb} ({error}). Check that its folder "
                "exists, that the disk has room and that no other emulator uses the file; then try again."
            ) from error

    def queues(self) -> list[StoredQueue]:
        """All queues, in the order of their creation."""
        statement = "SELECT id, name, settings, next_number FROM entity WHERE kind = 'queue' ORDER BY id"
        with self._answering("read"):
            rows = self._db.execute(statement).fetchall()
        return [StoredQueue(row[0], row[1], QueueSettings(**json.loads(row[2])), row[3]) for row in rows]

    def create_queue(self, name: str, settings: QueueSettings) -> int:
        """Add a queue, durable at once; its number in the store."""
        return self._write(
            "INSERT INTO entity (kind, name, settings, next_number) VALUES ('queue', ?, ?, 1)",
            (name, json.dumps(asdict(settings))),
        )

    def configure_queue(self, queue: int, settings: QueueSettings) -> None:
        """Change the settings of a queue, durable at once."""
        self._write("UPDATE entity SET settings = ? WHERE id = ?", (json.dumps(asdict(settings)), queue))

    def drop_queue(self, queue: int) -> None:
        """Remove a queue with all its messages, durable at once."""
        self.commit()
        with self._answering("written"), self._transaction():
            self._db.execute("DELETE FROM entity WHERE id = ?", (queue,))
            self._db.execute("DELETE FROM message WHERE id BETWEEN ? AND ?", id_range(queue))

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        with self._answering("written"):
            return self._db.execute(statement, values).lastrowid or 0

    def messages(self, queue: int, *, dead: bool) -> Iterator[StoredMessage]:
        """The messages of a queue or of its dead-letter queue, by sequence number."""
        first, last = id_range(queue)
        statement = "SELECT * FROM message WHERE id BETWEEN ? AND ? AND dead = ? ORDER BY id"
        with self._answering("read"):
            for row in self._db.execute(statement, (first, last, dead)):
                yield from_row(row, row[0] - first)

    def shelf(self, queue: int, *, dead: bool) -> "QueueShelf":
        """The place of a queue, or of its dead-letter queue."""
        return QueueShelf(queue, self._pending, self._next_numbers, dead=dead)

    def commit(self) -> None:
        """Write all that was saved, erased and issued since the last commit, in one transaction.

        Raises:
            StoreUnavailable: Nothing was written; all of it is kept for the next commit.
        """
        if not self._pending and not self._next_numbers:
            return
        with self._answering("written"), self._transaction():
            self._flush()
        self._pending.clear()
        self._next_numbers.clear()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _flush(self) -> None:
        pending = self._pending.items()
        self._db.executemany(SAVE, (to_row(key, *kept) for key, kept in pending if kept is not None))
        self._db.executemany(
            "DELETE FROM message WHERE id = ?", [(key,) for key, kept in pending if kept is None]
        )
        self._db.executemany(
            "UPDATE entity SET next_number = ? WHERE id = ?",
            [(number, queue) for queue, number in self._next_numbers.items()],
        )

    def close(self) -> None:
        """Close the file.  What was not committed is dropped."""
        self._db.close()


class QueueShelf:
    """One queue, or one dead-letter queue, in the store."""

    __slots__ = ("_base", "_dead", "_next_numbers", "_pending", "_queue")

    def __init__(
        self,
        queue: int,
        pending: dict[int, tuple[bool, StoredMessage] | None],
        next_numbers: dict[int, int],
        *,
        dead: bool,
    ) -> None:
        self._queue = queue
        self._base = id_range(queue)[0]
        self._dead = dead
        self._pending = pending
        self._next_numbers = next_numbers

    def save(self, messages: Sequence[StoredMessage]) -> None:
        """Write messages as they will stand at the commit, new or changed."""
        for message in messages:
            self._pending[self._base + message.sequence_number] = (self._dead, message)

    def erase(self, numbers: Sequence[int]) -> None:
        """Remove messages by sequence number."""
        for number in numbers:
            self._pending[self._base + number] = None

    def issue(self, next_number: int) -> None:
        """Note the sequence number that the next message of the queue will get."""
        self._next_numbers[self._queue] = next_number
