"""Durations as ISO 8601 writes them, in the forms Service Bus takes."""

import re
from typing import Final

LONGEST: Final = (2**63 - 1) // 10_000_000
"""Whole seconds of the longest duration there is, which stands for none: ``TimeSpan.MaxValue``."""

_FORM: Final = re.compile(
    r"P(?:(?P<days>\d{1,9})D)?(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,12}(?:\.\d{1,9})?)S)?)?"
)
_SECONDS: Final = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}


def seconds_of(text: str) -> float | None:
    """The seconds of a duration; ``None`` for the longest there is, which means for ever.

    Raises:
        ValueError: It is no duration of days, hours, minutes and seconds.

    Examples:
        >>> seconds_of("PT1M"), seconds_of("P1DT0.5S"), seconds_of("P10675199DT2H48M5.4775807S")
        (60.0, 86400.5, None)
    """
    found = _FORM.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        raise ValueError(
            f"{text!r} is no duration: write days, hours, minutes and seconds, as P1DT2H30M5S or PT1M"
        )
    total = sum(float(found[unit] or 0) * size for unit, size in _SECONDS.items())
    return None if total >= LONGEST else total


def duration_of(seconds: float | None) -> str:
    """A duration in ISO 8601; ``None``, for ever: the longest there is.

    Examples:
        >>> duration_of(60), duration_of(86400.5), duration_of(None)
        ('PT1M', 'P1DT0.5S', 'P10675199DT2H48M5.4775807S')
    """
    if seconds is None or seconds >= LONGEST:
        return "P10675199DT2H48M5.4775807S"
    whole, fraction = divmod(round(seconds * 1_000_000), 1_000_000)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    rest = f"{whole % 60}.{fraction:06d}".rstrip("0").rstrip(".") if fraction else str(whole % 60)
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    time += f"{rest}S" if rest != "0" else ""
    day = f"{days}D" if days else ""
    return f"P{day}T{time}" if time else f"P{day}" if day else "PT0S"
