"""Values of one numeric or date type in a column of another, where nothing is lost.

One sender's encoding tells that a number is whole or a double, another's does
not.  Without metadata the first message decides the type of a column; what
comes in another type is held if that is exact.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final

import pyarrow as pa

_WIDE: Final = Context(prec=76, traps=[Inexact, InvalidOperation])


def fitted(values: pa.Array, held: pa.DataType) -> tuple[pa.Array, pa.Array] | None:
    """Return values in another type, and which of them it cannot hold exactly; ``None`` if none ever could.

    Args:
        values: Of the type a message carries.
        held: The type of the column.

    Returns:
        The values, null where they do not fit; and true where they do not.

    >>> found, failed = fitted(pa.array([1, None]), pa.decimal128(38, 10))
    >>> found.to_pylist(), failed.to_pylist()
    ([Decimal('1.0000000000'), None], [False, False])
    """
    convert = _conversion(values.type, held)
    if convert is None:
        return None
    found: list[Any] = []
    failed: list[bool] = []
    for value in values.to_pylist():
        converted = None if value is None else convert(value)
        found.append(converted)
        failed.append(value is not None and converted is None)
    return pa.array(found, held), pa.array(failed, pa.bool_())


def _conversion(carried: pa.DataType, held: pa.DataType) -> Callable[[Any], Any] | None:
    if _is_number(carried) and _is_number(held):
        if pa.types.is_decimal(held):
            return lambda value: _as_decimal(value, held.scale, held.precision)
        return _as_double if pa.types.is_floating(held) else _as_whole
    if pa.types.is_date(carried) and pa.types.is_timestamp(held):
        return lambda value: datetime.combine(value, time(), UTC)
    if pa.types.is_timestamp(carried) and pa.types.is_date(held):
        return _as_day
    return None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind))


def _exact(value: Decimal | float) -> Decimal:
    """Return a number as people write it: a double by the shortest text that means it."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _as_decimal(value: Decimal | float, scale: int, precision: int) -> Decimal | None:
    exact = _exact(value)
    if not exact.is_finite():
        return None
    try:
        found = exact.quantize(Decimal(1).scaleb(-scale), context=_WIDE)
    except (Inexact, InvalidOperation):
        return None
    return found if found.is_zero() or found.adjusted() < precision - scale else None


def _as_double(value: Decimal | float) -> float | None:
    exact, found = _exact(value), float(value)
    return found if _exact(found) == exact else None


def _as_whole(value: Decimal | float) -> int | None:
    exact = _exact(value)
    if not exact.is_finite() or exact.adjusted() > 18 or exact != exact.to_integral_value():
        return None
    return int(exact) if -(2**63) <= exact < 2**63 else None


def _as_day(value: datetime) -> date | None:
    return value.date() if value.time() == time() else None
