"""A plain reading of the rules for one column: what is said about it, to the cells it must become."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from .notation import as_iso, written_date
from .spelled import NUMBERS, number
from .telling import Telling, is_held

Node = Mapping[str, Any]
Cell = tuple[str, str, object]

NO_ID = "00000000-0000-0000-0000-000000000000"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ARROW = {
    "text": "string",
    "integer": "int64",
    "decimal": "decimal128(38, 10)",
    "money": "decimal128(38, 4)",
    "double": "double",
    "boolean": "bool",
    "instant": "timestamp[us, tz=UTC]",
    "date": "date32[day]",
}
BY_METADATA = {
    "Integer": "integer",
    "Int32": "integer",
    "BigInt": "integer",
    "Double": "double",
    "Decimal": "decimal",
    "Money": "money",
}
"""Numbers are told apart by metadata alone; all else by the form of the value as well."""

SYSTEM_NUMBERS = {
    "versionnumber": "integer",
    "importsequencenumber": "integer",
    "timezoneruleversionnumber": "integer",
    "utcconversiontimezonecode": "integer",
    "entityimage_timestamp": "integer",
    **{f"address{number}_{axis}": "double" for number in (1, 2, 3) for axis in ("latitude", "longitude")},
}
"""System columns whose number is known without metadata."""

LABELLED = frozenset({"Boolean", "BooleanManagedProperty", "OptionSetValue", "OptionSetValueCollection"})
TEXTS = frozenset({"String", "Guid", "Char", "Uri", "TimeSpan"})
RESERVED = frozenset({"id", "isdelete", "sinkcreatedon", "sinkmodifiedon"})


@dataclass
class Expected:
    """A row: its data cells by column and Arrow type, and what else is made of the message."""

    table: str
    id: str | None
    op: str
    sent: list[str]
    occurred_at: datetime
    cells: dict[tuple[str, str], object] = field(default_factory=dict)
    extra: dict[str, object] = field(default_factory=dict)


class Unheld(NamedTuple):
    """A value that its column cannot hold exactly: where, and the column's kind."""

    column: str
    kind: str
    value: Node


class Said(NamedTuple):
    """What one source says about one column, and where."""

    path: str
    value: Node
    label: str | None


def column_of(key: str) -> str | None:
    """Return the column a key goes to; none where a database would take it for a system column."""
    name = key.lower()
    return None if not name or name[0] == "_" or name in RESERVED or len(name) > 128 else name


