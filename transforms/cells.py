"""What is said about columns, to cells: a name, a kind, and a value Arrow takes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ..tables.names import PARTY_TABLE, column_name, label_name, target_name
from ..tables.types import SCALE, ColumnTypes, Kind
from . import numbers
from .changes import Change, Said
from .contexts import (
    NO_ID,
    Binary,
    Instant,
    Money,
    Number,
    Option,
    Options,
    PlainText,
    Records,
    Reference,
    References,
    Relationship,
    Unknown,
)
from .spelling import as_json, dump, sound
from .values import bad


class Cell(NamedTuple):
    """A value in a column.

    Attributes:
        column: Name of the column.
        kind: How it is stored: TEXT, INTEGER, DECIMAL, MONEY, DOUBLE, BOOLEAN,
            INSTANT (microseconds since 1970), DATE (days since 1970) or BINARY.
        value: Never ``None``.
    """

    column: str
    kind: Kind
    value: Any


@dataclass(slots=True)
class Cells:
    """The cells of one row.

    Attributes:
        found: The cells, no two of one column.
        extra: What fits no column, or not the one it has, by key: JSON text.
        parties: Party lists, by column.
        sent: Names of the columns that were sent, nulls included, sorted.
    """

    found: list[Cell] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)
    parties: dict[str, Records] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)


def cells(change: Change, types: ColumnTypes, binaries: bool = False) -> Cells:
    """Return the cells of a change.

    A value whose kind is known from metadata must be of that kind; without
    metadata the encoding tells, or the form of the value.  A value that its
    column cannot hold exactly, such as a decimal of 28 decimals, stands in
    ``extra`` under the column's name instead.

    Args:
        change: What was said.
        types: What is known about columns.
        binaries: Keep the bytes of images.

    Raises:
        MessageRejected: ``bad-value``: a value is of another kind than its
            column, or two attributes have names that differ in case only.
    """
    row = Cells()
    own: set[str] = set()
    beside: list[tuple[str, Cell]] = []
    for key, said in change.columns.items():
        name = column_name(key)
        if name is None:
            row.extra[key] = as_json(said.value)
            continue
        if name in own:
            raise bad(f"{change.table}.{name}", "two attributes have this name but for upper and lower case")
        own.add(name)
        if isinstance(said.value, Binary) and not binaries:
            continue
        for cell in _placed(row, name, said, change.table, types.kind(change.table, name)):
            if cell.column == name:
                row.found.append(cell)
            else:
                beside.append((name, cell))
    _place_beside(row, beside, own, types.tables.get(change.table, {}))
    row.sent = sorted({column_name(key) or key for key in change.sent})
    return row


def _placed(row: Cells, name: str, said: Said, table: str, kind: Kind | None) -> list[Cell]:
    value = said.value
    if isinstance(value, Records) and value.table == PARTY_TABLE:
        row.parties[name] = value
    elif isinstance(value, (Unknown, References, Records, Relationship)):
        row.extra[name] = as_json(value)
    elif isinstance(value, Reference) and value.keys and value.id == NO_ID:
        row.extra[name] = value.keys
    place = _PLACERS.get(type(value))
    if place is None:
        return []
    try:
        return list(place(name, said, kind))
    except numbers.Misfit:
        row.extra[name] = as_json(value)
        if said.label is not None:
            row.extra[f"{name}@name"] = dump(said.label)
        return []
    except ValueError as error:
        raise bad(f"{table}.{name}", str(error)) from error


def _place_beside(
    row: Cells, beside: list[tuple[str, Cell]], own: set[str], known: Mapping[str, Kind]
) -> None:
    """Place labels and lookup tables, except where a column of that name is one of the table's own."""
    for name, cell in beside:
        if cell.column in own or cell.column in known:
            row.extra[f"{name}@{cell.column.removeprefix(name)}"] = dump(cell.value)
        else:
            row.found.append(cell)


def _must_be(kind: Kind | None, what: str, *allowed: Kind) -> None:
    if kind is not None and kind not in allowed:
        raise ValueError(f"the column is of kind {kind}, but {what} was sent; check the column types")


