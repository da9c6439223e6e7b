"""What names a row in a table, and what is known about which file holds which names.

A file of a Delta table never changes, so what names its rows hold is learned
once: kept as 8 bytes a row, it answers for most keys that a file cannot hold them.
"""

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...tables.hydration import MESSAGE as HYDRATED
from .. import ledger

Hashes = npt.NDArray[np.int64]
"""Sorted hashes of keys, of this process alone."""

KNOWN: Final = 16_000_000
"""Rows whose keys a writer remembers, at most; 128 MB."""

_HOUR: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that a table consists of.

    Attributes:
        path: Below the table's folder.
        size: Bytes.
        low: Lowest value of the column that the table's files are told apart by; ``None`` if not known.
        high: The highest.
    """

    path: str
    size: int
    low: Any = None
    high: Any = None


@dataclass(frozen=True, slots=True)
class Key:
    """What names a row.

    Attributes:
        columns: Together, the name.
        span: Column whose lowest and highest value tell that a file cannot hold a row.
        slack: How far two rows of one name can lie apart in that column.
    """

    columns: tuple[str, ...]
    span: str
    slack: int = 0

    def of(self, rows: pa.Table) -> pa.StringArray:
        """Return the names of rows, as text."""
        parts = [_text(rows.column(name)) for name in self.columns]
        named = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "\0")
        return named.combine_chunks() if isinstance(named, pa.ChunkedArray) else named

    def candidates(self, files: Iterable[DataFile], rows: pa.Table) -> list[DataFile]:
        """Return the files that may hold a row of the same name, by what the table's log tells."""
        values = self._places(rows)
        if values is None:
            return list(files)
        return [file for file in files if file.low is None or self._overlaps(file, values)]

    def _places(self, rows: pa.Table) -> list[Any] | None:
        """Where the rows lie, sorted; ``None`` if one may lie anywhere."""
        column = rows.column(self.span)
        if column.null_count or (self == EVENT and _any_hydrated(rows)):
            return None
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        return sorted(pc.unique(column).to_pylist())

    def _overlaps(self, file: DataFile, values: Sequence[Any]) -> bool:
        low, high = (file.low - self.slack, file.high + self.slack) if self.slack else (file.low, file.high)
        at = bisect_left(values, low)
        return at < len(values) and bool(values[at] <= high)


EVENT: Final = Key(("_event_id",), "_occurred_at", 3 * _HOUR)
"""Of a history.  All posts of an event tell the same instant, which is no column of
:data:`cdsbridge.tables.columns.DELIVERY`; but JSON may tell it an hour off near a change of the sender's
clock.  A row read again from Dataverse tells when Dataverse changed it last, so such rows are looked
for everywhere."""

MESSAGE: Final = Key(ledger.KEY, "enqueued_at", 1_000)
"""Of the ledger and of the quarantine.  A table's log tells instants to the millisecond."""


def hashed(keys: pa.StringArray) -> Hashes:
    """Return the hashes of keys."""
    found = np.fromiter(map(hash, keys.to_pylist()), np.int64, len(keys))
    found.sort()
    return found


def may_share(one: Hashes, other: Hashes) -> bool:
    """Tell whether two sets of keys may have one in common; never wrongly that they have not."""
    few, many = (one, other) if len(one) < len(other) else (other, one)
    if not len(few):
        return False
    at = np.searchsorted(many, few)
    at[at == len(many)] = 0
    return bool((many[at] == few).any())


class KnownKeys:
    """Hashes of the keys in files, those of the files longest not asked for forgotten first.

    Args:
        limit: Keys remembered, at most.
    """

    def __init__(self, limit: int = KNOWN) -> None:
        self._limit = limit
        self._count = 0
        self._files: OrderedDict[tuple[str, str], Hashes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, table: str, path: str) -> Hashes | None:
        """Return what is known of a file."""
        with self._lock:
            found = self._files.get((table, path))
            if found is not None:
                self._files.move_to_end((table, path))
            return found

    def put(self, table: str, path: str, hashes: Hashes) -> None:
        """Remember the keys of a file."""
        with self._lock:
            self._drop((table, path))
            self._files[table, path] = hashes
            self._count += len(hashes)
            while self._count > self._limit:
                self._drop(next(iter(self._files)))

    def forget(self, table: str, paths: Collection[str]) -> None:
        """Forget files that a table no longer has."""
        with self._lock:
            for path in paths:
                self._drop((table, path))

    def _drop(self, name: tuple[str, str]) -> None:
        self._count -= len(self._files.pop(name, ()))


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.string())


def _any_hydrated(rows: pa.Table) -> bool:
    return bool(pc.any(pc.equal(rows.column("_message"), HYDRATED)).as_py())
