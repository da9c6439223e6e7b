"""What has been seen of columns, so that a value's place is one look-up.

It decides only what is tried first.  Every value is checked against the form
it is taken for, so rows never depend on what came earlier.
"""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Raw

from ..tables.names import column_name
from ..tables.types import ColumnTypes, Kind
from .forms import OF_KIND, Form, form_of

_PLAIN: Final = re.compile(r"[a-z0-9_. -]+")
_MOST: Final = 60_000


class Slots:
    """Numbers for the columns of all tables.

    Attributes:
        table_names: Table name by number.
        names: Column name by number.
        forms: :class:`Form` by number.
        tables: Number of the table by number of the column.
    """

    def __init__(self, types: ColumnTypes) -> None:
        self._types = types
        self._codes: dict[str, dict[str, int]] = {}
        self._table_numbers: dict[str, int] = {}
        self.table_names: list[str] = []
        self.names: list[str] = []
        self.forms = bytearray()
        self.tables: list[int] = []

    @property
    def full(self) -> bool:
        """Whether so many names came that it is better to forget them."""
        return len(self.names) > _MOST

    def codes(self, table: str) -> dict[str, int]:
        """Return the numbers of a table's columns; the caller must not change it."""
        found = self._codes.get(table)
        if found is None:
            found = self._codes[table] = {}
            self._table_numbers[table] = len(self._table_numbers)
            self.table_names.append(table)
        return found

    def table_number(self, table: str) -> int:
        """Return the number of a table that :meth:`codes` was asked for."""
        return self._table_numbers[table]

    def learn(self, table: str, values: Mapping[str, Raw]) -> bool:
        """Give numbers to the columns of a record that have none.

        Returns:
            Whether all keys are plain names of columns; only such get numbers.
        """
        codes = self.codes(table)
        for key, value in values.items():
            if key not in codes:
                if _PLAIN.fullmatch(key) is None or column_name(key) != key:
                    return False
                codes[key] = len(self.names)
                self.names.append(key)
                self.tables.append(self._table_numbers[table])
                self.forms.append(self._first_form(table, key, bytes(value)))
        return True

    def settle(self, code: int, sealed: bytes) -> Form:
        """Return the form of a value in a column of no form yet, and take it for the column's.

        A column that metadata calls odd stays so.
        """
        form = form_of(sealed)
        if form > Form.ODD and self.forms[code] == Form.NOTHING:
            self.forms[code] = form
        return form

    def knows(self, table: int, name: str) -> bool:
        """Tell whether a table has a column of its own by that name, seen or known from metadata."""
        known = self.table_names[table]
        return name in self._codes[known] or self._types.knows(known, name)

    def _first_form(self, table: str, key: str, sealed: bytes) -> Form:
        kind = self._types.kind(table, key)
        if kind is None:
            form = form_of(sealed)
            return form if form > Form.ODD else Form.NOTHING
        if key == "modifiedon" and kind is not Kind.INSTANT:
            return Form.ODD
        return OF_KIND[kind]
