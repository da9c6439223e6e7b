"""Texts of numbers, dates and GUIDs to values, exactly or not at all.

Every function raises :class:`ValueError` with a short clause when the text is
of another form or its value cannot be held.
"""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final

_DATE: Final = re.compile(r"/Date\((-?[0-9]{1,1000})(?:([+-])([0-9]{2})([0-9]{2}))?\)/", re.ASCII)
_GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_EXACT: Final = Context(prec=76, traps=[Inexact])
_UNITS: Final = {scale: Decimal(1).scaleb(-scale) for scale in (4, 10)}
_WIDTH: Final = 38
_MIN_MS: Final = -62_135_596_800_000
_MAX_MS: Final = 253_402_300_799_999
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000


def is_date(text: str) -> bool:
    """Tell whether a text is a date as .NET writes it in JSON.

    >>> is_date("/Date(0)/"), is_date("/Date(x)/")
    (True, False)
    """
    return text.startswith("/Date(") and _DATE.fullmatch(text) is not None


def milliseconds(text: str) -> int:
    r"""Return the milliseconds since 1970 of a date, read as UTC.

    Without an offset the number is UTC already.  With one, .NET has taken the
    sender's offset off a wall clock that Dataverse means as UTC, so it is
    added again (``JsonWriterDelegator.WriteDateTime`` in the .NET reference
    source).

    >>> milliseconds("/Date(1506409448000-0700)/")
    1506384248000
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{shortened(text)} is no date")
    number, sign, hours, minutes = match.groups()
    value = int(number)
    if sign:
        shift = (int(hours) * 60 + int(minutes)) * 60_000
        value += shift if sign == "+" else -shift
    if not _MIN_MS <= value <= _MAX_MS:
        raise ValueError(f"{shortened(text)} lies outside the years 1 to 9999")
    return value


def day(text: str) -> int:
    """Return the days since 1970 of a date without time.

    Midnight may be off by an hour: the offset .NET writes is that of another
    instant next to a change of daylight saving time.

    >>> day("/Date(-57600000-0800)/")
    -1
    """
    value = milliseconds(text)
    days, rest = divmod(value + _HOUR_MS, _DAY_MS)
    if rest > 2 * _HOUR_MS:
        raise ValueError(f"{shortened(text)} has a time of day, which a date column cannot hold")
    if days > _MAX_MS // _DAY_MS:
        raise ValueError(f"{shortened(text)} lies outside the years 1 to 9999")
    return days


def decimal(text: str, scale: int) -> Decimal:
    """Return a number with that many decimals, 38 digits at most.

    >>> decimal("12.50", 4), decimal("1E+3", 4)
    (Decimal('12.5000'), Decimal('1000.0000'))
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{shortened(text)} is no number a decimal can hold") from None
    if value and value.adjusted() >= _WIDTH - scale:
        raise ValueError(f"{shortened(text)} has more than {_WIDTH - scale} digits before the point")
    try:
        return _EXACT.quantize(value, _UNITS[scale])
    except Inexact:
        raise ValueError(f"{shortened(text)} has more than {scale} decimals") from None


def integer(text: str) -> int:
    """Return a whole number of 64 bits.

    >>> integer("9007199254740993")
    9007199254740993
    """
    try:
        value = int(text)
    except ValueError:
        raise ValueError(f"{shortened(text)} is no whole number") from None
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{shortened(text)} does not fit 64 bits")
    return value


def double(text: str) -> float:
    """Return the double nearest to a text; the one it was written from.

    >>> double("0.1")
    0.1
    """
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise ValueError(f"{shortened(text)} does not fit a double")
    return value


def guid(text: str) -> str:
    """Return a GUID in lower case.

    >>> guid("6D81597F-0F9F-E711-8122-000D3AA2331C")
    '6d81597f-0f9f-e711-8122-000d3aa2331c'
    """
    lowered = text.lower()
    if _GUID.fullmatch(lowered) is None:
        raise ValueError(f"{shortened(text)} is no GUID")
    return lowered


def shortened(text: str) -> str:
    """Return a text fit for a sentence: quoted, ASCII, 40 characters at most.

    >>> shortened("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'"
    """
    return ascii(text if len(text) <= 40 else f"{text[:37]}...")
