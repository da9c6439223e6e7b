"""What a person might do to a row: new values, none of them applied yet."""

import random
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from .cells import Cells, new_guid
from .derive import derive
from .metadata import Column, Table
from .people import Act, People
from .rows import Row, Rows
from .scalars import Guid, Long
from .values import Option, Reference, Value

_T = TypeVar("_T")
_LOOKUPS: Final = ("Lookup", "Customer")
_CURRENCY: Final = ("transactioncurrencyid", "exchangerate")


class Changes:
    """Thinks up changes.

    Args:
        rng: The source of chance.
        cells: Makes values.
        rows: What lookups may refer to.
        people: Owners and currencies.
        version: The row version the platform has come to.
    """

    def __init__(self, rng: random.Random, cells: Cells, rows: Rows, people: People, version: int) -> None:
        self._rng = rng
        self._cells = cells
        self._rows = rows
        self._people = people
        self._version = version

    def pick(self, items: Sequence[_T]) -> _T:
        """Return one of the items."""
        return items[int(self._rng.random() * len(items))]

    def new_row(self, table: Table, act: Act) -> Row:
        """Return a new row with the values of its creation, not yet among the others."""
        key = new_guid(self._rng)
        chosen = [column for column in table.entered if self._rng.random() < column.fill]
        values = {column.name: self._value(column, act.instant, key) for column in chosen}
        currency, rate = self.pick(list(self._people.rates.items()))
        derive(table, {table.primary_id: key}, values, rate, act.instant)
        if "exchangerate" in table.columns:
            values |= {"transactioncurrencyid": currency, "exchangerate": rate}
        values |= {name: new_guid(self._rng) for name in table.columns if name.endswith("_addressid")}
        state, statuses = next(iter(table.statuses.items()))
        values |= {"statecode": Option(state), "statuscode": Option(statuses[0])}
        values |= {"createdon": act.instant, "createdby": act.user, "timezoneruleversionnumber": 4}
        values |= self._new_owner() | self.stamps(act) | {table.primary_id: key}
        return Row(
            table, key, {name: value for name, value in values.items() if value is not None}, act.instant
        )

    def update(self, row: Row, act: Act) -> dict[str, Value]:
        """Return new values of a few columns, and of what follows from them; nulls among them."""
        wanted = 1 + min(int(self._rng.expovariate(0.3)), 12)
        changes: dict[str, Value] = {}
        for column in self._rng.sample(row.table.entered, min(wanted, len(row.table.entered))):
            clear = column.fill < 1 and column.name in row.values and self._rng.random() < 0.12
            changes[column.name] = None if clear else self._value(column, act.instant, row.id)
        rate = row.values.get("exchangerate")
        derive(row.table, row.values, changes, rate if isinstance(rate, Decimal) else Decimal(1), act.instant)
        if any(name.endswith("_base") for name in changes):
            changes |= {name: row.values[name] for name in _CURRENCY}
        if self._rng.random() < 0.06:
            changes |= self.state(row)
        if self._rng.random() < 0.03:
            changes |= self._new_owner()
        return changes | self.stamps(act)

    def owner(self, row: Row) -> dict[str, Value]:
        """Return another owner, a user for a user and a team for a team.

        An assignment's message has no way to say that the one column became
        null, so the kind of owner stays.
        """
        column, owners = (
            ("owninguser", self._people.users)
            if "owninguser" in row.values
            else ("owningteam", self._people.teams)
        )
        owner = self.pick(owners)
        return {"ownerid": owner, column: owner}

    def state(self, row: Row) -> dict[str, Value]:
        """Return a state and a status that goes with it."""
        state = self.pick(list(row.table.statuses))
        return {"statecode": Option(state), "statuscode": Option(self.pick(row.table.statuses[state]))}

    def stamps(self, act: Act, *, behalf: bool = True) -> dict[str, Value]:
        """Return who changed the row and when, and its new version.

        Args:
            act: Who and when.
            behalf: Whether to say on whose behalf, or that it was nobody's.
        """
        self._version += 1 + int(self._rng.random() * 5)
        stamps: dict[str, Value] = {
            "modifiedon": act.instant,
            "modifiedby": act.user,
            "versionnumber": Long(self._version),
        }
        if behalf:
            stamps["modifiedonbehalfby"] = act.initiating if act.initiating is not act.user else None
        return stamps

    def _new_owner(self) -> dict[str, Value]:
        unit: dict[str, Value] = {"owningbusinessunit": self._people.unit}
        if self._rng.random() < 0.15:
            team = self.pick(self._people.teams)
            return {"ownerid": team, "owninguser": None, "owningteam": team, **unit}
        user = self.pick(self._people.users)
        return {"ownerid": user, "owninguser": user, "owningteam": None, **unit}

    def _value(self, column: Column, now: datetime, key: Guid) -> Value:
        if column.kind not in _LOOKUPS:
            return self._cells.make(column, now)
        reference = self._rows.any_reference(self.pick(column.targets), self._rng)
        return None if reference is None or reference.id == key else reference


def nameless(value: Value) -> Value:
    """Return a lookup without its name, as a Target carries it; anything else as it is."""
    return Reference(value.id, value.logical_name) if isinstance(value, Reference) else value
