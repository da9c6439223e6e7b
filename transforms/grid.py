"""Where values stand: the cell of each value among the columns of its form."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Some columns, one behind the other, each with a cell for every row of its table.

    Attributes:
        columns: Column numbers.
        offsets, lengths: Where each column's cells begin, and how many it has.
        places: Where a column's cells begin, by column number; where there
            is no such column, ``total``.
        within: Index in its table, for each row.
        cells: The cells of the values that the layout was made for.
        total: Cells of all columns.
    """

    columns: Numbers
    offsets: Numbers
    lengths: Numbers
    places: Numbers
    within: Numbers
    cells: Numbers
    total: int

    def cell(self, codes: Numbers, rows: Numbers) -> Numbers:
        """Return the cells of columns in rows; ``total`` for a column that is not here, or -1."""
        begins = self.places[codes]
        return np.where(begins < self.total, begins + self.within[rows], self.total)

    def spread(self, values: pa.Array, cells: Numbers) -> pa.Array:
        """Return all cells: each value in its own, the later of two in one cell; null in the others."""
        indexes = np.full(self.total, -1, np.int64)
        indexes[cells] = np.arange(len(values))
        return values.take(pa.array(indexes, mask=indexes < 0))


class Grid:
    """The rows of every table.

    Args:
        row_tables: Number of its table, for each row.
        column_tables: Number of its table, for each column there is.

    Attributes:
        order: The rows, table by table.
    """

    def __init__(self, row_tables: Numbers, column_tables: Numbers) -> None:
        self._column_tables = column_tables
        self.order = np.argsort(row_tables, kind="stable")
        most = max(int(column_tables.max(initial=0)), int(row_tables.max(initial=0)))
        self._sizes = np.bincount(row_tables, minlength=most + 1)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._within = np.empty(len(row_tables), np.int64)
        self._within[self.order] = np.arange(len(row_tables)) - self._starts[row_tables[self.order]]

    def tables(self) -> list[tuple[int, int, int]]:
        """Return number, begin in ``order`` and size of each table that has rows."""
        return [
            (table, int(self._starts[table]), int(self._sizes[table]))
            for table in np.flatnonzero(self._sizes).tolist()
        ]

    def rows(self, table: int) -> Numbers:
        """Return the rows of a table."""
        start = self._starts[table]
        return self.order[start : start + self._sizes[table]]

    def layout(self, codes: Numbers, rows: Numbers) -> Layout:
        """Return the layout of the columns of values; each value stands in a row."""
        columns = np.flatnonzero(np.bincount(codes, minlength=len(self._column_tables)))
        lengths = self._sizes[self._column_tables[columns]]
        offsets = np.cumsum(lengths) - lengths
        total = int(lengths.sum())
        places = np.full(len(self._column_tables) + 1, total, np.int64)
        places[columns] = offsets
        cells = places[codes] + self._within[rows]
        return Layout(columns, offsets, lengths, places, self._within, cells, total)
