"""Which rows of a table's files repeat another, and may go."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ..files import Files
from .lake import Kind

Numbers = npt.NDArray[np.int64]

_READERS: Final = 8


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows that repeat another.

    Attributes:
        rows: Path to the positions of the rows in it that another row stands for.
        shared: Sets of files that hold rows of the same name, each with the file whose row counts.
    """

    rows: Mapping[str, Numbers] = field(default_factory=dict)
    shared: Sequence[Sequence[str]] = ()

    @property
    def count(self) -> int:
        """How many rows may go."""
        return sum(map(len, self.rows.values()))


def find_repeats(files: Files, paths: Sequence[str], kind: Kind) -> Repeats:
    """Look for rows of one key in the files of a table; the row of the lowest rank stays.

    Needs some 8 bytes of memory for a row, and 500 for one that repeats.

    Args:
        files: Where the paths are.
        paths: All files of the table.
        kind: Key and rank of its rows.

    Raises:
        SinkUnavailable: A file cannot be read.
    """
    with ThreadPoolExecutor(_READERS, "repeats") as pool:
        hashes = list(pool.map(partial(_hashes, files, kind), paths))
        together = np.sort(np.concatenate([np.empty(0, np.int64), *hashes]))
        twice = np.unique(together[1:][together[1:] == together[:-1]])
        suspects = [np.flatnonzero(np.isin(each, twice)) for each in hashes]
        asked = [(at, path, suspects[at]) for at, path in enumerate(paths) if len(suspects[at])]
        found = list(pool.map(lambda job: _rows(files, kind, *job), asked))
    return _losers(pa.concat_tables(found), paths, kind) if found else Repeats()


def _hashes(files: Files, kind: Kind, path: str) -> Numbers:
    keys = _columns(files, path, kind.key)
    values = zip(*(column.to_pylist() for column in keys.columns), strict=True)
    return np.fromiter(map(hash, values), np.int64, keys.num_rows)


def _rows(files: Files, kind: Kind, at: int, path: str, positions: Numbers) -> pa.Table:
    rows = _columns(files, path, tuple(dict.fromkeys((*kind.key, *kind.rank)))).take(pa.array(positions))
    rows = rows.append_column("file", pa.array(np.full(len(positions), at, np.int64)))
    return rows.append_column("row", pa.array(positions))


def _losers(rows: pa.Table, paths: Sequence[str], kind: Kind) -> Repeats:
    by = tuple(dict.fromkeys((*kind.key, *kind.rank, "file", "row")))
    rows = rows.sort_by([(name, "ascending") for name in by])
    keys = zip(*(rows.column(name).to_pylist() for name in kind.key), strict=True)
    places = zip(rows.column("file").to_pylist(), rows.column("row").to_pylist(), strict=True)
    losing: dict[int, list[int]] = {}
    shared: set[tuple[int, int]] = set()
    last, winner = None, 0
    for key, (file, row) in zip(keys, places, strict=True):
        if key != last:
            last, winner = key, file
            continue
        losing.setdefault(file, []).append(row)
        shared.add((winner, file))
    return Repeats(
        {paths[at]: np.sort(np.array(found, np.int64)) for at, found in losing.items()},
        [(paths[one], paths[other]) for one, other in sorted(shared)],
    )


def _columns(files: Files, path: str, names: Sequence[str]) -> pa.Table:
    with files.open(path) as file:
        return pq.read_table(file, columns=list(names), partitioning=None).select(list(names))