def _text(name: str, said: Said, kind: Kind | None) -> Iterator[Cell]:
    text: Any = said.value
    if kind in {Kind.DATE, Kind.INSTANT} and not text.startswith("/Date("):
        yield from _moment(name, kind, numbers.instant(text if "T" in text else f"{text}T00:00:00"))
    elif kind is Kind.DATE:
        yield Cell(name, Kind.DATE, numbers.day(text))
    elif kind is Kind.INSTANT or (kind is None and type(text) is str and numbers.is_date(text)):
        yield Cell(name, Kind.INSTANT, numbers.milliseconds(text) * 1000)
    else:
        _must_be(kind, "a text", Kind.TEXT)
        yield Cell(name, Kind.TEXT, sound(text))


def _instant(name: str, said: Said, kind: Kind | None) -> Iterator[Cell]:
    value: Any = said.value
    _must_be(kind, "a date", Kind.INSTANT, Kind.DATE)
    yield from _moment(name, kind, value.ticks)


def _moment(name: str, kind: Kind | None, ticks: int) -> Iterator[Cell]:
    if kind is Kind.DATE:
        yield Cell(name, Kind.DATE, numbers.whole_day(ticks))
    else:
        yield Cell(name, Kind.INSTANT, ticks // 10)


def _number(name: str, said: Said, kind: Kind | None) -> Iterator[Cell]:
    value: Any = said.value
    kind = kind or value.kind
    if kind is Kind.INTEGER:
        yield Cell(name, kind, numbers.integer(value.text))
    elif kind is Kind.DOUBLE:
        yield Cell(name, kind, numbers.double(value.text))
    else:
        _must_be(kind, "a number", Kind.DECIMAL)
        yield Cell(name, Kind.DECIMAL, numbers.decimal(value.text, SCALE[Kind.DECIMAL]))


def _binary(name: str, said: Said, kind: Kind | None) -> Iterator[Cell]:
    value: Any = said.value
    _must_be(kind, "bytes", Kind.BINARY)
    yield Cell(name, Kind.BINARY, value.data)


def _money(name: str, said: Said, kind: Kind | None) -> Iterator[Cell]:
    value: Any = said.value
    _must_be(kind, "an amount of money", Kind.MONEY)
    yield Cell(name, Kind.MONEY, numbers.decimal(value.text, SCALE[Kind.MONEY]))


def _boolean(name: str, said: Said, kind: Kind | None) -> Iterator[Cell]:
    _must_be(kind, "true or false", Kind.BOOLEAN)
    yield Cell(name, Kind.BOOLEAN, said.value)
    yield from _label(name, said.label)


def _option(name: str, said: Said, kind: Kind | None) -> Iterator[Cell]:
    value: Any = said.value
    _must_be(kind, "a choice", Kind.CHOICE)
    yield Cell(name, Kind.INTEGER, value.code)
    yield from _label(name, said.label)


def _options(name: str, said: Said, kind: Kind | None) -> Iterator[Cell]:
    value: Any = said.value
    _must_be(kind, "a list of choices", Kind.CHOICES)
    yield Cell(name, Kind.TEXT, ";".join(map(str, value.codes)))
    if said.label is not None:
        yield from _label(name, "; ".join(part.strip() for part in said.label.split(";")))


def _reference(name: str, said: Said, kind: Kind | None) -> Iterator[Cell]:
    value: Any = said.value
    _must_be(kind, "a lookup", Kind.LOOKUP)
    if not (value.keys and value.id == NO_ID):
        yield Cell(name, Kind.TEXT, sound(value.id))
    if value.table is not None:
        yield Cell(target_name(name), Kind.TEXT, sound(value.table))
    yield from _label(name, said.label if value.name is None else value.name)


def _label(name: str, label: str | None) -> Iterator[Cell]:
    if label is not None:
        yield Cell(label_name(name), Kind.TEXT, sound(label))


_PLACERS: Final[Mapping[type, Callable[[str, Said, Kind | None], Iterator[Cell]]]] = {
    str: _text,
    PlainText: _text,
    Instant: _instant,
    Binary: _binary,
    bool: _boolean,
    Number: _number,
    Money: _money,
    Option: _option,
    Options: _options,
    Reference: _reference,
}
