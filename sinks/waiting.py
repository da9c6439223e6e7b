"""The list of rows that wait to be read again from Dataverse.

It is no table: a truncated row waits as long as its history lacks the row that
answers it.  So nothing can make the list and the histories disagree.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ..tables.hydration import TruncatedRow, hydration_id, hydration_ids, truncated_rows
from .base import SinkReader

_HISTORY = "_history"


def waiting(readers: Sequence[SinkReader]) -> Iterator[TruncatedRow]:
    """Yield the truncated rows that some sink lacks the answer to, each once.

    Rows are read in pieces; only ids of truncated rows are held.

    Args:
        readers: Of the sinks; not to be used otherwise until this ends.

    Raises:
        SinkUnavailable: A sink cannot be read.
    """
    told: set[str] = set()
    for reader in readers:
        unanswered = _unanswered(reader)
        for history, rows in reader.truncated():
            for row in truncated_rows(history.removesuffix(_HISTORY), rows):
                answer = hydration_id(row.event_id)
                if answer in unanswered and answer not in told:
                    told.add(answer)
                    yield row


def _unanswered(reader: SinkReader) -> set[str]:
    """Return the ids of the rows that a sink lacks."""
    wanted: dict[str, list[pa.Array]] = {}
    for history, rows in reader.truncated():
        wanted.setdefault(history, []).append(hydration_ids(rows.column("_event_id")))
    found: set[str] = set()
    for history, pieces in wanted.items():
        ids = pc.unique(pa.concat_arrays(pieces))
        held = reader.held(history, ids)
        found.update(ids.filter(pc.invert(pc.is_in(ids, held))).to_pylist())
    return found