class Placing:
    """Puts what is said about columns into rows.

    Args:
        telling: What the encoding tells.
        schema: Table to column to description; empty where nothing is known.

    Attributes:
        unheld: Values met that their columns cannot hold.
    """

    def __init__(self, telling: Telling, schema: Mapping[str, Any]) -> None:
        self.unheld: list[Unheld] = []
        self._telling = telling
        self._schema = schema

    def place(self, row: Expected, key: str, said: Said, taken: Collection[str]) -> None:
        """Put what is said about one column into the row.

        Args:
            row: The row.
            key: The key that was sent.
            said: What is said.
            taken: All keys of the row, since labels and tables of lookups give way to them.
        """
        path, value, label = said
        while value["type"] == "AliasedValue":
            path, value = f"{path}/value", value["value"]
        name = column_of(key)
        if name is None:
            row.extra[key] = self._plain(path, value)
            return
        beside = self._beside(path, value)
        if beside is not NOTHING:
            row.extra[name] = beside
        columns = {each for each in map(column_of, taken) if each} | set(self._schema.get(row.table, ()))
        for each in self._all_cells(row.table, name, Said(path, value, label)):
            if isinstance(each, Unheld):
                self.unheld.append(each)
                row.extra[name] = self._plain(path, value)
                row.extra.update({} if label is None else {f"{name}@name": label})
            elif each[0] != name and each[0] in columns:
                row.extra[f"{name}@{each[0].removeprefix(name)}"] = each[2]
            else:
                row.cells[each[0], each[1]] = each[2]

    def _all_cells(self, table: str, name: str, said: Said) -> Iterator[Cell | Unheld]:
        """Yield the column's own cell and those beside it."""
        path, value, label = said
        kind = value["type"]
        if kind == "EntityReference":
            yield from self._lookup(name, value, label)
            return
        for each in self._cells(table, name, path, value):
            yield each
            if not isinstance(each, Unheld) and label is not None and is_choice(value):
                tidy = "; ".join(part.strip() for part in label.split(";"))
                yield f"{name}name", ARROW["text"], tidy if is_list(value) else label

    def _lookup(self, name: str, value: Node, label: str | None) -> Iterator[Cell]:
        if not (value["id"] == NO_ID and value["key_attributes"]):
            yield name, ARROW["text"], value["id"]
        yield f"{name}_entitytype", ARROW["text"], value["logical_name"]
        shown = label if value["name"] is None else value["name"]
        if shown is not None:
            yield f"{name}name", ARROW["text"], shown

    def _beside(self, path: str, value: Node) -> Any:
        """Return what of a value has no column, as JSON; ``NOTHING`` for none."""
        kind = value["type"]
        if kind == "EntityReference":
            keys = value["key_attributes"]
            beside = value["id"] == NO_ID and keys
            return self._telling.pairs(f"{path}/key_attributes", keys) if beside else NOTHING
        if kind == "Relationship":
            return unmarked(self._telling.tree(path, value))
        if kind in NUMBERS | TEXTS | LABELLED | {"Null", "Money", "DateTime", "ByteArray", "Enum"}:
            return NOTHING
        if is_list(value) and (not value["items"] or is_choice(value) or is_bytes(value)):
            return NOTHING
        return self._telling.tree(path, value)

    def _plain(self, path: str, value: Node) -> Any:
        """Return a value as it stands beside the columns; what has a type does not say it."""
        kind = value["type"]
        if kind == "DateTime":
            return as_iso(self._telling.ticks(path, value))
        if kind in NUMBERS | {"Money"}:
            return {"number": self._telling.digits(path, value)}
        if kind == "OptionSetValue":
            return number(value["value"])
        if is_choice(value) and is_list(value):
            return [number(each) for each in codes_of(value)]
        if kind == "BooleanManagedProperty":
            return value["value"]
        if kind == "EntityReference":
            return {"Id": value["id"], "LogicalName": value["logical_name"], "Name": value["name"]}
        tree = self._telling.tree(path, value)
        return unmarked(tree) if kind == "Relationship" else tree

    def _cells(self, table: str, name: str, path: str, value: Node) -> Iterator[Cell | Unheld]:
        kind: str = value["type"]
        if kind in NUMBERS | {"Money"}:
            yield self._number(table, name, path, value)
        elif kind == "Enum":
            yield name, ARROW["decimal"], Decimal(value["value"])
        elif kind in {"Boolean", "BooleanManagedProperty"}:
            yield name, ARROW["boolean"], value["value"]
        elif kind == "OptionSetValue":
            yield name, ARROW["integer"], value["value"]
        elif is_choice(value):
            if codes_of(value):
                yield name, ARROW["text"], ";".join(str(code) for code in codes_of(value))
        elif kind == "DateTime":
            yield self._date(table, name, path, value)
        elif kind == "String" and not self._known(table, name) and self._telling.is_date(value["value"]):
            yield name, ARROW["instant"], written_date(value["value"])
        elif kind in TEXTS:
            yield name, ARROW["text"], value["value"]

    def _number(self, table: str, name: str, path: str, value: Node) -> Cell | Unheld:
        kind = self._kind_of_number(table, name, value)
        text = self._telling.digits(path, value)
        if kind == "double":
            return name, ARROW[kind], self._telling.bits(value) if "bits" in value else float(text)
        if kind == "integer" and text.lstrip("-").isdigit() and -(2**63) <= int(text) < 2**63:
            return name, ARROW[kind], int(text)
        if kind != "integer" and is_held(text, {"money": 4, "decimal": 10}[kind]):
            return name, ARROW[kind], Decimal(text)
        return Unheld(f"{table}.{name}", kind, value)

    def _kind_of_number(self, table: str, name: str, value: Node) -> str:
        if value["type"] == "Money":
            return "money"
        known = BY_METADATA.get(str(self._known(table, name))) or SYSTEM_NUMBERS.get(name)
        return known or self._telling.kind(value)

    def _known(self, table: str, name: str) -> object:
        described = self._schema.get(table, {}).get(name, {})
        return described.get("attribute_type") or described.get("type")

    def _date(self, table: str, name: str, path: str, value: Node) -> Cell | Unheld:
        moment = self.instant(path, value)
        if self._schema.get(table, {}).get(name, {}).get("date_time_behavior") != "DateOnly":
            return name, ARROW["instant"], moment
        near = (moment.hour, moment.minute) >= (23, 0) or (moment.hour, moment.minute) <= (1, 0)
        if moment.time() == time() or (near and not self._telling.keeps_days):
            nearest = moment + timedelta(hours=1)
            return name, ARROW["date"], date(nearest.year, nearest.month, nearest.day)
        return Unheld(f"{table}.{name}", "date", value)

    def instant(self, path: str, value: Node) -> datetime:
        """Return what a date means, cut to microseconds."""
        return EPOCH + timedelta(microseconds=self._telling.ticks(path, value) // 10)


NOTHING = object()
BYTES = frozenset(map(str, range(256)))


def is_list(value: Node) -> bool:
    """Tell whether JSON has a bare list for a value."""
    return "items" in value or value["type"] == "OptionSetValueCollection"


def is_choice(value: Node) -> bool:
    """Tell whether labels are those of a choice."""
    return value["type"] in LABELLED or (bool(value.get("items")) and kinds(value) == {"OptionSetValue"})


def is_bytes(value: Node) -> bool:
    """Tell whether nothing tells a list of numbers from the bytes of an image."""
    return value["type"] == "Array" and all(
        each["type"] in NUMBERS and str(each["value"]) in BYTES for each in value["items"]
    )


def codes_of(value: Node) -> list[int]:
    """Return the codes of several choices."""
    if value["type"] == "OptionSetValueCollection":
        return list(value["value"])
    return [each["value"] for each in value["items"]]


def kinds(value: Node) -> set[str]:
    return {each.get("type", "") for each in value["items"]}


def unmarked(tree: Any) -> Any:
    return {name: each for name, each in tree.items() if name != "__type"}
