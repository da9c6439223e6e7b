"""A pool to columns: every form read once, every value put in its place.

All values of one form, over all tables and columns, become one Arrow array;
one ``take`` spreads it over all the columns of that form, and the columns are
slices of the result.
"""

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..tables.names import label_name, target_name
from .entries import Flags, read_entries, read_labels
from .forms import LABELLED, Form
from .grid import Layout, Numbers
from .pairs import Pieces
from .parsing import Parsed, misfits, parse
from .pool import Pool
from .rules import Limits
from .sent import sent_columns
from .slots import Slots
from .stripping import Misfit

Columns = dict[int, dict[str, pa.Array]]
"""Number of a table to its columns by name."""


class Harvest:
    """What a pool holds, read.

    Args:
        pool: The rows and their sealed values; at least one row.
        slots: What has been seen of columns; learns columns and forms.
        limits: What is too large.

    Attributes:
        grid: The rows of every table.
        columns: The data columns that hold anything.
        occurred: Microseconds since 1970 UTC, for each row.
        sent: ``_changed``, for each row.
        unfit: Rows that must be read thoroughly; what stands of them in the
            columns is not to be used.

    Raises:
        Unfit: Some rows must be taken out before anything can be read.
    """

    def __init__(self, pool: Pool, slots: Slots, limits: Limits) -> None:
        self._pool = pool
        self._slots = slots
        self.unfit: set[int] = set()
        self._every = np.arange(len(pool.seeds))
        self._deletes = np.array([seed.op == "delete" for seed in pool.seeds])
        tables = np.array([seed.table for seed in pool.seeds], np.int64)
        self._entries, self.grid = read_entries(pool, tables, slots, limits)
        self._labels = read_labels(pool, tables, slots, self._entries)
        self.columns: Columns = defaultdict(dict)
        self.occurred: Numbers = self._created_on()
        sent = np.array(pool.sent, np.bool_)[self._entries.sources]
        self.sent = sent_columns(self._entries.rows[sent], self._entries.codes[sent], tables, slots)
        self._read()

    def _created_on(self) -> Numbers:
        texts = pa.array([seed.created_on for seed in self._pool.seeds], pa.binary())
        values = Pieces(texts, self._every)
        parsed, fits = self._parsed(Form.INSTANT, values, self._every, self._every)
        occurred = np.zeros(len(values), np.int64)
        if len(fits):
            self.unfit.update(fits[_nulls(parsed[0])].tolist())
            occurred[fits] = _microseconds(parsed[0])
        return occurred

    def _read(self) -> None:
        self._settle()
        forms = np.frombuffer(bytes(self._slots.forms), np.uint8)
        of_value, of_label = forms[self._entries.codes], forms[self._labels.codes]
        for form in map(Form, np.unique(of_value).tolist()):
            if form > Form.ODD:
                self._read_form(form, np.flatnonzero(of_value == form), np.flatnonzero(of_label == form))

    def _settle(self) -> None:
        """Find the form of columns that have none, and the rows with odd values."""
        codes, rows, values = self._entries.codes, self._entries.rows, self._entries.values
        forms = np.frombuffer(bytes(self._slots.forms), np.uint8)
        for entry in np.flatnonzero(forms[codes] <= Form.ODD).tolist():
            code = int(codes[entry])
            form = self._slots.settle(code, values.at(entry))
            if form == Form.ODD or (form != Form.NOTHING and forms[code] == Form.ODD):
                self.unfit.add(int(rows[entry]))

    def _read_form(self, form: Form, entries: Numbers, labels: Numbers) -> None:
        parsed, entries = self._parsed(form, self._entries.values, entries, self._entries.rows)
        if not len(entries):
            return
        layout = self.grid.layout(self._entries.codes[entries], self._entries.rows[entries])
        found = [layout.spread(array, layout.cells) for array in parsed]
        self._put(layout, found[0], str)
        if form == Form.INSTANT:
            self._note_modified(layout, found[0])
        if form == Form.REFERENCE:
            self._put(layout, found[1], target_name)
            found[2] = pc.coalesce(found[2], self._spread_labels(form, layout, found[0], labels))
            self._put(layout, found[2], label_name)
        elif form in LABELLED and len(labels):
            self._put(layout, self._spread_labels(form, layout, found[0], labels), label_name)

    def _parsed(self, form: Form, values: Pieces, chosen: Numbers, rows: Numbers) -> tuple[Parsed, Numbers]:
        """Parse some values; return the arrays, and the indexes of the values in them."""
        sealed = values.take(chosen)
        try:
            return parse(form, sealed), chosen
        except Misfit:
            chosen = chosen[self._fitting(form, sealed, rows[chosen])]
        return (parse(form, values.take(chosen)) if len(chosen) else ()), chosen

    def _fitting(self, form: Form, values: pa.Array, rows: Numbers) -> Numbers:
        """Return the indexes of values that are of a form; the rows of the others are unfit."""
        bad = misfits(form, values)
        self.unfit.update(rows[bad].tolist())
        return np.delete(np.arange(len(values)), bad)

    def _spread_labels(self, form: Form, layout: Layout, values: pa.Array, labels: Numbers) -> pa.Array:
        """Return the labels of values that are not null, in the cells of the values."""
        cells = layout.cell(self._labels.codes[labels], self._labels.rows[labels])
        wanted = cells < layout.total
        wanted[wanted] = ~_nulls(values)[cells[wanted]]
        parsed, kept = self._parsed(Form.LABEL, self._labels.texts, labels[wanted], self._labels.rows)
        if not len(kept):
            return pa.nulls(layout.total, pa.string())
        found = parsed[0]
        if form == Form.OPTIONS:
            found = pa.array([_tidy(text) for text in found.to_pylist()], pa.string())
        return layout.spread(found, layout.cell(self._labels.codes[kept], self._labels.rows[kept]))

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
                self.unfit.update(self.grid.rows(table).tolist())
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


def _nulls(array: pa.Array) -> Flags:
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False))


def _microseconds(array: pa.Array) -> Numbers:
    return np.array(array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))
