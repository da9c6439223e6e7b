"""Values of .NET as the text its XML has for them.

Source: ``XmlConvert`` (https://learn.microsoft.com/dotnet/api/system.xml.xmlconvert).
"""

import struct
from datetime import date
from typing import Final

_TICKS_BITS: Final = (1 << 62) - 1
_SECOND: Final = 10_000_000
_DAY: Final = 86_400 * _SECOND
_END: Final = 3_652_059 * _DAY
"""Ticks from the start of year 1 to the end of 9999."""


def double_text(value: float) -> str:
    """Return a double with 15 digits, or 17 where it takes them.

    >>> double_text(0.1), double_text(1e18), double_text(5.0), double_text(float("-inf"))
    ('0.1', '1E+18', '5', '-INF')
    """
    text = f"{value:.15g}"
    return _as_dotnet(text if float(text) == value else f"{value:.17g}")


def single_text(value: float) -> str:
    """Return a float of 32 bits with 7 digits, or 9 where it takes them.

    >>> single_text(0.10000000149011612)
    '0.1'
    """
    text = f"{value:.7g}"
    try:
        same = struct.unpack("<f", struct.pack("<f", float(text)))[0] == value
    except OverflowError:
        same = False
    return _as_dotnet(text if same else f"{value:.9g}")


def date_text(raw: int) -> str:
    """Return a date and time from its 64 bits: ticks, and its kind in the two highest.

    Kind 1 is UTC; kind 2, local, holds UTC ticks as well; kind 0 is unmarked.

    Raises:
        ValueError: It lies outside the years 1 to 9999, or is of no kind.

    >>> date_text(0x4000_0000_0000_0000)
    '0001-01-01T00:00:00Z'
    """
    kind, ticks = raw >> 62, raw & _TICKS_BITS
    if kind == 3:
        raise ValueError("a date is of no kind .NET has")
    if ticks >= _END:
        raise ValueError("a date lies outside the years 1 to 9999")
    days, rest = divmod(ticks, _DAY)
    seconds, fraction = divmod(rest, _SECOND)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    part = f".{fraction:07d}".rstrip("0") if fraction else ""
    return f"{date.fromordinal(days + 1).isoformat()}T{clock}{part}{'Z' if kind else ''}"


def duration_text(ticks: int) -> str:
    """Return a span of time.

    >>> duration_text(54_005_000_000), duration_text(-864_000_000_000), duration_text(0)
    ('PT1H30M0.5S', '-P1D', 'PT0S')
    """
    days, rest = divmod(abs(ticks), _DAY)
    seconds, fraction = divmod(rest, _SECOND)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    part = f".{fraction:07d}".rstrip("0") if fraction else ""
    last = f"{seconds}{part}S" if seconds or part else ""
    clock = f"{f'{hours}H' if hours else ''}{f'{minutes}M' if minutes else ''}{last}"
    if not days and not clock:
        return "PT0S"
    return f"{'-' if ticks < 0 else ''}P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"


def _as_dotnet(text: str) -> str:
    return {"nan": "NaN", "inf": "INF", "-inf": "-INF"}.get(text) or text.upper()
