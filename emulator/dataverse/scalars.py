"""The single values of an execution context that Python has no type for.

Their names in the contract are those of .NET; their texts follow XML Schema,
as .NET's ``XmlConvert`` writes them.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

CONTRACTS: Final = "http://schemas.microsoft.com/xrm/2011/Contracts"
"""Namespace of the types of the SDK."""
CONTRACTS_7_1: Final = "http://schemas.microsoft.com/xrm/7.1/Contracts"
"""Namespace of key attributes and of ``ConcurrencyBehavior``."""

TICKS_A_SECOND: Final = 10_000_000
"""A tick, .NET's unit of time, is a tenth of a microsecond."""
_TICKS_A_MINUTE: Final = 60 * TICKS_A_SECOND
_TICKS_A_DAY: Final = 1440 * _TICKS_A_MINUTE
_YEAR_ONE: Final = datetime(1, 1, 1)


class Guid(str):
    """A unique identifier: 36 characters, lower case, with hyphens."""

    __slots__ = ()


EMPTY_GUID: Final = Guid("00000000-0000-0000-0000-000000000000")
"""The GUID that stands for none."""


class Long(int):
    """A whole number of 64 bits, which typed encodings tell from one of 32."""

    __slots__ = ()


class Char(str):
    """One UTF-16 unit as a value of its own."""

    __slots__ = ()


class Uri(str):
    """An address."""

    __slots__ = ()


class Single(float):
    """A number of 32 bits, which must be exact in them."""

    __slots__ = ()


class Width(StrEnum):
    """The sizes of whole numbers that no column has, by their .NET names."""

    BYTE = "Byte"
    SBYTE = "SByte"
    INT16 = "Int16"
    UINT16 = "UInt16"
    UINT32 = "UInt32"
    UINT64 = "UInt64"


@dataclass(frozen=True, slots=True)
class Sized:
    """A whole number of another size than 32 or signed 64 bits."""

    width: Width
    value: int


class Kind(StrEnum):
    """What a date says about its zone."""

    UNSPECIFIED = "Unspecified"
    UTC = "Utc"
    LOCAL = "Local"


@dataclass(frozen=True, slots=True)
class Moment:
    """A date and time to a tenth of a microsecond, as .NET holds it.

    Attributes:
        ticks: Wall clock: tenths of microseconds since the start of year 1.
        kind: What the wall clock belongs to.
        offset: Of a local one, its zone's minutes east of Greenwich; else 0.
    """

    ticks: int
    kind: Kind = Kind.UNSPECIFIED
    offset: int = 0

    @property
    def utc_ticks(self) -> int:
        """The instant; of an unspecified one, the wall clock taken for UTC."""
        return self.ticks - self.offset * _TICKS_A_MINUTE

    @property
    def wall(self) -> datetime:
        """The wall clock, cut to microseconds; naive."""
        return _YEAR_ONE + timedelta(microseconds=self.ticks // 10)

    @property
    def text(self) -> str:
        """The text of XML Schema, with ``Z``, an offset, or neither.

        >>> Moment.of(datetime(2026, 3, 2, 8, 0, 0, 500_000, UTC)).text
        '2026-03-02T08:00:00.5Z'
        """
        second = f"{self.wall.replace(microsecond=0).isoformat()}{_fraction(self.ticks % TICKS_A_SECOND)}"
        if self.kind is Kind.LOCAL:
            hours, minutes = divmod(abs(self.offset), 60)
            return f"{second}{'-' if self.offset < 0 else '+'}{hours:02d}:{minutes:02d}"
        return f"{second}Z" if self.kind is Kind.UTC else second

    @classmethod
    def of(cls, value: date) -> "Moment":
        """Return an aware date and time as UTC, a naive one or a date only as unspecified."""
        if not isinstance(value, datetime):
            value = datetime.combine(value, time())
        if value.tzinfo is None:
            return cls(_ticks(value - _YEAR_ONE))
        return cls(_ticks(value.astimezone(UTC).replace(tzinfo=None) - _YEAR_ONE), Kind.UTC)


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time in tenths of microseconds."""

    ticks: int

    @property
    def text(self) -> str:
        """The text of XML Schema.

        >>> Duration(-936_000_000_000).text, Duration(0).text, Duration(54_000_000_005).text
        ('-P1DT2H', 'PT0S', 'PT1H30M0.0000005S')
        """
        days, rest = divmod(abs(self.ticks), _TICKS_A_DAY)
        minutes, ticks = divmod(rest, _TICKS_A_MINUTE)
        hours, minutes = divmod(minutes, 60)
        seconds, ticks = divmod(ticks, TICKS_A_SECOND)
        parts = ((hours, "H"), (minutes, "M"))
        clock = "".join(f"{number}{unit}" for number, unit in parts if number)
        if seconds or ticks or not self.ticks:
            clock += f"{seconds}{_fraction(ticks)}S"
        return f"{'-' if self.ticks < 0 else ''}P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A member of an enumeration: a name in XML, a number in JSON.

    Attributes:
        type_name: Name of the enumeration.
        name: Name of the member.
        number: Its number.
        namespace: Of the enumeration's contract.
    """

    type_name: str
    name: str
    number: int
    namespace: str = CONTRACTS


def _ticks(span: timedelta) -> int:
    return span // timedelta.resolution * 10


def _fraction(ticks: int) -> str:
    return f".{ticks:07d}".rstrip("0") if ticks else ""
