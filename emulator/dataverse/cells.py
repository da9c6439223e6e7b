"""One plausible value for one column."""

import random
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final

from .metadata import Column
from .scalars import Guid, Long
from .values import Money, Option, Options, Value
from .vocabulary import memo, text
from .zones import shift

_LARGEST_MONEY: Final = 9_223_372_036_854_775_807
"""Ten-thousandths: what the SQL type of an amount can hold."""


def new_guid(rng: random.Random) -> Guid:
    """Return a random GUID of version 4."""
    digits = f"{rng.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return Guid(f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}")


class Cells:
    """Makes values of columns; lookups, which need rows, are the organisation's.

    Args:
        rng: The source of chance.
        zone: Time zone of the server.  Wall clocks whose JSON form would be
            ambiguous in this zone are never made.
    """

    def __init__(self, rng: random.Random, zone: tzinfo) -> None:
        self._rng = rng
        self._zone = zone
        self._makers: Final[Mapping[str, Callable[[Column, datetime], Value]]] = {
            "BigInt": lambda *_: Long(rng.getrandbits(62) - (1 << 61)),
            "Boolean": lambda *_: rng.random() < 0.5,
            "DateTime": self._date,
            "Decimal": self._decimal,
            "Double": self._double,
            "EntityName": lambda *_: ("account", "contact", "incident")[int(rng.random() * 3)],
            "Integer": lambda *_: int(rng.random() ** 3 * 2_000_000_000),
            "Memo": lambda *_: memo(rng),
            "Money": self._money,
            "MultiSelectPicklist": self._choices,
            "Picklist": lambda column, _: Option(self._pick(column)),
            "String": lambda column, _: text(rng, column.name),
            "Uniqueidentifier": lambda *_: new_guid(rng),
        }

    def make(self, column: Column, now: datetime) -> Value:
        """Return a value for a column that is no lookup and no state.

        Args:
            column: Its kind and options decide.
            now: Aware; dates lie around it.
        """
        return self._makers[column.kind](column, now)

    def _pick(self, column: Column) -> int:
        numbers = list(column.options)
        return numbers[int(self._rng.random() * len(numbers))]

    def _choices(self, column: Column, _: datetime) -> Options:
        chosen = [number for number in column.options if self._rng.random() < 0.4]
        return Options(tuple(chosen) or (self._pick(column),))

    def _money(self, *_: object) -> Money:
        if self._rng.random() < 0.03:
            return Money(Decimal(int(self._rng.uniform(0.1, 1) * _LARGEST_MONEY)).scaleb(-4))
        scale = (0, 2, 2, 4)[int(self._rng.random() * 4)]
        digits = 3 + int(self._rng.random() * 6) + scale
        amount = Decimal(int(self._rng.random() * 10**digits)).scaleb(-scale)
        return Money(-amount if self._rng.random() < 0.05 else amount)

    def _decimal(self, column: Column, _: datetime) -> Decimal:
        whole = int(self._rng.random() ** 4 * 100_000_000_000)
        fraction = int(self._rng.random() * 10**column.scale)
        value = Decimal(whole * 10**column.scale + fraction).scaleb(-column.scale)
        return -value if self._rng.random() < 0.1 else value

    def _double(self, column: Column, _: datetime) -> float:
        if "itude" in column.name:
            return round(self._rng.uniform(-90, 90), 5)
        if self._rng.random() < 0.3:
            return float(int(self._rng.random() * 100))
        return round(self._rng.random() * 10 ** int(self._rng.random() * 11), 5)

    def _date(self, column: Column, now: datetime) -> date:
        if column.behavior == "UserLocal":
            return now + timedelta(seconds=int(self._rng.uniform(-30_000_000, 30_000_000)))
        years = 70 if column.name in ("birthdate", "anniversary") else 2
        while True:
            wall = datetime(now.year, now.month, 1) + timedelta(
                days=int(self._rng.uniform(-365 * years, 365))
            )
            if column.behavior == "TimeZoneIndependent":
                wall += timedelta(minutes=int(self._rng.random() * 1440))
            subtracted, written = shift(wall, self._zone)
            if subtracted == written:
                return wall.date() if column.behavior == "DateOnly" else wall
