"""Texts of numbers, dates and GUIDs to values, exactly or not at all.

Every function raises :class:`ValueError` with a short clause when the text is
of another form, and :class:`Misfit` when its value cannot be held.
"""

import re
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import isfinite
from typing import Final

_DATE: Final = re.compile(r"/Date\((-?[0-9]{1,1000})(?:([+-])([0-9]{2})([0-9]{2}))?\)/", re.ASCII)
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,7}))?"
    r"(Z|([+-])([0-9]{2}):([0-9]{2}))?",
    re.ASCII,
)
_GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_EXACT: Final = Context(prec=76, traps=[Inexact])
_UNITS: Final = {scale: Decimal(1).scaleb(-scale) for scale in (4, 10)}
_WIDTH: Final = 38
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MIN_MS: Final = -62_135_596_800_000
_MAX_MS: Final = 253_402_300_799_999
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000


class Misfit(ValueError):
    """A sound value that a column of its kind cannot hold exactly."""


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
        raise Misfit(f"{shortened(text)} has a time of day, which a date column cannot hold")
    if days > _MAX_MS // _DAY_MS:
        raise ValueError(f"{shortened(text)} lies outside the years 1 to 9999")
    return days


def instant(text: str) -> int:
    """Return the 100-nanosecond units since 1970 of a date and time of XML, read as UTC.

    Without an offset it is a wall clock that Dataverse means as UTC; with one
    it is the instant.

    >>> instant("1970-01-01T00:00:00.5Z"), instant("1970-01-01T01:00:00+01:00")
    (5000000, 0)
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{shortened(text)} is no date and time")
    day_text, hours, minutes, seconds, part, _, sign, shift_hours, shift_minutes = match.groups()
    try:
        days = date.fromisoformat(day_text).toordinal() - _EPOCH_DAY
    except ValueError:
        raise ValueError(f"{shortened(text)} is no date and time") from None
    clock = (int(hours), int(minutes), int(seconds))
    if clock[0] > 23 or clock[1] > 59 or clock[2] > 59:
        raise ValueError(f"{shortened(text)} is no date and time")
    value = ((days * 24 + clock[0]) * 60 + clock[1]) * 60 + clock[2]
    if sign:
        shift = (int(shift_hours) * 60 + int(shift_minutes)) * 60
        value += shift if sign == "-" else -shift
    if not _MIN_MS <= value * 1000 <= _MAX_MS:
        raise ValueError(f"{shortened(text)} lies outside the years 1 to 9999")
    return value * 10_000_000 + int((part or "").ljust(7, "0"))


def iso(ticks: int) -> str:
    """Return an instant in ISO 8601, as short as it is exact.

    Args:
        ticks: Units of 100 nanoseconds since 1970 UTC.

    >>> iso(5_000_000), iso(-10_000_000)
    ('1970-01-01T00:00:00.5Z', '1969-12-31T23:59:59Z')
    """
    days, rest = divmod(ticks, _DAY_MS * 10_000)
    seconds, part = divmod(rest, 10_000_000)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    fraction = f".{part:07d}".rstrip("0") if part else ""
    return f"{date.fromordinal(days + _EPOCH_DAY).isoformat()}T{clock}{fraction}Z"


def whole_day(ticks: int) -> int:
    """Return the days since 1970 of an instant at midnight.

    >>> whole_day(864_000_000_000)
    1
    """
    days, rest = divmod(ticks, _DAY_MS * 10_000)
    if rest:
        raise Misfit(f"'{iso(ticks)}' has a time of day, which a date column cannot hold")
    return days


def decimal(text: str, scale: int) -> Decimal:
    """Return a number with that many decimals, 38 digits at most.

    >>> decimal("12.50", 4), decimal("1E+3", 4)
    (Decimal('12.5000'), Decimal('1000.0000'))
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Misfit(f"{shortened(text)} is no number a decimal can hold") from None
    if not value.is_finite():
        raise Misfit(f"{shortened(text)} is no number a decimal can hold")
    if value and value.adjusted() >= _WIDTH - scale:
        raise Misfit(f"{shortened(text)} has more than {_WIDTH - scale} digits before the point")
    try:
        return _EXACT.quantize(value, _UNITS[scale])
    except Inexact:
        raise Misfit(f"{shortened(text)} has more than {scale} decimals") from None


def integer(text: str) -> int:
    """Return a whole number of 64 bits.

    >>> integer("9007199254740993")
    9007199254740993
    """
    try:
        value = int(text)
    except ValueError:
        raise Misfit(f"{shortened(text)} is no whole number") from None
    if not -(2**63) <= value < 2**63:
        raise Misfit(f"{shortened(text)} does not fit 64 bits")
    return value


def double(text: str) -> float:
    """Return the double nearest to a text; the one it was written from.

    >>> double("0.1")
    0.1
    """
    value = float(text.replace("INF", "inf"))
    if not isfinite(value):
        raise Misfit(f"{shortened(text)} does not fit a double")
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


def legible(text: str, most: int) -> str:
    r"""Return a text that can be printed: what cannot is escaped, what is too long cut off.

    >>> legible("a b", 9), legible("a\x1b[0m", 9), legible("abc", 2)
    ('a b', 'a\\x1b[0m', 'ab')
    """
    text = text[:most]
    return (text if text.isprintable() else ascii(text)[1:-1])[:most]


def shortened(text: str) -> str:
    """Return a text fit for a sentence: quoted, ASCII, 40 characters at most.

    >>> shortened("x" * 100)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'"
    """
    return ascii(text if len(text) <= 40 else f"{text[:37]}...")
