"""The rows an organisation holds, and who refers to whom."""

import random
from dataclasses import dataclass
from datetime import datetime

from .metadata import Table
from .scalars import Guid
from .service_tables import TABLES
from .values import Reference, Value


@dataclass(slots=True)
class Row:
    """A row that exists, or existed.

    Attributes:
        table: Its metadata.
        id: Its key.
        values: Column to value; no nulls.
        changed_at: The second it last changed in.
        referrers: How many lookups of other rows point here.
        place: Where it stands in the list of live rows.
    """

    table: Table
    id: Guid
    values: dict[str, Value]
    changed_at: datetime
    referrers: int = 0
    place: int = 0

    @property
    def name(self) -> str | None:
        """Its primary name."""
        name = self.values.get(self.table.primary_name)
        return name if isinstance(name, str) else None

    def reference(self) -> Reference:
        """Return a lookup to this row, with its name."""
        return Reference(self.id, self.table.name, self.name)


class Rows:
    """Live rows by table and by key, with fixed rows of other tables that are only referred to.

    Args:
        fixed: Users, teams, business units, currencies.
    """

    def __init__(self, fixed: tuple[Reference, ...]) -> None:
        self._live: dict[str, list[Row]] = {name: [] for name in TABLES}
        self._by_id: dict[Guid, Row] = {}
        self._fixed: dict[str, list[Reference]] = {}
        for reference in fixed:
            self._fixed.setdefault(reference.logical_name, []).append(reference)
        self._fixed_names = {reference.id: reference.name for reference in fixed}

    def live(self, table: str) -> list[Row]:
        """Return the live rows of a table."""
        return self._live[table]

    def by_id(self, key: Guid) -> Row:
        """Return a row, live or deleted.

        Raises:
            KeyError: There never was one.
        """
        return self._by_id[key]

    def any_row(self, table: str, rng: random.Random) -> Row | None:
        """Return one live row of a table, or ``None`` when it has none."""
        live = self._live[table]
        return live[int(rng.random() * len(live))] if live else None

    def any_reference(self, table: str, rng: random.Random) -> Reference | None:
        """Return a lookup to some row of a table, or ``None`` when it has none."""
        fixed = self._fixed.get(table)
        if fixed:
            return fixed[int(rng.random() * len(fixed))]
        row = self.any_row(table, rng)
        return row.reference() if row else None

    def add(self, row: Row) -> None:
        """Take in a new row."""
        live = self._live[row.table.name]
        row.place = len(live)
        live.append(row)
        self._by_id[row.id] = row
        for value in row.values.values():
            self._count(value, 1)

    def change(self, row: Row, changes: dict[str, Value], instant: datetime) -> None:
        """Apply new values to a row; null removes one."""
        for name, value in changes.items():
            self._count(row.values.get(name), -1)
            self._count(value, 1)
            if value is None:
                row.values.pop(name, None)
            else:
                row.values[name] = value
        row.changed_at = instant

    def remove(self, row: Row, instant: datetime) -> None:
        """Take a row from the living; its values stay."""
        live = self._live[row.table.name]
        last = live.pop()
        if last is not row:
            live[row.place] = last
            last.place = row.place
        for value in row.values.values():
            self._count(value, -1)
        row.changed_at = instant

    def image(self, row: Row, columns: tuple[str, ...]) -> dict[str, Value]:
        """Return the key and some columns as an image shows them: lookups named, nulls left out."""
        attributes: dict[str, Value] = {}
        for name in columns:
            value = row.values.get(name)
            if isinstance(value, Reference):
                value = Reference(value.id, value.logical_name, self._name(value.id))
            if value is not None:
                attributes[name] = value
        attributes[row.table.primary_id] = row.id
        return attributes

    def _name(self, key: Guid) -> str | None:
        row = self._by_id.get(key)
        return row.name if row else self._fixed_names[key]

    def _count(self, value: Value, step: int) -> None:
        if isinstance(value, Reference) and value.id in self._by_id:
            self._by_id[value.id].referrers += step
