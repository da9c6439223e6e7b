"""Rows that others refer to and nobody posts: users, teams, a business unit, currencies."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from .cells import new_guid
from .scalars import Guid
from .values import Reference
from .vocabulary import first_name, last_name

RATES: Final = {"Euro": "1.0000000000", "US Dollar": "1.0834000000", "Yen": "162.5300000000"}
"""Currency to units of it for one unit of the base currency, ten decimals as sent."""

_TEAMS: Final = ("Sales EMEA", "サポート", "Field Service")


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something, and when.

    Attributes:
        instant: UTC, whole seconds.
        user: As whom it is done.
        initiating: Who asked for it; another than ``user`` when impersonating.
    """

    instant: datetime
    user: Reference
    initiating: Reference


class People:
    """The fixed rows of one organisation.

    Args:
        rng: The source of chance.

    Attributes:
        unit: The business unit everybody is in.
        users: At least one.
        teams: At least one.
        rates: Currency to its exchange rate.
        azure_ids: User to the id in the directory.
    """

    def __init__(self, rng: random.Random) -> None:
        self.unit: Final = Reference(new_guid(rng), "businessunit", "org")
        self.users: Final = tuple(
            Reference(new_guid(rng), "systemuser", f"{first_name(rng)} {last_name(rng)}") for _ in range(24)
        )
        self.teams: Final = tuple(Reference(new_guid(rng), "team", name) for name in _TEAMS)
        self.rates: Final[Mapping[Reference, Decimal]] = {
            Reference(new_guid(rng), "transactioncurrency", name): Decimal(rate)
            for name, rate in RATES.items()
        }
        self.azure_ids: Final[Mapping[Guid, Guid]] = {user.id: new_guid(rng) for user in self.users}

    @property
    def everybody(self) -> tuple[Reference, ...]:
        """All fixed rows."""
        return (self.unit, *self.users, *self.teams, *self.rates)

    def act(self, rng: random.Random, instant: datetime) -> Act:
        """Return somebody acting at an instant, in one of twelve cases on behalf of another."""
        user = self.users[int(rng.random() * len(self.users))]
        initiating = self.users[int(rng.random() * len(self.users))] if rng.random() < 0.08 else user
        return Act(instant, user, initiating)
