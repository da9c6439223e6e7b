"""What has been seen of columns, so that a value's place is one look-up.

It decides only what is tried first.  Every value is checked against the form
it is taken for, so rows never depend on what came earlier.
"""

import re
from typing import Final

import numpy as np

from ..tables.names import column_name
from ..tables.types import ColumnTypes, Kind
from .forms import OF_KIND, Form, form_of
from .grid import Numbers

_PLAIN: Final = re.compile(r"[a-z0-9_. -]+")
_MOST: Final = 60_000


class Slots:
    """Numbers for tables and their columns.

    Attributes:
        table_names: Table name by number.
        names: Column name by number.
        forms: :class:`Form` by number of the column.
        tables: Number of the table by number of the column.
    """

    def __init__(self, types: ColumnTypes) -> None:
        self._types = types
        self._table_numbers: dict[str, int] = {}
        self._codes: dict[tuple[int, str], int] = {}
        self.table_names: list[str] = []
        self.names: list[str] = []
        self.forms = bytearray()
        self.tables: list[int] = []
        self._by_name: Numbers = np.empty(0, np.int64)

    @property
    def full(self) -> bool:
        """Whether so many names came that it is better to forget them."""
        return len(self.names) + len(self.table_names) > _MOST

    def table(self, name: str) -> int:
        """Return the number of a table."""
        number = self._table_numbers.get(name)
        if number is None:
            number = self._table_numbers[name] = len(self.table_names)
            self.table_names.append(name)
        return number

    def column(self, table: int, key: str) -> int | None:
        """Return the number of a column seen before."""
        return self._codes.get((table, key))

    def learn(self, table: int, key: str, sealed: bytes) -> int | None:
        """Return the number of a column; ``None`` if the key is not the plain name of one.

        Args:
            table: Number of its table.
            key: Its key, as written between the quotes.
            sealed: A value of it.
        """
        code = self._codes.get((table, key))
        if code is None and _PLAIN.fullmatch(key) and column_name(key) == key:
            code = self._codes[table, key] = len(self.names)
            self.names.append(key)
            self.tables.append(table)
            self.forms.append(self._first_form(self.table_names[table], key, sealed))
        return code

    def learnt(self, table: int, key: str, sealed: bytes) -> tuple[int, int] | None:
        """Return number and form of a column, as :meth:`learn` does."""
        code = self.learn(table, key, sealed)
        return None if code is None else (code, self.forms[code])

    def by_name(self) -> Numbers:
        """Return the numbers of all columns, ordered by table and name."""
        if len(self._by_name) != len(self.names):
            order = sorted(range(len(self.names)), key=lambda code: (self.tables[code], self.names[code]))
            self._by_name = np.array(order, np.int64)
        return self._by_name

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
        return (table, name) in self._codes or self._types.knows(self.table_names[table], name)

    def _first_form(self, table: str, key: str, sealed: bytes) -> Form:
        kind = self._types.kind(table, key)
        if kind is None:
            form = form_of(sealed)
            return form if form > Form.ODD else Form.NOTHING
        if key == "modifiedon" and kind is not Kind.INSTANT:
            return Form.ODD
        return OF_KIND[kind]
