"""Merges the small files of a place and drops rows that repeat.

**A file is removed only after others hold every event of it.**  So nothing is
lost whenever the work ends, whoever else works there: a bridge, or another
compaction.  What was begun and not ended is found as repeats next time.  In
between a reader may see an event twice; the grace keeps one whose listing of
the files began earlier from seeing it never.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from ...model.errors import ConfigError
from ...tables.schema import TableSchema, evolve
from .. import ledger, quarantine
from ..archive import schema as archive_schema
from ..files import Files
from .lake import Kind, ParquetLake, day_in, first_of, folder_of, kind_of
from .registry import Registry
from .repeats import Repeats, find_repeats
from .rolling import Rolling

_SMALL: Final = 4
"""A file is small below this part of the most bytes and rows a file may have."""
_READERS: Final = 8
_FIXED: Final = (ledger.TABLE, quarantine.TABLE, archive_schema.TABLE)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of one table.

    Attributes:
        table: Name in the sink.
        files: Files there were.
        size: Their bytes.
        merged: Files that were merged, or are to be.
        merged_size: Their bytes.
        written: Files they became; 0 if none was to be written.
        written_size: Their bytes.
        repeats: Rows dropped, or to be dropped, because another stands for them.
    """

    table: str
    files: int
    size: int
    merged: int = 0
    merged_size: int = 0
    written: int = 0
    written_size: int = 0
    repeats: int = 0


def compact(
    sink: ParquetLake,
    tables: Sequence[str] = (),
    *,
    dry_run: bool = False,
    grace: float = 0.0,
    tell: Callable[[str], None] = lambda _: None,
    wait: Callable[[float], object] = time.sleep,
) -> list[Compacted]:
    """Merge small files, table by table; then remove those that were merged.

    Of rows that repeat, that of the lowest ``_order`` stays (of ledger, quarantine: the first written).
    An archive keeps its repeats, which its reader passes over, for the sake of its order.

    Memory is that of one file, decoded and encoded, and 8 bytes for a row of the table.

    Args:
        sink: Whose files; a sink of tables or an archive.
        tables: Names in the sink; all if none is given.
        dry_run: Look only.
        grace: Seconds between the last new file and the first removal.
        tell: Hears how far the work is.
        wait: Waits so many seconds.

    Raises:
        SinkUnavailable: The place is away; run it again.
        ConfigError: There is no such table, or its files disagree about a column.
    """
    files = sink.files()
    reports: list[Compacted] = []
    done: list[str] = []
    for table in _wanted(files, tables, sink.name):
        tell(f"{sink.name}: {table}")
        report, merged = _merged(sink, files, table, dry_run)
        reports.append(report)
        done += merged
    if done:
        tell(f"{sink.name}: {len(done):,} files are to be removed")
        wait(grace)
    for path in done:
        files.remove(path)
    return reports


def tables_in(sink: ParquetLake) -> list[str]:
    """Return the names of the tables a place has files of.

    Raises:
        SinkUnavailable: The place is away.
    """
    return _tables(sink.files())


def _tables(files: Files) -> list[str]:
    held = [unquote(folder) for folder in files.folders()]
    return [name for name in held if name.endswith("_history") or name in _FIXED]


def _wanted(files: Files, tables: Sequence[str], place: str) -> list[str]:
    there = _tables(files)
    lacking = sorted(set(tables) - set(there))
    if lacking:
        known = f"; it has {', '.join(there)}" if there else ""
        raise ConfigError(f"{place} has no table {', '.join(lacking)}{known}")
    return [name for name in there if not tables or name in tables]


def _merged(sink: ParquetLake, files: Files, table: str, dry_run: bool) -> tuple[Compacted, list[str]]:
    """Write new files; return what is to be reported, and which files they stand for."""
    kind = kind_of(table)
    there = files.sizes(folder_of(table), ".parquet")
    sizes = {path: size for path, size in there.items() if day_in(path)}
    repeats = Repeats() if kind.ordered else find_repeats(files, list(sizes), kind)
    report = Compacted(table, len(sizes), sum(sizes.values()), repeats=repeats.count)
    done: list[str] = []
    for group in _groups(sink, files, sizes, kind, repeats):
        size = sum(sizes[path] for path in group)
        report = replace(report, merged=report.merged + len(group), merged_size=report.merged_size + size)
        if not dry_run:
            written = _written(sink, files, table, group, repeats)
            done += set(group) - written.keys()
            report = replace(
                report,
                written=report.written + len(written),
                written_size=report.written_size + sum(written.values()),
            )
    return report, sorted(done)


