"""A pool to table batches: every form read once, every value put in its place.

All values of one form, over all tables and columns, become one Arrow array;
one ``take`` spreads it over all the columns of that form, and the columns are
slices of the result.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from ..tables.names import label_name, target_name
from .forms import LABELLED, Form
from .grid import Grid, Layout, Numbers
from .parsing import Misfit, Parsed, misfits, parse
from .pool import Pool
from .slots import Slots

Columns = dict[int, dict[str, pa.Array]]
"""Number of a table to its columns by name."""


class Unfit(Exception):
    """Some rows must be read thoroughly.

    Attributes:
        rows: Their indexes in the pool.
    """

    def __init__(self, rows: set[int]) -> None:
        super().__init__(rows)
        self.rows = rows


class Harvest:
    """What a pool holds, read.

    Args:
        pool: The rows and their sealed values; at least one row.
        slots: What has been seen of columns; learns forms.

    Attributes:
        grid: The rows of every table.
        columns: The data columns that hold anything.
        occurred: Microseconds since 1970 UTC, for each row.

    Raises:
        Unfit: Some rows must be taken out first.
    """

    def __init__(self, pool: Pool, slots: Slots) -> None:
        self._pool = pool
        self._slots = slots
        self._unfit: set[int] = set()
        rows = np.arange(len(pool.seeds))
        self._rows = np.repeat(rows, pool.counts)
        self._codes = np.array(pool.codes, np.int64)
        self._label_rows = np.repeat(rows, pool.label_counts)
        self._label_codes = np.array(pool.label_codes, np.int64)
        self.grid = Grid(
            np.array([seed.table for seed in pool.seeds], np.int64), np.array(slots.tables, np.int64)
        )
        self._deletes = np.array([seed.op == "delete" for seed in pool.seeds])
        self.columns: Columns = defaultdict(dict)
        self.occurred: Numbers = self._created_on()
        self._read()
        if self._unfit:
            raise Unfit(self._unfit)

    def _created_on(self) -> Numbers:
        values = [seed.created_on for seed in self._pool.seeds]
        parsed = self._parsed(Form.INSTANT, values, np.arange(len(values)))
        if parsed is None:
            return np.zeros(len(values), np.int64)
        if parsed[0].null_count:
            self._unfit.update(np.flatnonzero(_nulls(parsed[0])).tolist())
        return _microseconds(parsed[0])

    def _read(self) -> None:
        self._settle()
        forms = np.frombuffer(self._slots.forms, np.uint8)
        of_value, of_label = forms[self._codes], forms[self._label_codes]
        for form in map(Form, np.unique(of_value).tolist()):
            if form > Form.ODD:
                labels = np.flatnonzero(of_label == form) if form in LABELLED else _NONE
                self._read_form(form, np.flatnonzero(of_value == form), labels)

    def _settle(self) -> None:
        """Find the form of columns that have none, and the rows with odd values."""
        forms = np.frombuffer(bytes(self._slots.forms), np.uint8)
        for entry in np.flatnonzero(forms[self._codes] <= Form.ODD).tolist():
            code = self._pool.codes[entry]
            form = self._slots.settle(code, bytes(self._pool.values[entry]))
            if form == Form.ODD or (form != Form.NOTHING and forms[code] == Form.ODD):
                self._unfit.add(int(self._rows[entry]))

    def _read_form(self, form: Form, entries: Numbers, labels: Numbers) -> None:
        values = list(map(self._pool.values.__getitem__, entries.tolist()))
        rows = self._rows[entries]
        parsed = self._parsed(form, values, rows)
        if parsed is None:
            return
        layout = self.grid.layout(self._codes[entries], rows)
        found = [layout.spread(array, layout.cells) for array in parsed]
        self._put(layout, found[0], str)
        if form == Form.INSTANT:
            self._note_modified(layout, found[0])
        elif form == Form.REFERENCE:
            self._put(layout, found[1], target_name)
            self._put(layout, pc.coalesce(found[2], self._labels(form, layout, found[0], labels)), label_name)
        elif len(labels):
            self._put(layout, self._labels(form, layout, found[0], labels), label_name)

    def _parsed(self, form: Form, values: Sequence[Raw], rows: Numbers) -> Parsed | None:
        try:
            return parse(form, values)
        except Misfit:
            self._unfit.update(rows[misfits(form, values)].tolist())
            return None

    def _labels(self, form: Form, layout: Layout, values: pa.Array, labels: Numbers) -> pa.Array:
        """Return the labels of values that are not null, in the cells of the values."""
        cells = layout.cells_of(self._label_codes[labels], self.grid, self._label_rows[labels])
        wanted = ~_nulls(values)[cells]
        chosen = labels[wanted]
        texts = list(map(self._pool.labels.__getitem__, chosen.tolist()))
        parsed = self._parsed(Form.LABEL, texts, self._label_rows[chosen])
        if parsed is None:
            return pa.nulls(layout.total, pa.string())
        found = parsed[0]
        if form == Form.OPTIONS:
            found = pa.array([_tidy(text) for text in found.to_pylist()], pa.string())
        return layout.spread(found, cells[wanted])

    def _put(self, layout: Layout, cells: pa.Array, name: Callable[[str], str]) -> None:
        """Cut cells into the columns of their tables; a column of nulls is left out."""
        for code, offset, length in zip(
            layout.columns.tolist(), layout.offsets.tolist(), layout.lengths.tolist(), strict=True
        ):
            column = cells.slice(offset, length)
            if column.null_count == length:
                continue
            table, key = self._slots.tables[code], self._slots.names[code]
            named = name(key)
            if named != key and self._slots.knows(table, named):
                self._unfit.update(self.grid.rows(table).tolist())
            self.columns[table][named] = column

    def _note_modified(self, layout: Layout, cells: pa.Array) -> None:
        """Take ``modifiedon`` for the time of a row, except of a delete."""
        for code, offset in zip(layout.columns.tolist(), layout.offsets.tolist(), strict=True):
            if self._slots.names[code] == "modifiedon":
                rows = self.grid.rows(self._slots.tables[code])
                column = cells.slice(offset, len(rows))
                known = ~_nulls(column) & ~self._deletes[rows]
                self.occurred[rows[known]] = _microseconds(column)[known]


def _tidy(labels: str | None) -> str | None:
    return None if labels is None else "; ".join(part.strip() for part in labels.split(";"))


_NONE: Final = np.empty(0, np.int64)


def _nulls(array: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False))


def _microseconds(array: pa.Array) -> Numbers:
    return np.array(array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))
