"""Names for the Arrow types a history column may have.

A sink writes the names beside its tables, so that a column read back has the
type it was made with, whatever the file format or database calls it.
"""

import re
from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from ..tables.columns import TIMESTAMP

_PLAIN: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "date": pa.date32(),
    "timestamp": TIMESTAMP,
    "binary": pa.binary(),
}
_NAMES: Final = {arrow_type: name for name, arrow_type in _PLAIN.items()}
_DECIMAL: Final = re.compile(r"decimal\((\d+),(\d+)\)")


def type_name(arrow_type: pa.DataType) -> str:
    """Return the name of a column type.

    Raises:
        TypeError: No sink holds such a column.

    >>> type_name(pa.decimal128(38, 4)), type_name(pa.date32())
    ('decimal(38,4)', 'date')
    """
    if pa.types.is_decimal128(arrow_type):
        return f"decimal({arrow_type.precision},{arrow_type.scale})"
    if arrow_type not in _NAMES:
        raise TypeError(f"No sink holds a column of Arrow type {arrow_type}")
    return _NAMES[arrow_type]


def type_from_name(name: str) -> pa.DataType:
    """Return the column type of a name; the inverse of :func:`type_name`.

    Raises:
        ValueError: The name is none of ours.

    >>> type_from_name("decimal(38,4)")
    Decimal128Type(decimal128(38, 4))
    """
    if found := _DECIMAL.fullmatch(name):
        return pa.decimal128(int(found[1]), int(found[2]))
    if name not in _PLAIN:
        raise ValueError(f"{name!r} names no column type")
    return _PLAIN[name]
