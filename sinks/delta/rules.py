"""What becomes of rows a table holds and rows that come, each a function of both.

A rule gets the rows held under the names of those that come, and says which
names to take out and which rows to put in.  Putting in what is there already
changes nothing, so a flush written again is a flush written once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ...tables.columns import DELIVERY
from ...tables.state import StateChanges
from ..base import SchemaMoved
from .files import aligned
from .keys import Key

NONE: Final = pa.array([], pa.string())
_REPLACED: Final = (*DELIVERY, "SinkModifiedOn")


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do to a table.

    Attributes:
        dropped: Names whose rows go.
        added: Rows that come.
    """

    dropped: pa.StringArray
    added: pa.Table

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be done."""
        return not len(self.dropped) and not self.added.num_rows


Rule = Callable[[pa.Table], Decision]
"""From the rows held to what to do."""


def history_rule(rows: pa.Table) -> Rule:
    """Return the rule of a history: an event is there once, told by its first post.

    Of two posts that with the lower ``_order`` counts, then the earlier
    ``_received_at``.  It gives its delivery columns to the row that is there;
    all else two posts of an event have in common.

    Args:
        rows: Those that come, of distinct events.
    """
    return partial(_history, rows)


def absent_rule(rows: pa.Table, key: Key) -> Rule:
    """Return the rule of ledger and quarantine: a row comes only if its name is absent.

    Args:
        rows: Those that come.
        key: What names them.
    """
    return partial(_absent, rows, key)


def state_rule(changes: StateChanges, now: int) -> Rule:
    """Return the rule of a state: what folding makes of the rows held.

    Args:
        changes: What the flush says.
        now: The instant of the commit, microseconds since 1970 UTC.
    """
    return partial(_state, changes, now)


def _history(rows: pa.Table, held: pa.Table) -> Decision:
    if not held.num_rows:
        return Decision(NONE, rows)
    ranked = held.sort_by([("_order", "ascending"), ("_received_at", "ascending")])
    at = pc.index_in(rows.column("_event_id").combine_chunks(), ranked.column("_event_id").combine_chunks())
    new, posts = rows.filter(at.is_null()), rows.filter(at.is_valid())
    theirs = ranked.take(at.drop_null())
    earlier = _is_earlier(posts, theirs)
    told = posts.filter(earlier)
    mended = _with_columns(theirs.filter(earlier), told, _REPLACED)
    added = pa.concat_tables([aligned(new, held.schema), mended])
    return Decision(told.column("_event_id").combine_chunks(), added)


def _is_earlier(posts: pa.Table, theirs: pa.Table) -> pa.ChunkedArray:
    lower = pc.less(posts.column("_order"), theirs.column("_order"))
    same = pc.equal(posts.column("_order"), theirs.column("_order"))
    sooner = pc.less(posts.column("_received_at"), theirs.column("_received_at"))
    return pc.fill_null(pc.or_kleene(lower, pc.and_kleene(same, sooner)), False)


def _with_columns(rows: pa.Table, givers: pa.Table, names: Sequence[str]) -> pa.Table:
    for name in names:
        rows = rows.set_column(
            rows.schema.get_field_index(name), rows.schema.field(name), givers.column(name)
        )
    return rows


def _absent(rows: pa.Table, key: Key, held: pa.Table) -> Decision:
    if not held.num_rows:
        return Decision(NONE, rows)
    return Decision(NONE, rows.filter(pc.invert(pc.is_in(key.of(rows), key.of(held)))))


def _state(changes: StateChanges, now: int, held: pa.Table) -> Decision:
    columns = changes.schema.columns
    if any(columns.get(field.name) != field.type for field in held.schema):
        raise SchemaMoved(f"Table {changes.schema.table} has got other columns")
    folded = changes.folded(held.select(list(columns)), now)
    return Decision(pc.unique(folded.column(changes.group)), folded)
