"""The protocol every sink keeps.

A *sink* is a value: a frozen configuration, safe to print, compare and
pickle.  A *writer* is live: it holds connections and exists in one worker
between ``open`` and ``close``.
"""

import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, Self

import pyarrow as pa

from ..model.errors import SinkUnavailable
from ..tables.schema import TableSchema
from ..tables.state import StateChanges
from .archive.schema import SCHEMA as MESSAGES


class SchemaMoved(SinkUnavailable):
    """Another writer has given a column another type meanwhile: describe and plan again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One start of a bridge, which its sinks are to obey; shared by all its workers.

    Attributes:
        run: What tells it from every other start.
        told: What people are told of it, such as ``bridge orders on host h, process 42,
            since 2026-01-31T08:00:00Z``.
    """

    run: str
    told: str

    @classmethod
    def of(cls, bridge: str) -> Self:
        """Return the claim of a bridge that starts now, in this process."""
        since = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        told = f"bridge {bridge} on {socket.gethostname()}, process {os.getpid()}, since {since}"
        return cls(uuid.uuid4().hex, told)


@dataclass(frozen=True, slots=True)
class Flush:
    """Everything one commit makes durable.

    Attributes:
        tables: Name in the sink (``account_history``) to rows, whose columns
            are exactly those of the prepared schema, in its order.  Event ids
            are distinct within a table.
        quarantine: Rows as in :data:`cdsbridge.sinks.quarantine.SCHEMA`.
        ledger: Rows as in :data:`cdsbridge.sinks.ledger.SCHEMA`.
        states: Name in the sink (``account``) to what the flush says of the current
            state; the state is prepared beforehand, with the columns named there.
        messages: The messages themselves, as :data:`cdsbridge.sinks.archive.schema.SCHEMA`;
            none unless the sink asks for them.
        now: The instant of the commit, microseconds since 1970 UTC.
    """

    tables: Mapping[str, pa.Table]
    quarantine: pa.Table
    ledger: pa.Table
    states: Mapping[str, StateChanges] = field(default_factory=dict)
    messages: pa.Table = field(default_factory=MESSAGES.empty_table)
    now: int = 0


class Staged(Protocol):
    """What a writer keeps between stage and commit; invisible to readers."""


class SinkWriter(Protocol):
    """Writes flushes so that writing one again changes nothing.

    Every method may raise :class:`cdsbridge.model.errors.SinkUnavailable` when
    trying again may help, and then leaves nothing a reader could take for
    data.  With a claim, ``commit`` raises :class:`cdsbridge.model.errors.Fenced`
    once another claim has taken the sink over.
    """

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns the table has now, or ``None`` if there is no such table."""

    def prepare(self, schema: TableSchema) -> None:
        """Create the table, or add the columns it lacks.  Idempotent; never drops or narrows."""

    def stage(self, flush: Flush) -> Staged:
        """Turn a flush into what ``commit`` can write at once.  Nothing is visible yet."""

    def commit(self, staged: Staged) -> None:
        """Make the flush durable; history first, then states, its ledger rows not before them.

        Raises:
            RowsRefused: Some rows can never be written (see :mod:`cdsbridge.sinks.refused`); nothing was.
            Fenced: The sink is no longer ours.
        """

    def close(self) -> None:
        """Release what the writer holds."""


class SinkReader(Protocol):
    """Reads back what the audit compares, hydration looks for and a rehearsal asks; it writes nothing."""

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns a table has now, as :meth:`SinkWriter.describe` does."""

    def ledger(self) -> Iterator[pa.Table]:
        """Yield the ledger in pieces, columns as in :data:`cdsbridge.sinks.ledger.SCHEMA`."""

    def event_ids(self) -> Iterator[tuple[str, pa.Array]]:
        """Yield (history table, its event ids) in pieces; ids may repeat across pieces."""

    def rows(self) -> Mapping[str, int]:
        """Return distinct events by history table, quarantine under ``_quarantine``."""

    def truncated(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield (history table, its truncated rows that can be hydrated) in pieces.

        Columns as in :data:`cdsbridge.tables.hydration.SCHEMA`; events may repeat across pieces.
        """

    def quarantined(self) -> Iterator[pa.Table]:
        """Yield the quarantine in pieces, columns as in :data:`cdsbridge.sinks.quarantine.SCHEMA`.

        Messages may repeat across pieces.
        """

    def held(self, table: str, event_ids: pa.StringArray) -> pa.StringArray:
        """Return those of some event ids that a history table holds, each once, in any order."""

    def history(self, table: str) -> Iterator[pa.Table]:
        """Yield all rows of a history in pieces, by its name in the sink; none if it is not there.

        Columns as they stand there; where the sink cannot help it, events repeat.
        """

    def state(self, table: str) -> pa.Table:
        """Return all rows of a state, by its name in the sink, in any order.

        A state that is not there has no rows and no columns.
        """

    def standing(self, table: str, keys: pa.StringArray) -> pa.Table:
        """Return what stands of some rows of a state beside their values, in any order.

        Columns as in :data:`cdsbridge.tables.fold.STANDING`; a state that is not there has no rows.

        Args:
            table: The state's name in the sink, not that of parties.
            keys: Values of ``Id``, each once.
        """

    def close(self) -> None:
        """Release what the reader holds."""


class Sink(Protocol):
    """A configured place for tables: a frozen value that pickles."""

    @property
    def name(self) -> str:
        """What people know the sink by, in logs and errors; never a secret."""

    @property
    def history(self) -> bool:
        """Whether it takes every event."""

    @property
    def state(self) -> bool:
        """Whether it keeps the current state."""

    @property
    def wants_messages(self) -> bool:
        """Whether it takes the messages themselves."""

    @property
    def max_columns(self) -> int:
        """Columns a table may have; further data is kept in ``_extra``."""

    @property
    def may_refuse(self) -> bool:
        """Whether single rows may turn out to be refused only as it commits: such sinks commit first."""

    def open(self, claim: Claim | None = None) -> SinkWriter:
        """Return a live writer.

        Args:
            claim: The start that takes the sink over; the newest one has it.

        Raises:
            SinkUnavailable: The sink is away.
            NotPermitted: The sink refuses our credential.
            ConfigError: The sink can never be opened as it is configured.
        """

    def read(self) -> SinkReader:
        """Return a live reader; raises as :meth:`open` does."""
