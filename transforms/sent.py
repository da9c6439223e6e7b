"""The text of ``_changed``: which columns were sent, for all rows at once."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .grid import Numbers
from .slots import Slots


def sent_columns(rows: Numbers, codes: Numbers, row_tables: Numbers, slots: Slots) -> pa.Array:
    """Return a JSON list of column names for each row, sorted, each once.

    Args:
        rows: Row of each attribute that was sent.
        codes: Its column number.
        row_tables: Number of its table, for each row.
        slots: Names of columns.
    """
    order = slots.by_name()
    present = order[np.isin(order, codes)]
    tables = np.array(slots.tables, np.int64)[present]
    widths = np.bincount(tables, minlength=len(slots.table_names))
    starts = np.cumsum(widths) - widths
    rank = np.zeros(len(order), np.int64)
    rank[present] = np.arange(len(present)) - starts[tables]
    row_widths = widths[row_tables]
    begins = np.cumsum(row_widths) - row_widths
    marks = np.zeros(int(row_widths.sum()) + 1, np.bool_)
    marks[begins[rows] + rank[codes]] = True
    counts = np.diff(np.concatenate(([0], np.cumsum(marks)))[np.append(begins, len(marks) - 1)])
    hits = np.flatnonzero(marks)
    places = hits + np.repeat(starts[row_tables] - begins, counts)
    names = pa.array([f'"{slots.names[code]}"' for code in present.tolist()], pa.string())
    offsets = pa.array(np.append(0, np.cumsum(counts)), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, names.take(pa.array(places)))
    return pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")