def _groups(
    sink: ParquetLake, files: Files, sizes: Mapping[str, int], kind: Kind, repeats: Repeats
) -> Iterator[list[str]]:
    """Yield sets of files to be merged with one another, in the order of their rows."""
    with ThreadPoolExecutor(_READERS, "compact") as pool:
        heads = dict(zip(sizes, pool.map(partial(_head, files, kind), sizes), strict=True))
    ordered = sorted(sizes, key=lambda path: (heads[path], path))
    joined = _Joined()
    for run in _runs(sink, ordered, sizes, heads, kind):
        for path in run[1:]:
            joined.join(run[0], path)
    for path in repeats.rows:
        joined.join(path, path)
    for one, other in repeats.shared:
        joined.join(one, other)
    yield from joined.groups(ordered)


@dataclass(frozen=True, slots=True, order=True)
class _Head:
    """The first instant in a file, and its rows."""

    first: tuple[int, ...]
    rows: int


def _head(files: Files, kind: Kind, path: str) -> _Head:
    first: tuple[int, ...] = ()
    with files.open(path) as file:
        metadata = pq.read_metadata(file)
    with contextlib.suppress(KeyError, ValueError):
        first = first_of(metadata, kind)
    return _Head(first, metadata.num_rows)


def _runs(
    sink: ParquetLake,
    ordered: Sequence[str],
    sizes: Mapping[str, int],
    heads: Mapping[str, _Head],
    kind: Kind,
) -> Iterator[list[str]]:
    """Yield the small files of each day; where order counts, only such as follow one another."""
    days: dict[str, list[str]] = {}
    for path in ordered:
        run = days.setdefault(day_in(path), [])
        if sizes[path] * _SMALL < sink.file_bytes and heads[path].rows * _SMALL < sink.file_rows:
            run.append(path)
        elif kind.ordered:
            yield run.copy()
            run.clear()
    yield from days.values()


class _Joined:
    """Files that belong together, directly or through others."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        self._above.setdefault(one, one)
        self._above.setdefault(other, other)
        self._above[self._top(other)] = self._top(one)

    def groups(self, ordered: Sequence[str]) -> Iterator[list[str]]:
        found: dict[str, list[str]] = {}
        for path in ordered:
            if path in self._above:
                found.setdefault(self._top(path), []).append(path)
        yield from found.values()

    def _top(self, path: str) -> str:
        while self._above[path] != path:
            self._above[path] = self._above[self._above[path]]
            path = self._above[path]
        return path


def _written(
    sink: ParquetLake, files: Files, table: str, group: Sequence[str], repeats: Repeats
) -> dict[str, int]:
    """Write the rows of some files into new ones; return their paths and sizes."""
    schema = _schema(sink, files, table, group)
    days = {day: Rolling(files, sink, table, day, schema) for day in sorted(set(map(day_in, group)))}
    for path in group:
        for rows in _kept(files, path, repeats):
            days[day_in(path)].add(rows)
    return {path: size for rolling in days.values() for path, size in rolling.close().items()}


def _kept(files: Files, path: str, repeats: Repeats) -> Iterator[pa.Table]:
    losing, before = set(repeats.rows[path].tolist()) if path in repeats.rows else set(), 0
    with files.open(path) as file:
        reader = pq.ParquetFile(file)
        for group in range(reader.num_row_groups):
            rows = reader.read_row_group(group)
            stay = [at for at in range(rows.num_rows) if before + at not in losing] if losing else None
            before += rows.num_rows
            yield rows if stay is None else rows.take(pa.array(stay, pa.int64()))


def _schema(sink: ParquetLake, files: Files, table: str, group: Sequence[str]) -> pa.Schema:
    """Return the columns written down for the table, and any the files have beside."""
    known = None if table in _FIXED else Registry(files, sink.name).describe(table)
    schema = known or TableSchema(table)
    for path in group:
        with files.open(path) as file:
            step = evolve(schema, pq.read_schema(file))
        if step.conflicts:
            raise ConfigError(
                f"{sink.name}: {path} holds a column as another type than the other files of {table}: "
                "move that file away, and rebuild its rows from the archive"
            )
        schema = step.schema
    return schema.arrow()
