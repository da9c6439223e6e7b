"""Reads an archive in the order in which its messages were committed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...model.envelope import MicroBatch
from ...model.errors import ConfigError
from ...tables.fold import STANDING
from ...tables.schema import TableSchema
from ..files import Files
from ..parquet.lake import day_in, day_of, first_of, kind_of
from . import schema as archive_schema
from .schema import envelopes

_AT_ONCE: Final = 1_000
"""Messages of one micro-batch after which what follows is another one."""
_REMEMBERED: Final = 200_000
"""Messages by which a repeat is told; it comes soon after, and one told late is harmless."""


@dataclass(frozen=True, slots=True)
class Archived:
    """Messages that were read together, and how they ended then.

    Attributes:
        batch: The messages, all of one entity, without their locks.
        dispositions: One a message: committed, skipped or rejected.
        committed_at: When, microseconds since 1970 UTC.
    """

    batch: MicroBatch
    dispositions: tuple[str, ...]
    committed_at: int


class ArchiveReader:
    """Reads the messages; what a sink of tables would tell is empty.

    See :class:`cdsbridge.sinks.base.SinkReader`.

    Args:
        files: Of the archive.
        name: What people know it by.
    """

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._name = name

    def messages(self, since: int | None = None, until: int | None = None) -> Iterator[Archived]:
        """Yield the messages as they were committed: in that order, together what was together.

        A message that stands repeatedly is told once, unless 200,000 others are between.
        Memory is that of one row group and of the names of as many messages.

        Args:
            since: First instant of commit, microseconds since 1970 UTC.
            until: First instant of commit that is not read any more.

        Raises:
            SinkUnavailable: The archive cannot be read.
            ConfigError: A file there is not one of an archive.
        """
        seen: dict[tuple[str, int, int], None] = {}
        pieces = (rows for path in self._in_order(since, until) for rows in self._pieces(path, since, until))
        for group in _groups(pieces):
            yield from _archived(group, seen)

    def describe(self, table: str) -> TableSchema | None:  # noqa: ARG002 - the protocol's
        """Return ``None``: an archive has no tables."""
        return None

    def ledger(self) -> Iterator[pa.Table]:
        """Yield nothing."""
        return iter(())

    def event_ids(self) -> Iterator[tuple[str, pa.Array]]:
        """Yield nothing."""
        return iter(())

    def rows(self) -> Mapping[str, int]:
        """Return nothing."""
        return {}

    def truncated(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield nothing."""
        return iter(())

    def quarantined(self) -> Iterator[pa.Table]:
        """Yield nothing."""
        return iter(())

    def held(self, table: str, event_ids: pa.StringArray) -> pa.StringArray:  # noqa: ARG002 - the protocol's
        """Return no event."""
        return pa.array([], pa.string())

    def history(self, table: str) -> Iterator[pa.Table]:  # noqa: ARG002 - the protocol's
        """Yield nothing."""
        return iter(())

    def state(self, table: str) -> pa.Table:  # noqa: ARG002 - the protocol's
        """Return no rows: there is no current state here."""
        return pa.table({})

    def standing(self, table: str, keys: pa.StringArray) -> pa.Table:  # noqa: ARG002 - the protocol's
        """Return no rows: there is no current state here."""
        return STANDING.empty_table()

    def close(self) -> None:
        """Nothing is held."""

    def _in_order(self, since: int | None, until: int | None) -> Iterator[str]:
        """Yield the files by their first message; a day at a time, for a day may have thousands."""
        days: dict[str, list[str]] = {}
        for path in self._files.walk(archive_schema.TABLE, ".parquet"):
            days.setdefault(day_in(path), []).append(path)
        for day, paths in sorted(days.items()):
            if (since is None or day >= day_of(since)) and (until is None or day <= day_of(until)):
                yield from sorted(paths, key=self._first)

    def _first(self, path: str) -> tuple[int, ...]:
        with self._files.open(path) as file:
            metadata = pq.read_metadata(file)
        try:
            return first_of(metadata, kind_of(archive_schema.TABLE))
        except (KeyError, ValueError):
            raise self._foreign(path) from None

    def _pieces(self, path: str, since: int | None, until: int | None) -> Iterator[pa.Table]:
        with self._files.open(path) as file:
            reader = pq.ParquetFile(file)
            if not set(archive_schema.SCHEMA.names) <= set(reader.schema_arrow.names):
                raise self._foreign(path)
            for group in range(reader.num_row_groups):
                rows = reader.read_row_group(group, archive_schema.SCHEMA.names)
                yield _between(
                    rows.select(archive_schema.SCHEMA.names).cast(archive_schema.SCHEMA), since, until
                )

    def _foreign(self, path: str) -> ConfigError:
        return ConfigError(f"{self._name}: {path} is no file of an archive: remove it, or name another place")


def _between(rows: pa.Table, since: int | None, until: int | None) -> pa.Table:
    at = rows.column("committed_at").cast(pa.int64())
    if since is not None:
        rows, at = (each.filter(pc.greater_equal(at, since)) for each in (rows, at))
    return rows if until is None else rows.filter(pc.less(at, until))


def _groups(pieces: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Cut pieces wherever another micro-batch begins; join one that stands in two pieces."""
    held = archive_schema.SCHEMA.empty_table()
    for piece in pieces:
        *whole, held = list(_together(pa.concat_tables([held, piece]))) or [held]
        yield from whole
        if held.num_rows >= _AT_ONCE:
            yield held
            held = held.slice(0, 0)
    if held.num_rows:
        yield held


def _together(rows: pa.Table) -> Iterator[pa.Table]:
    marks = list(
        zip(*(rows.column(name).to_pylist() for name in ("committed_at", "batch", "entity")), strict=True)
    )
    start = 0
    for at in range(1, len(marks) + 1):
        if at == len(marks) or marks[at] != marks[start]:
            yield rows.slice(start, at - start)
            start = at


def _archived(rows: pa.Table, seen: dict[tuple[str, int, int], None]) -> Iterator[Archived]:
    found, ends = [], []
    for envelope, end in zip(envelopes(rows), rows.column("disposition").to_pylist(), strict=True):
        key = (envelope.entity, envelope.sequence_number, envelope.enqueued_at)
        if key not in seen:
            seen[key] = None
            found.append(envelope)
            ends.append(end)
    while len(seen) > _REMEMBERED:
        del seen[next(iter(seen))]
    if found:
        at = rows.column("committed_at")[0].value
        yield Archived(MicroBatch(found[0].entity, tuple(found)), tuple(ends), at)
