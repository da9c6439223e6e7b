"""Values in filters: how they compare and compute.

The SQL filter page of the Azure documentation says that operators follow the
numeric promotions and implicit conversions of C#.  Integers are ``long`` (or
``ulong`` above it), other numbers ``double``, or ``decimal`` where a message
carries one; ``None`` stands for null and for unknown, which every operator
passes on.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Final, TypeAlias
from uuid import UUID

from .errors import FilterError

Value: TypeAlias = bool | int | float | Decimal | str | bytes | UUID | datetime | timedelta | None
"""A value a filter can meet; ``None``: null, or unknown."""

MIN_LONG: Final = -(2**63)
MAX_LONG: Final = 2**63 - 1
_MAX_ULONG: Final = 2**64 - 1
_LARGEST: Final = 65536
"""Longest string an expression may make, characters."""

_NAMES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a double"),
    (Decimal, "a decimal"),
    (str, "a string"),
    (bytes, "binary data"),
    (UUID, "a GUID"),
    (datetime, "a time"),
    (timedelta, "a duration"),
)


def type_name(value: Value) -> str:
    """What a value is, for sentences."""
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "null")


def same_family(left: Value, right: Value) -> bool:
    """Whether two values are of one type, all integers counting as one, and so can be equal."""
    kinds = [next((kind for kind, _ in _NAMES if isinstance(value, kind)), None) for value in (left, right)]
    return kinds[0] is kinds[1] is not None


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def in_utc(value: Value) -> Value:
    """The value; a time without a zone is taken for UTC."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def compare(operator: str, left: Value, right: Value) -> bool | None:
    """Whether ``left operator right`` holds; ``None``: unknown.

    Strings compare by code point; equality is what booleans, GUIDs and binary data have.

    Raises:
        FilterError: No operator of C# takes these types.
    """
    left, right = in_utc(left), in_utc(right)
    if left is None or right is None:
        return None
    if _is_number(left) and _is_number(right):
        left, right = _promoted(operator, left, right)
    elif not same_family(left, right) or (
        isinstance(left, bool | UUID | bytes) and operator not in {"=", "<>"}
    ):
        raise _no_operator(operator, left, right)
    try:
        return _COMPARISONS[operator](left, right)
    except DecimalException as error:
        raise FilterError("A decimal that is not a number cannot be compared.") from error


_COMPARISONS: Final[dict[str, Callable[..., bool]]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def compute(operator: str, left: Value, right: Value) -> Value:
    """The value of ``left operator right``; ``None``: unknown.

    Integers are divided without a fraction, towards zero.  Strings can be added.

    Raises:
        FilterError: No operator of C# takes these types, an integer or decimal is
            divided by zero, or the result does not fit its type.
    """
    if left is None or right is None:
        return None
    if isinstance(left, str) and isinstance(right, str) and operator == "+":
        if len(left) + len(right) > _LARGEST:
            raise FilterError(f"The strings make more than {_LARGEST} characters.")
        return left + right
    if not (_is_number(left) and _is_number(right)):
        raise _no_operator(operator, left, right)
    one, other = _promoted(operator, left, right)
    if isinstance(one, float) and isinstance(other, float):
        return _of_doubles(operator, one, other)
    if operator in {"/", "%"} and not other:
        raise FilterError("A number cannot be divided by zero.")
    if isinstance(one, int) and isinstance(other, int):
        return _checked(_of_integers(operator, one, other))
    try:
        return _DECIMAL[operator](one, other)
    except DecimalException as error:
        raise FilterError(f"The result of {operator} does not fit a decimal.") from error


def demand_number(operator: str, value: Value) -> int | float | Decimal | None:
    """The value, if it is a number or unknown.

    Raises:
        FilterError: It is something else.
    """
    if value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool)):
        return value
    raise FilterError(f"The operator {operator} does not take {type_name(value)}.")


def negate(value: Value) -> Value:
    """The value of ``- value``; ``None``: unknown.

    Raises:
        FilterError: It is not a number, or its opposite does not fit its type.
    """
    number = demand_number("-", value)
    if number is None:
        return None
    return _checked(-number) if isinstance(number, int) else -number


_DECIMAL: Final[dict[str, Callable[..., Decimal]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": lambda left, right: left % right,
}


def _promoted(operator: str, left: Value, right: Value) -> tuple[Value, Value]:
    """Both numbers in the type that C# would compute in."""
    if isinstance(left, int) and isinstance(right, int):
        return left, right
    if isinstance(left, float) or isinstance(right, float):
        if isinstance(left, Decimal) or isinstance(right, Decimal):
            raise _no_operator(operator, left, right)
        return float(left), float(right)  # type: ignore[arg-type]
    return Decimal(left), Decimal(right)  # type: ignore[arg-type]


def _of_integers(operator: str, left: int, right: int) -> int:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return quotient if operator == "/" else left - quotient * right


def _of_doubles(operator: str, left: float, right: float) -> float:
    try:
        return _DOUBLE[operator](left, right)
    except ZeroDivisionError:
        if not left or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1, right)
    except ValueError:
        return math.nan


_DOUBLE: Final[dict[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": math.fmod,
}


def _checked(number: int) -> int:
    if not MIN_LONG <= number <= _MAX_ULONG:
        raise FilterError(f"{number} does not fit 64 bits.")
    return number


def _no_operator(operator: str, left: Value, right: Value) -> FilterError:
    return FilterError(f"The operator {operator} does not take {type_name(left)} and {type_name(right)}.")
