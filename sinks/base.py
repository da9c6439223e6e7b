"""The protocol every sink keeps.

A *sink* is a value: a frozen configuration, safe to print, compare and
pickle.  A *writer* is live: it holds connections and exists in one worker
between ``open`` and ``close``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from ..model.errors import SinkUnavailable
from ..tables.schema import TableSchema


class SchemaMoved(SinkUnavailable):
    """Another writer has given a column another type meanwhile: describe and plan again."""


@dataclass(frozen=True, slots=True)
class Flush:
    """Everything one commit makes durable.

    Attributes:
        tables: Name in the sink (``account_history``) to rows, whose columns
            are exactly those of the prepared schema, in its order.  Event ids
            are distinct within a table.
        quarantine: Rows as in :data:`cdsbridge.sinks.quarantine.SCHEMA`.
        ledger: Rows as in :data:`cdsbridge.sinks.ledger.SCHEMA`.
    """

    tables: Mapping[str, pa.Table]
    quarantine: pa.Table
    ledger: pa.Table


class Staged(Protocol):
    """What a writer keeps between stage and commit; invisible to readers."""


class SinkWriter(Protocol):
    """Writes flushes so that writing one again changes nothing.

    Every method may raise :class:`cdsbridge.model.errors.SinkUnavailable` when
    trying again may help, and then leaves nothing a reader could take for
    data.
    """

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns the table has now, or ``None`` if there is no such table."""

    def prepare(self, schema: TableSchema) -> None:
        """Create the table, or add the columns it lacks.  Idempotent; never drops or narrows."""

    def stage(self, flush: Flush) -> Staged:
        """Turn a flush into what ``commit`` can write at once.  Nothing is visible yet."""

    def commit(self, staged: Staged) -> None:
        """Make the flush durable; history first, its ledger rows not before it."""

    def close(self) -> None:
        """Release what the writer holds."""


class SinkReader(Protocol):
    """Reads back what the audit compares and hydration looks for."""

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

    def held(self, table: str, event_ids: pa.StringArray) -> pa.StringArray:
        """Return those of some event ids that a history table holds, each once, in any order."""

    def close(self) -> None:
        """Release what the reader holds."""


class Sink(Protocol):
    """A configured place for tables: a frozen value that pickles."""

    @property
    def name(self) -> str:
        """What people know the sink by, in logs and errors; never a secret."""

    def open(self) -> SinkWriter:
        """Return a live writer.

        Raises:
            SinkUnavailable: The sink is away.
            NotPermitted: The sink refuses our credential.
            ConfigError: The sink can never be opened as it is configured.
        """

    def read(self) -> SinkReader:
        """Return a live reader; raises as :meth:`open` does."""
