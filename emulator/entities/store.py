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

from ..filters.rules import Rule
from ..filters.stored import rule_from_text, rule_to_text
from .errors import StoreUnavailable
from .message import SessionState, StoredMessage
from .pending import Pending, QueueShelf
from .rows import MIGRATIONS, Part, from_row, id_range
from .settings import QueueSettings

SCHEMA_VERSION: Final = len(MIGRATIONS)
"""Kept as ``user_version`` of the file."""

_PRAGMAS: Final = (
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA secure_delete=OFF",
    "PRAGMA wal_autocheckpoint=4000",
)
_CREATE: Final = (
    "INSERT INTO entity (kind, name, settings, next_number, topic, created_at, updated_at) "
    "VALUES (?, ?, ?, 1, ?, ?, ?)"
)
_PUT_RULE: Final = (
    "INSERT INTO rule VALUES (?, ?, ?) ON CONFLICT (entity, name) DO UPDATE SET body = excluded.body"
)


@dataclass(frozen=True, slots=True)
class StoredEntity:
    """A queue, topic or subscription as the store knows it.

    Attributes:
        id: The store's number of it, never given twice.
        kind: ``queue``, ``topic`` or ``subscription``.
        topic: Of a subscription, the number of its topic.
        name: As created.
        settings: As last configured.
        next_number: The sequence number its next message gets.
        created_at: When it was created, epoch seconds; 0: before that was noted.
        updated_at: When it was last configured, epoch seconds.
    """

    id: int
    kind: str
    topic: int | None
    name: str
    settings: QueueSettings
    next_number: int
    created_at: float
    updated_at: float


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
        self._pending = Pending()
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
        if version > SCHEMA_VERSION:
            raise StoreUnavailable(
                f"The store {self._path} was written by a newer emulator (version {version}, this one knows "
                f"up to {SCHEMA_VERSION}); update cdsbridge, or give another path."
            )
        if version == 0 and tables:
            raise StoreUnavailable(
                f"The file {self._path} is not a store of this emulator; give another path, or move the file "
                "away."
            )
        if version < SCHEMA_VERSION:
            steps = "".join(MIGRATIONS[version:])
            self._db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")

    @contextmanager
    def _answering(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"The emulator's store {self._path} cannot be {verb} ({error}). Check that its folder "
                "exists, that the disk has room and that no other emulator uses the file; then try again."
            ) from error

    def entities(self) -> list[StoredEntity]:
        """All entities, in the order of their creation, so topics before their subscriptions."""
        columns = "id, kind, topic, name, settings, next_number, created_at, updated_at"
        statement = f"SELECT {columns} FROM entity ORDER BY id"  # noqa: S608 - constants
        with self._answering("read"):
            rows = self._db.execute(statement).fetchall()
        return [
            StoredEntity(number, kind, topic, name, QueueSettings(**json.loads(settings)), *rest)
            for number, kind, topic, name, settings, *rest in rows
        ]

    def create(self, kind: str, name: str, settings: QueueSettings, now: float) -> int:
        """Add a queue or topic, durable at once; its number in the store."""
        return self._write(_CREATE, (kind, name, json.dumps(asdict(settings)), None, now, now))

    def create_subscription(
        self, topic: int, name: str, settings: QueueSettings, rule: Rule, now: float
    ) -> int:
        """Add a subscription with its first rule, durable at once; its number in the store."""
        with self._answering("written"), self._transaction():
            values = ("subscription", name, json.dumps(asdict(settings)), topic, now, now)
            number = self._db.execute(_CREATE, values).lastrowid or 0
            self._db.execute(_PUT_RULE, (number, rule.name, rule_to_text(rule)))
        return number

    def configure(self, entity: int, settings: QueueSettings, now: float) -> None:
        """Change the settings of an entity, durable at once."""
        values = (json.dumps(asdict(settings)), now, entity)
        self._write("UPDATE entity SET settings = ?, updated_at = ? WHERE id = ?", values)

    def drop(self, entities: Sequence[int]) -> None:
        """Remove entities with all their messages, durable at once, all or none."""
        self.commit()
        with self._answering("written"), self._transaction():
            for entity in entities:
                self._db.execute("DELETE FROM entity WHERE id = ?", (entity,))
                self._db.execute("DELETE FROM rule WHERE entity = ?", (entity,))
                self._db.execute("DELETE FROM message WHERE id BETWEEN ? AND ?", id_range(entity))
                self._db.execute("DELETE FROM session WHERE entity = ?", (entity,))
                self._db.execute("DELETE FROM seen WHERE entity = ?", (entity,))

    def rules(self, subscription: int) -> list[Rule]:
        """The rules of a subscription, in the order in which they were added."""
        statement = "SELECT name, body FROM rule WHERE entity = ? ORDER BY rowid"
        with self._answering("read"):
            return [rule_from_text(*row) for row in self._db.execute(statement, (subscription,))]

    def put_rule(self, subscription: int, rule: Rule) -> None:
        """Add a rule, or replace the one of that name, durable at once."""
        self._write(_PUT_RULE, (subscription, rule.name, rule_to_text(rule)))

    def drop_rule(self, subscription: int, name: str) -> None:
        """Remove a rule, durable at once."""
        self._write("DELETE FROM rule WHERE entity = ? AND name = ?", (subscription, name))

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        with self._answering("written"):
            return self._db.execute(statement, values).lastrowid or 0

    def messages(self, queue: int, part: Part) -> Iterator[StoredMessage]:
        """The messages of a part of a queue, by sequence number."""
        first, last = id_range(queue)
        statement = "SELECT * FROM message WHERE id BETWEEN ? AND ? AND dead = ? ORDER BY id"
        with self._answering("read"):
            for row in self._db.execute(statement, (first, last, part)):
                yield from_row(row, row[0] - first)

    def session_states(self, queue: int) -> list[tuple[str, SessionState]]:
        """The states of the sessions of a queue, by session id, latest last."""
        statement = "SELECT id, state, updated_at FROM session WHERE entity = ? ORDER BY updated_at"
        with self._answering("read"):
            rows = self._db.execute(statement, (queue,)).fetchall()
        return [(row[0], SessionState(row[1], row[2])) for row in rows]

    def seen(self, entity: int) -> list[tuple[str, float]]:
        """The message ids an entity has seen, each with the time, epoch seconds, in the order of time."""
        statement = "SELECT message_id, at FROM seen WHERE entity = ? ORDER BY at"
        with self._answering("read"):
            return self._db.execute(statement, (entity,)).fetchall()

    def shelf(self, queue: int, part: Part) -> QueueShelf:
        """The place of a part of a queue."""
        return QueueShelf(queue, self._pending, part)

    def commit(self) -> None:
        """Write all that was saved, erased and issued since the last commit, in one transaction.

        Raises:
            StoreUnavailable: Nothing was written; all of it is kept for the next commit.
        """
        if not self._pending:
            return
        with self._answering("written"), self._transaction():
            self._pending.write(self._db)
        self._pending.clear()

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

    def close(self) -> None:
        """Close the file.  What was not committed is dropped."""
        self._db.close()
