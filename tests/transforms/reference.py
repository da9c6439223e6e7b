"""A plain reading of the rules: an oracle, and the body beside it, to the rows they must become.

Nothing of the flattener is used here.  The meaning comes from the oracle; from
the body comes only what is kept verbatim, and the digits of doubles, which the
oracle may spell otherwise.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from .notation import DATE, at, ticks_of, utc, written_date

Node = Mapping[str, Any]
Cell = tuple[str, str, object]

AUTOMATIC = "AsynchronousStepPrimaryName"
NO_ID = "00000000-0000-0000-0000-000000000000"
ROWS = {
    "Create": "create",
    "Update": "update",
    "Delete": "delete",
    "Assign": "update",
    "SetState": "update",
    "SetStateDynamicEntity": "update",
    "Merge": "update",
    "CreateMultiple": "create",
    "UpdateMultiple": "update",
    "OnExternalCreated": "create",
    "OnExternalUpdated": "update",
}
"""Messages of the set that change rows, and how; all others are events."""

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

ROLES = {
    "from": 1,
    "to": 2,
    "cc": 3,
    "bcc": 4,
    "requiredattendees": 5,
    "optionalattendees": 6,
    "organizer": 7,
    "customers": 11,
}
OFFSET_IN_1970 = {"UTC": 0, "America/Los_Angeles": -480, "Asia/Kolkata": 330, "Australia/Lord_Howe": 600}
"""Minutes; they matter for the direction of rounding next to 1970 only."""


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
    """A value that its column cannot hold exactly."""

    column: str
    key: str
    value: Node
    written: bytes


class Said(NamedTuple):
    """What one source says about one column, and where."""

    path: str
    value: Node
    label: str | None


class Reference:
    """Reads one case.

    Args:
        case: Its entry in the manifest.
        oracle: Its oracle.
        body: Its JSON, as :func:`exact` reads it.
        schema: Table to column to description; empty where nothing is known.

    Attributes:
        unheld: Values met that no column can hold; their cells are left out.
    """

    def __init__(self, case: Node, oracle: Node, body: Node, schema: Mapping[str, Any]) -> None:
        self.case = case
        self.oracle = oracle
        self.body = body
        self.schema = schema
        self.slips = {slip["path"]: slip["rule_gives"] for slip in case["json_date_exceptions"]}
        self.unheld: list[Unheld] = []

    def rows(self) -> list[Expected]:
        """Return the rows: those of the targets in their order, then those of their parties."""
        op = ROWS[self.oracle["message"]]
        made: list[Expected] = []
        parties: list[Expected] = []
        for path, target in self._targets():
            sent = self._sent(path, target, op)
            said = {**sent, **(dict(self._images("post_images")) if self._is_single() else {})}
            table = target.get("logical_name", self.oracle["primary_entity"])
            row_id = target.get("id", self.oracle["primary_id"])
            occurred = self._occurred_at(said, op)
            row = Expected(table, row_id, op, sorted(sent), occurred)
            for name, each in said.items():
                if is_party_list(each.value):
                    parties += self._parties(row, name, each)
                else:
                    self._place(row, name, each)
            made.append(row)
        return made + parties

    def event(self) -> Expected:
        """Return the row of a message that changes no row."""
        oracle = self.oracle
        row_id = None if oracle["primary_id"] == NO_ID else oracle["primary_id"]
        row = Expected("event", row_id, "event", [], self._occurred_at({}, "event"))
        if oracle["primary_entity"] != "none":
            row.cells["primaryentity", ARROW["text"]] = oracle["primary_entity"]
        return row

    def _is_single(self) -> bool:
        return "Targets" not in self.oracle["input_parameters"]

    def _targets(self) -> list[tuple[str, Node]]:
        inputs = self.oracle["input_parameters"]
        if not self._is_single():
            entities = inputs["Targets"]["entities"]
            return [(f"input_parameters/Targets/entities/{at}", each) for at, each in enumerate(entities)]
        name = "EntityMoniker" if "EntityMoniker" in inputs else "Target"
        return [(f"input_parameters/{name}", inputs.get(name, {}))]

    def _sent(self, path: str, target: Node, op: str) -> dict[str, Said]:
        inputs = self.oracle["input_parameters"]
        said = dict(self._images("pre_images")) if op == "delete" else {}
        said.update(attributes(path, target))
        for parameter, name in (("Assignee", "ownerid"), ("State", "statecode"), ("Status", "statuscode")):
            if parameter in inputs:
                said[name] = Said(f"input_parameters/{parameter}", inputs[parameter], None)
        said.update(attributes("input_parameters/UpdateContent", inputs.get("UpdateContent", {})))
        return said

    def _images(self, member: str) -> Iterator[tuple[str, Said]]:
        for alias, image in self.oracle[member].items():
            if alias != AUTOMATIC:
                yield from attributes(f"{member}/{alias}", image)

    def _occurred_at(self, said: Mapping[str, Said], op: str) -> datetime:
        modified = said.get("modifiedon")
        if op != "delete" and modified is not None and modified.value["type"] == "DateTime":
            return self._instant(modified.path, modified.value)
        return self._instant("operation_created_on", self.oracle["operation_created_on"])

    def _parties(self, row: Expected, name: str, said: Said) -> Iterator[Expected]:
        member = "items" if "items" in said.value else "entities"
        for ordinal, party in enumerate(said.value[member]):
            row_id = None if party["id"] == NO_ID else party["id"]
            found = dict(attributes(f"{said.path}/{member}/{ordinal}", party))
            one = Expected("activityparty", row_id, row.op, sorted(found), row.occurred_at)
            one.cells["activityid", ARROW["text"]] = row.id
            one.cells["activityid_entitytype", ARROW["text"]] = row.table
            one.cells["participationtypemask", ARROW["integer"]] = ROLES[name]
            one.cells["ordinal", ARROW["integer"]] = ordinal
            for key, each in found.items():
                self._place(one, key, each)
            yield one

    def _place(self, row: Expected, name: str, said: Said) -> None:
        """Put what is said about a column into the row."""
        path, value, label = said
        while value["type"] == "AliasedValue":
            path, value = f"{path}/value", value["value"]
        kind = value["type"]
        if kind == "EntityReference":
            cells = list(self._lookup(row, name, path, value, label))
        elif kind in {"EntityCollection", "Array"}:
            row.extra[name] = self._verbatim(path)
            cells = []
        else:
            cells = list(self._cells(row.table, name, path, value))
            shown = kind in {
                "Boolean",
                "BooleanManagedProperty",
                "OptionSetValue",
                "OptionSetValueCollection",
            }
            if cells and shown and label is not None:
                cells.append((f"{name}name", ARROW["text"], label))
        for column, arrow, held in cells:
            assert column not in {taken for taken, _ in row.cells} - SAID_TWICE, (row.table, column)
            row.cells[column, arrow] = held

    def _lookup(self, row: Expected, name: str, path: str, value: Node, label: str | None) -> Iterator[Cell]:
        if value["id"] == NO_ID and value["key_attributes"]:
            row.extra[name] = self._verbatim(f"{path}/key_attributes")
        else:
            yield name, ARROW["text"], value["id"]
        yield f"{name}_entitytype", ARROW["text"], value["logical_name"]
        shown = label if value["name"] is None else value["name"]
        if shown is not None:
            yield f"{name}name", ARROW["text"], shown

    def _cells(self, table: str, name: str, path: str, value: Node) -> Iterator[Cell]:
        kind: str = value["type"]
        held: Any = value["value"]
        if kind in {"Int32", "Int64", "Decimal", "Double", "Money"}:
            yield from self._number(table, name, path, value)
        elif kind in {"Boolean", "BooleanManagedProperty"}:
            yield name, ARROW["boolean"], held
        elif kind == "OptionSetValue":
            yield name, ARROW["integer"], held
        elif kind == "OptionSetValueCollection":
            if held:
                yield name, ARROW["text"], ";".join(str(code) for code in held)
        elif kind == "DateTime":
            yield from self._date(table, name, path, value)
        elif kind == "String" and not self._known(table, name) and DATE.fullmatch(held):
            yield name, ARROW["instant"], written_date(held)
        elif kind in {"String", "Guid"}:
            yield name, ARROW["text"], held
        else:
            assert kind in {"Null", "ByteArray"}, kind

    def _number(self, table: str, name: str, path: str, value: Node) -> Iterator[Cell]:
        kind = self._kind_of_number(table, name, value)
        text = value["value"]
        if value["type"] == "Double":
            bits = struct.unpack(">d", bytes.fromhex(value["bits"]))[0]
            text = self._verbatim(path)["number"]
            assert repr(float(text)) == repr(bits), f"{self.case['case']}: the oracle is not of this body"
            if kind == "double":
                yield name, ARROW[kind], bits
                return
        if kind == "integer":
            yield name, ARROW[kind], int(text)
            return
        amount, scale = Decimal(text), {"money": 4, "decimal": 10}[kind]
        digits, exponent = amount.normalize().as_tuple()[1:]
        assert isinstance(exponent, int)
        if -exponent > scale or len(digits) + exponent > 38 - scale:
            self._cannot_hold(table, name, value, self._verbatim(path)["number"])
        else:
            yield name, ARROW[kind], amount

    def _cannot_hold(self, table: str, name: str, value: Node, written: str) -> None:
        token = f'"key":"{name}","value":{written}'.encode()
        self.unheld.append(Unheld(f"{table}.{name}", name, value, token))

    def _kind_of_number(self, table: str, name: str, value: Node) -> str:
        if value["type"] == "Money":
            return "money"
        known = self._known(table, name)
        return BY_METADATA.get(str(known)) or SYSTEM_NUMBERS.get(name) or "decimal"

    def _known(self, table: str, name: str) -> object:
        described = self.schema.get(table, {}).get(name, {})
        return described.get("attribute_type") or described.get("type")

    def _date(self, table: str, name: str, path: str, value: Node) -> Iterator[Cell]:
        moment = self._instant(path, value)
        if self.schema.get(table, {}).get(name, {}).get("date_time_behavior") != "DateOnly":
            yield name, ARROW["instant"], moment
            return
        if moment.hour in {0, 23} or (moment.hour, moment.minute) == (1, 0):
            nearest = moment + timedelta(hours=1)
            yield name, ARROW["date"], date(nearest.year, nearest.month, nearest.day)
        else:
            self._cannot_hold(table, name, value, json.dumps(self._verbatim(path)).replace("/", "\\/"))

    def _instant(self, path: str, value: Node) -> datetime:
        """Return what ``ms + offset`` gives: the wall clock, its Unix time cut toward zero."""
        if path in self.slips:
            return utc(ticks_of(self.slips[path]) // 10_000)
        kept = OFFSET_IN_1970[self.case["writer_time_zone"]] * 60_000 if value["kind"] != "Utc" else 0
        ticks = ticks_of(value["value"]) - kept * 10_000
        written = ticks // 10_000 if ticks >= 0 else -(-ticks // 10_000)
        return utc(written + kept)

    def _verbatim(self, path: str) -> Any:
        """Return a part of the body by its path in the oracle."""
        return at(self.body, path.split("/"))


SAID_TWICE = frozenset({"activityid", "activityid_entitytype", "participationtypemask"})
"""Columns a party list gives to its parties, and a party may state itself."""


def attributes(path: str, record: Node) -> Iterator[tuple[str, Said]]:
    labels = record.get("formatted_values", {})
    for name, value in record.get("attributes", {}).items():
        yield name, Said(f"{path}/attributes/{name}", value, labels.get(name))


def is_party_list(value: Node) -> bool:
    if value["type"] == "EntityCollection":
        tables = {each["logical_name"] for each in value["entities"]} or {value["entity_name"]}
        return tables == {"activityparty"}
    return value["type"] == "Array" and value["element"] == "Entity"
