"""Rows a store can never take: which they are, so that the others can be written without them."""

from dataclasses import dataclass

from ..model.errors import BridgeError


@dataclass(frozen=True, slots=True)
class Refused:
    """One row that cannot be written.

    Attributes:
        table: Name of the history in the sink.
        event_id: Of the row, as in ``_event_id``.
        sentence: What is wrong with which column, and what to do.
        column: The column at fault, or the empty string.
    """

    table: str
    event_id: str
    sentence: str
    column: str = ""


class RowsRefused(BridgeError):
    """Some rows of a flush can never be written; nothing of the flush was.

    The messages they come from go to quarantine, and the rest is tried again.

    Attributes:
        rows: At least one.
    """

    def __init__(self, rows: tuple[Refused, ...]) -> None:
        super().__init__(f"{len(rows)} rows cannot be written; the first: {rows[0].sentence}")
        self.rows = rows

    def __reduce__(self) -> "tuple[type[RowsRefused], tuple[tuple[Refused, ...]]]":
        """Pickle by its rows."""
        return RowsRefused, (self.rows,)
