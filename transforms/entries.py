"""What a pool tells, attribute by attribute, as columns of numbers."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .grid import Grid, Layout, Numbers
from .pairs import Pairs, Pieces, read_pairs
from .pool import Pool
from .rules import Limits
from .slots import Slots
from .texts import are_plain

Flags = npt.NDArray[np.bool_]

_STRING: Final = r'(?s)\A"(?:[^"\\]|\\.)*"\z'


class Unfit(Exception):
    """Some rows must be read thoroughly.

    Attributes:
        rows: Their indexes in the pool.
    """

    def __init__(self, rows: set[int]) -> None:
        super().__init__(rows)
        self.rows = rows


@dataclass(frozen=True, slots=True)
class Entries:
    """Every attribute of every source.

    Attributes:
        rows, codes, sources: Row, column number and source of each.
        values: JSON text of each.
        layout: The cells of all columns.  Where two entries have the same, the
            later one holds, as it does when both are put there in turn.
    """

    rows: Numbers
    codes: Numbers
    sources: Numbers
    values: Pieces
    layout: Layout


@dataclass(frozen=True, slots=True)
class Labels:
    """Every label that belongs to a value that holds.

    Attributes:
        rows, codes: Row and column number of each.
        texts: JSON text of each.
    """

    rows: Numbers
    codes: Numbers
    texts: Pieces


def read_entries(pool: Pool, grid_tables: Numbers, slots: Slots, limits: Limits) -> tuple[Entries, Grid]:
    """Return the attributes of a pool; columns not seen before get numbers.

    Args:
        pool: The pool.
        grid_tables: Number of its table, for each row.
        slots: What has been seen of columns.
        limits: What is too large.

    Raises:
        Unfit: In some rows a list is no list of pairs, a key stands twice or
            is not the plain name of a column, or there are too many.
    """
    pairs = read_pairs(pool.attributes)
    source_rows = np.array(pool.rows, np.int64)
    rows = source_rows[pairs.lists]
    unfit = set(source_rows[pairs.broken].tolist())
    codes = _codes(pairs, grid_tables[rows], slots)
    unfit.update(rows[codes < 0].tolist())
    unfit.update(_too_many(source_rows, pairs.lists, limits.attributes))
    unfit.update(np.flatnonzero(3 * np.bincount(rows) > limits.columns).tolist())
    if unfit:
        raise Unfit(unfit)
    grid = Grid(grid_tables, np.array(slots.tables, np.int64))
    layout = grid.layout(codes, rows)
    twice = _twice(layout, rows, pairs.lists, source_rows)
    if twice:
        raise Unfit(twice)
    return Entries(rows, codes, pairs.lists, pairs.values, layout), grid


def read_labels(pool: Pool, grid_tables: Numbers, slots: Slots, entries: Entries) -> Labels:
    """Return the labels of a pool that belong to entries that hold.

    Raises:
        Unfit: In some rows a list is no list of labels, or a key stands twice.
    """
    pairs = read_pairs(pool.labels)
    list_sources = np.array(pool.label_sources, np.int64)
    list_rows = np.array(pool.rows, np.int64)[list_sources]
    unfit = set(list_rows[pairs.broken].tolist())
    unfit.update(list_rows[pairs.lists[~_texts(pairs.values.array())]].tolist())
    odd = np.array(["\\" in name or '"' in name for name in pairs.names], np.bool_)
    unfit.update(list_rows[pairs.lists[odd[pairs.keys]]].tolist())
    keys = pa.array(pairs.lists * max(len(pairs.names), 1) + pairs.keys).dictionary_encode()
    once = _last(keys.indices.to_numpy(), len(keys.dictionary))
    unfit.update(list_rows[pairs.lists[~once]].tolist())
    if unfit:
        raise Unfit(unfit)
    rows, sources = list_rows[pairs.lists], list_sources[pairs.lists]
    codes = _known(pairs, grid_tables[rows], slots)
    chosen = np.flatnonzero(_won(entries, codes, rows, sources))
    return Labels(rows[chosen], codes[chosen], pairs.values.among(chosen))


def _codes(pairs: Pairs, tables: Numbers, slots: Slots) -> Numbers:
    """Return the column number of each pair, a new one where there is none; -1 for no plain name."""
    both = pa.array(tables * max(len(pairs.names), 1) + pairs.keys).dictionary_encode()
    indices = both.indices.to_numpy()
    numbers = np.empty(len(both.dictionary), np.int64)
    firsts = np.empty(len(both.dictionary), np.int64)
    firsts[indices[::-1]] = np.arange(len(indices))[::-1]
    for index, each in enumerate(both.dictionary.to_pylist()):
        table, key = divmod(each, len(pairs.names))
        code = slots.column(table, pairs.names[key])
        if code is None:
            sample = pairs.values.at(int(firsts[index]))
            code = slots.learn(table, pairs.names[key], sample)
        numbers[index] = -1 if code is None else code
    return numbers[indices]


def _known(pairs: Pairs, tables: Numbers, slots: Slots) -> Numbers:
    """Return the column number of each pair; -1 where there is none."""
    both = pa.array(tables * max(len(pairs.names), 1) + pairs.keys).dictionary_encode()
    numbers = [
        slots.column(each // len(pairs.names), pairs.names[each % len(pairs.names)])
        for each in both.dictionary.to_pylist()
    ]
    return np.array([-1 if code is None else code for code in numbers], np.int64)[both.indices.to_numpy()]


def _too_many(source_rows: Numbers, lists: Numbers, limit: int) -> list[int]:
    counts = np.bincount(lists, minlength=len(source_rows))
    return list(source_rows[counts > limit].tolist())


def _last(places: Numbers, total: int) -> Flags:
    """Tell of each whether it is the last in its place."""
    index = np.arange(len(places))
    last = np.empty(total, np.int64)
    last[places] = index
    return np.asarray(last[places] == index)


def _twice(layout: Layout, rows: Numbers, sources: Numbers, source_rows: Numbers) -> set[int]:
    """Return the rows in which one source has a column twice."""
    firsts = np.searchsorted(source_rows, np.arange(int(rows.max(initial=-1)) + 1))
    ranks = sources - firsts[rows]
    most = int(ranks.max(initial=0)) + 1
    once = _last(layout.cells * most + ranks, layout.total * most)
    return set(rows[~once].tolist())


def _texts(values: pa.Array) -> Flags:
    """Tell of each value whether it is one JSON string."""
    texts = are_plain(values)
    rest = np.flatnonzero(~texts)
    if len(rest):
        texts[rest] = np.array(pc.match_substring_regex(values.take(pa.array(rest)), _STRING))
    return texts


def _won(entries: Entries, codes: Numbers, rows: Numbers, sources: Numbers) -> Flags:
    """Tell of labels whether they stand beside the value that holds."""
    winner = np.full(entries.layout.total + 1, -1, np.int64)
    winner[entries.layout.cells] = entries.sources
    cells = entries.layout.cell(codes, rows)
    return np.asarray(winner[cells] == sources)
