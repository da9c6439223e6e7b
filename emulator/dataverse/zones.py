"""Numbers and dates as .NET writes them in text: round trips of doubles, and the server's time zone."""

import struct
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from .scalars import TICKS_A_SECOND, Kind, Moment

_TO_1970: Final = 62_135_596_800 * TICKS_A_SECOND
_TICKS_A_MILLISECOND: Final = TICKS_A_SECOND // 1000
_MINUTE: Final = timedelta(minutes=1)


def double(value: float, digits: int = 15) -> str:
    """Return a number as .NET's round-trip format does: 15 digits, else 17.

    Args:
        value: The number.
        digits: 7 for one of 32 bits, which else has 9.

    >>> double(5.0), double(1e18), double(0.1), double(2 / 3)
    ('5', '1E+18', '0.1', '0.66666666666666663')
    """
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "INF" if value > 0 else "-INF"
    text = f"{value:.{digits}g}"
    exact = float(text) == value if digits == 15 else _single(float(text)) == value
    return (text if exact else f"{value:.{digits + 2}g}").upper()


def _single(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf")


def shift(wall: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """Return what is subtracted from an unmarked wall clock, and the offset written beside it.

    The serializer takes the wall clock for the server's local time (standard
    time where a change makes it ambiguous or skips it), but looks the written
    offset up as if the wall clock were UTC.  The two differ for some hours
    around a daylight saving change; a reader cannot know.  Offsets are whole
    minutes: .NET cuts what an old one differs by from today's.
    """
    local = wall.replace(tzinfo=zone)
    subtracted = min(_minutes(local.replace(fold=0)), _minutes(local.replace(fold=1)))
    try:
        written = _minutes(wall.replace(tzinfo=UTC).astimezone(zone))
    except OverflowError:
        written = subtracted
    return subtracted, written


def _minutes(local: datetime) -> timedelta:
    offset = local.utcoffset() or timedelta()
    if not offset % _MINUTE or local.tzinfo is None:
        return offset
    today = (datetime(2024, month, 1, tzinfo=local.tzinfo).utcoffset() or timedelta() for month in (1, 7))
    standard = min(today)
    return standard + int((offset - standard) / _MINUTE) * _MINUTE


def json_date(moment: Moment, zone: tzinfo) -> str:
    r"""Return the JSON string of a date, as a server in this zone writes it.

    Milliseconds are cut toward 1970.

    >>> print(json_date(Moment.of(datetime(1970, 1, 2, tzinfo=UTC)), UTC))
    "\/Date(86400000)\/"
    """
    if moment.kind is Kind.UTC:
        return f'"\\/Date({_elapsed(moment.ticks)})\\/"'
    if moment.kind is Kind.LOCAL:
        return f'"\\/Date({_elapsed(moment.utc_ticks)}{_offset(moment.offset)})\\/"'
    subtracted, written = shift(moment.wall, zone)
    ticks = moment.ticks - subtracted // _MINUTE * 60 * TICKS_A_SECOND
    return f'"\\/Date({_elapsed(ticks)}{_offset(written // _MINUTE)})\\/"'


def _elapsed(ticks: int) -> int:
    since = ticks - _TO_1970
    return since // _TICKS_A_MILLISECOND if since >= 0 else -(-since // _TICKS_A_MILLISECOND)


def _offset(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{rest:02d}"
