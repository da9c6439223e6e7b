"""Where values stand: the cell of each value among the columns of its form."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one form, one behind the other, and the cell of every value.

    Attributes:
        columns: Column numbers.
        offsets, lengths: Where each column's cells begin, and how many it has:
            one for each row of its table.
        cells: The cell of each value.
        total: Cells of all columns.
    """

    columns: Numbers
    offsets: Numbers
    lengths: Numbers
    cells: Numbers
    total: int

    def spread(self, values: pa.Array, cells: Numbers) -> pa.Array:
        """Return all cells: each value in its own, null in the others."""
        indexes = np.full(self.total, -1, np.int64)
        indexes[cells] = np.arange(len(values))
        return values.take(pa.array(indexes, mask=indexes < 0))

    def cells_of(self, codes: Numbers, grid: "Grid", rows: Numbers) -> Numbers:
        """Return the cells of columns, all of this layout, in some rows."""
        place = np.zeros(grid.codes, np.int64)
        place[self.columns] = self.offsets
        return place[codes] + grid.within[rows]


class Grid:
    """The rows of every table.

    Args:
        row_tables: Number of its table, for each row.
        column_tables: Number of its table, for each column there is.

    Attributes:
        within: Index in its table, for each row.
        codes: How many columns there are.
    """

    def __init__(self, row_tables: Numbers, column_tables: Numbers) -> None:
        self.codes = len(column_tables)
        self._column_tables = column_tables
        self._order = np.argsort(row_tables, kind="stable")
        self._sizes = np.bincount(row_tables, minlength=int(column_tables.max(initial=0)) + 1)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self.within = np.empty(len(row_tables), np.int64)
        self.within[self._order] = np.arange(len(row_tables)) - self._starts[row_tables[self._order]]

    def tables(self) -> list[int]:
        """Return the numbers of the tables that have rows."""
        return [int(table) for table in np.flatnonzero(self._sizes)]

    def rows(self, table: int) -> Numbers:
        """Return the rows of a table, in order."""
        start = self._starts[table]
        return self._order[start : start + self._sizes[table]]

    def layout(self, codes: Numbers, rows: Numbers) -> Layout:
        """Return the layout of values by the column and the row of each."""
        columns = np.flatnonzero(np.bincount(codes, minlength=self.codes))
        lengths = self._sizes[self._column_tables[columns]]
        offsets = np.cumsum(lengths) - lengths
        place = np.zeros(self.codes, np.int64)
        place[columns] = offsets
        return Layout(columns, offsets, lengths, place[codes] + self.within[rows], int(lengths.sum()))
