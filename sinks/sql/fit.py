"""Values that a database is known not to take, found in Arrow before anything is sent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_YEAR_1: Final = -62_135_596_800_000_000
_YEAR_9999: Final = 253_402_300_799_999_999
"""Microseconds since 1970 of the first and last instant that MariaDB, SQL Server and Python know."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """One value a database cannot take.

    Attributes:
        row: Its place among the rows.
        column: Its column.
        sentence: What is wrong with it.
    """

    row: int
    column: str
    sentence: str


@dataclass(frozen=True, slots=True)
class _Rule:
    applies: Callable[[pa.DataType], bool]
    wrong: Callable[[pa.ChunkedArray], pa.ChunkedArray]
    sentence: str


def _has_nul(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.match_substring(values, "\0")


def _is_not_finite(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.invert(pc.is_finite(values))


def _is_far(values: pa.ChunkedArray) -> pa.ChunkedArray:
    whole = values.cast(pa.int64())
    return pc.or_(pc.less(whole, _YEAR_1), pc.greater(whole, _YEAR_9999))


def _is_far_day(values: pa.ChunkedArray) -> pa.ChunkedArray:
    days = values.cast(pa.int32())
    return pc.or_(pc.less(days, _YEAR_1 // 86_400_000_000), pc.greater(days, _YEAR_9999 // 86_400_000_000))


_NUL: Final = _Rule(
    pa.types.is_string, _has_nul, "holds the character NUL, which a text in this database cannot hold"
)
_FINITE: Final = _Rule(
    pa.types.is_floating, _is_not_finite, "is infinite or no number, which this database has no value for"
)
_FAR: Final = (
    _Rule(pa.types.is_timestamp, _is_far, "lies outside the years 1 to 9999"),
    _Rule(pa.types.is_date, _is_far_day, "lies outside the years 1 to 9999"),
)

_RULES: Final[Mapping[str, Sequence[_Rule]]] = {
    "postgresql": (_NUL, *_FAR),
    "mysql": (_FINITE, *_FAR),
    "mariadb": (_FINITE, *_FAR),
    "mssql": (_FINITE, *_FAR),
    "sqlite": _FAR,
}
"""PostgreSQL: https://www.postgresql.org/docs/current/datatype-character.html."""


def unfit(dialect: str, rows: pa.Table) -> Iterator[Unfit]:
    """Yield the values that a kind of database does not take.

    Args:
        dialect: SQLAlchemy's name for the database.
        rows: With any columns.
    """
    for rule in _RULES.get(dialect, _FAR):
        for name, values in zip(rows.column_names, rows.columns, strict=True):
            if rule.applies(values.type) and values.null_count < len(values):
                wrong = pc.fill_null(rule.wrong(values), fill_value=False)
                if pc.any(wrong).as_py():
                    yield from (
                        Unfit(row, name, rule.sentence) for row in pc.indices_nonzero(wrong).to_pylist()
                    )


def cleaned(dialect: str, rows: pa.Table) -> pa.Table:
    """Return rows of ledger or quarantine, whose texts are told and not data, as the database can take them.

    U+FFFD stands for NUL; the bytes of the message keep it.
    """
    if _NUL not in _RULES.get(dialect, ()):
        return rows
    for place, values in enumerate(rows.columns):
        if pa.types.is_string(values.type) and pc.any(_has_nul(values)).as_py():
            said = pc.replace_substring(values, "\0", "\N{REPLACEMENT CHARACTER}")
            rows = rows.set_column(place, rows.schema.field(place), said)
    return rows
