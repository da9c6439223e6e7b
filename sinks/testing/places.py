"""A sink under test, and another way to see what it holds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import pyarrow as pa

from ..base import Sink

Cell = str | int | float | bytes | None
"""A value in the one form all readers agree on."""

Row = Mapping[str, Cell]


class Place(Protocol):
    r"""A sink, empty at first, and another way to see what it holds.

    A place may say in an attribute ``lacks`` which of ``"a\0b"`` and infinity the store has no form for.
    """

    @property
    def sink(self) -> Sink:
        """The sink; the same each time."""

    def rows(self, table: str) -> list[Row]:
        """Return what a user of the sink sees as the rows of a table, sorted by its key.

        None if the table is not there.  Read by anything but the sink's own reader; cells as
        :func:`canonical` has them.
        """


def canonical(table: pa.Table) -> list[Row]:
    """Return rows with every value in one form: text for what has no plain form everywhere.

    Instants as ``2026-01-31 08:00:00.000000`` (UTC), dates and decimals as text, true as 1.
    """
    columns = [[_cell(value) for value in column] for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _cell(value: pa.Scalar) -> Cell:
    if not value.is_valid:
        return None
    if pa.types.is_timestamp(value.type):
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value.value)
        return instant.replace(tzinfo=None).isoformat(" ", "microseconds")
    found = value.as_py()
    if isinstance(found, Decimal):
        return format(found, "f")
    if isinstance(found, bool):
        return int(found)
    if isinstance(found, str | int | float | bytes):
        return found
    return str(found)
