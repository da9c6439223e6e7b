"""A plain reading of the rules: an oracle, and what an encoding tells of it, to the rows it must become.

Nothing of the flattener is used here.  The meaning comes from the oracle; what
of it an encoding tells, and how it spells numbers, from :mod:`.telling`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

from .notation import as_iso, written_date
from .telling import Telling, is_held

Node = Mapping[str, Any]
Cell = tuple[str, str, object]

AUTOMATIC = "AsynchronousStepPrimaryName"
NO_ID = "00000000-0000-0000-0000-000000000000"
ROWS = {
    "Create": "create",
    "Update": "update",
    "Upsert": "update",
    "Delete": "delete",
    "Assign": "update",
    "SetState": "update",
    "SetStateDynamicEntity": "update",
    "Merge": "update",
    "CreateMultiple": "create",
    "UpdateMultiple": "update",
    "UpsertMultiple": "update",
    "DeleteMultiple": "delete",
    "OnExternalCreated": "create",
    "OnExternalUpdated": "update",
    "OnExternalDeleted": "delete",
}
"""Messages that change rows, and how; all others are events."""

PAIRS = {"Associate": "create", "Disassociate": "delete"}
"""Messages that make or end pairs, where they name them; else they are events."""

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
    "regardingobjectid": 8,
    "resources": 10,
    "customers": 11,
}


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


class Reference:
    """Reads one case.

    Args:
        oracle: Its oracle.
        telling: What the encoding tells of it.
        schema: Table to column to description; empty where nothing is known.

    Attributes:
        unheld: Values met that their columns cannot hold.
    """

    def __init__(self, oracle: Node, telling: Telling, schema: Mapping[str, Any]) -> None:
        self.oracle = oracle
        self.schema = schema
        self.unheld: list[Unheld] = []
        self._telling = telling

    def expected(self) -> list[Expected]:
        """Return the rows of the message, of whatever kind it is."""
        message = self.oracle["message"]
        if message in ROWS:
            return self.rows()
        pairs = self.pairs() if message in PAIRS else []
        return pairs or [self.event()]

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
        return made + self._merged(made) + parties

    def _merged(self, made: list[Expected]) -> list[Expected]:
        """Return the row that was merged into another: it stays, and points there."""
        inputs = self.oracle["input_parameters"]
        loser = inputs["SubordinateId"]["value"] if "SubordinateId" in inputs else NO_ID
        if self.oracle["message"] != "Merge" or loser in {NO_ID, made[0].id}:
            return []
        (winner,) = made
        occurred = self._occurred_at({}, "update")
        row = Expected(winner.table, loser, "update", ["masterid", "merged"], occurred)
        row.cells["merged", ARROW["boolean"]] = True
        row.cells["masterid", ARROW["text"]] = winner.id
        row.cells["masterid_entitytype", ARROW["text"]] = winner.table
        return [row]

    def pairs(self) -> list[Expected]:
        """Return the pairs of an Associate or Disassociate; none where it does not name them."""
        inputs = self.oracle["input_parameters"]
        if any(name not in inputs for name in ("Target", "Relationship", "RelatedEntities")):
            return []
        near, far = inputs["Target"], inputs["RelatedEntities"]["items"]
        role = inputs["Relationship"]["primary_entity_role"]
        if any(each["id"] == NO_ID for each in (near, *far)):
            return []
        table = inputs["Relationship"]["schema_name"].lower()
        occurred = self._occurred_at({}, "event")
        made: dict[tuple[str, str], Expected] = {}
        for other in far:
            ends = [(each["logical_name"].lower(), each["id"]) for each in (near, other)]
            if ends[0][0] != ends[1][0]:
                ends.sort()
            elif role == "Referenced":
                ends.reverse()
            (one, first), (two, second) = ends
            columns = (f"{one}id", f"{two}id") if one != two else (f"{one}idone", f"{one}idtwo")
            told = f"{table}\n{columns[0]} {first}\n{columns[1]} {second}".encode()
            row_id = str(UUID(bytes=blake2b(told, digest_size=16).digest()))
            row = Expected(table, row_id, PAIRS[self.oracle["message"]], sorted(columns), occurred)
            row.cells[columns[0], ARROW["text"]] = first
            row.cells[columns[1], ARROW["text"]] = second
            made.setdefault((other["logical_name"], other["id"]), row)
        return list(made.values())

    def event(self) -> Expected:
        """Return the row of a message that changes no row."""
        oracle = self.oracle
        row_id = None if oracle["primary_id"] == NO_ID else oracle["primary_id"]
        row = Expected("event", row_id, "event", [], self._occurred_at({}, "event"))
        if oracle["primary_entity"] != "none":
            row.cells["primaryentity", ARROW["text"]] = oracle["primary_entity"]
        row.cells["parameters", ARROW["text"]] = self._all("input_parameters")
        row.cells["outputs", ARROW["text"]] = self._all("output_parameters")
        return row

    def _all(self, member: str) -> Any:
        return self._telling.pairs(member, self.oracle[member])

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
            role = ROLES.get(name)
            own = {"ordinal", "activityid"} | ({"participationtypemask"} if role else set())
            one = Expected("activityparty", row_id, row.op, sorted({*found, *own}), row.occurred_at)
            one.cells["activityid", ARROW["text"]] = row.id
            one.cells["activityid_entitytype", ARROW["text"]] = row.table
            if role:
                one.cells["participationtypemask", ARROW["integer"]] = role
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
            row.extra[name] = self._telling.tree(path, value)
            cells = []
        else:
            held = list(self._cells(row.table, name, path, value))
            cells = [each for each in held if not isinstance(each, Unheld)]
            if cells and label is not None and kind in LABELLED:
                cells.append((f"{name}name", ARROW["text"], label))
            for each in held:
                if isinstance(each, Unheld):
                    self.unheld.append(each)
                    row.extra[name] = self._spelled(path, value)
                    row.extra.update({} if label is None else {f"{name}@name": label})
        for column, arrow, content in cells:
            assert column not in {taken for taken, _ in row.cells} - SAID_TWICE, (row.table, column)
            row.cells[column, arrow] = content

    def _lookup(self, row: Expected, name: str, path: str, value: Node, label: str | None) -> Iterator[Cell]:
        if value["id"] == NO_ID and value["key_attributes"]:
            row.extra[name] = self._telling.pairs(f"{path}/key_attributes", value["key_attributes"])
        else:
            yield name, ARROW["text"], value["id"]
        yield f"{name}_entitytype", ARROW["text"], value["logical_name"]
        shown = label if value["name"] is None else value["name"]
        if shown is not None:
            yield f"{name}name", ARROW["text"], shown

    def _spelled(self, path: str, value: Node) -> Any:
        """Return what stands in ``_extra`` for a number or date."""
        if value["type"] == "DateTime":
            return as_iso(self._telling.ticks(path, value))
        return {"number": self._telling.digits(path, value)}

    def _cells(self, table: str, name: str, path: str, value: Node) -> Iterator[Cell | Unheld]:
        kind: str = value["type"]
        held: Any = value["value"]
        if kind in {"Int32", "Int64", "Decimal", "Double", "Money"}:
            yield self._number(table, name, path, value)
        elif kind in {"Boolean", "BooleanManagedProperty"}:
            yield name, ARROW["boolean"], held
        elif kind == "OptionSetValue":
            yield name, ARROW["integer"], held
        elif kind == "OptionSetValueCollection":
            if held:
                yield name, ARROW["text"], ";".join(str(code) for code in held)
        elif kind == "DateTime":
            yield self._date(table, name, path, value)
        elif kind == "String" and not self._known(table, name) and self._telling.is_date(held):
            yield name, ARROW["instant"], written_date(held)
        elif kind in {"String", "Guid"}:
            yield name, ARROW["text"], held
        else:
            assert kind in {"Null", "ByteArray"}, kind

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
        described = self.schema.get(table, {}).get(name, {})
        return described.get("attribute_type") or described.get("type")

    def _date(self, table: str, name: str, path: str, value: Node) -> Cell | Unheld:
        moment = self._instant(path, value)
        if self.schema.get(table, {}).get(name, {}).get("date_time_behavior") != "DateOnly":
            return name, ARROW["instant"], moment
        near = (moment.hour, moment.minute) >= (23, 0) or (moment.hour, moment.minute) <= (1, 0)
        if moment.time() == time() or (near and not self._telling.keeps_days):
            nearest = moment + timedelta(hours=1)
            return name, ARROW["date"], date(nearest.year, nearest.month, nearest.day)
        return Unheld(f"{table}.{name}", "date", value)

    def _instant(self, path: str, value: Node) -> datetime:
        return EPOCH + timedelta(microseconds=self._telling.ticks(path, value) // 10)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LABELLED = frozenset({"Boolean", "BooleanManagedProperty", "OptionSetValue", "OptionSetValueCollection"})
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
