"""What a generated case should become, from its oracle alone."""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

Node = Mapping[str, Any]
OPS = {
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
DATE = re.compile(r"/Date\((-?\d+)(?:([+-])(\d\d)(\d\d))?\)/", re.ASCII)
AUTOMATIC = "AsynchronousStepPrimaryName"


@dataclass(frozen=True)
class Expected:
    """A row: where, and what its data columns hold that are not null."""

    table: str
    id: str | None
    op: str
    cells: Mapping[str, Any]
    changed: tuple[str, ...]


class Unheld(Exception):
    """A value lies outside what Dataverse and the columns can hold: the message must be rejected."""


class Reader:
    """Reads one case.

    Args:
        oracle: The case.
        schema: Table to column to description, or nothing: then forms alone tell.
        slips: Path to what the rule for dates gives, where that is not the truth.
    """

    def __init__(self, oracle: Node, schema: Mapping[str, Any], slips: Mapping[str, str]) -> None:
        self.oracle = oracle
        self.schema = schema
        self.slips = slips

    def rows(self) -> Iterator[Expected]:
        op = OPS[self.oracle["message"]]
        parties: list[Expected] = []
        for path, target in self._targets():
            columns = self._columns(path, target, op)
            table = target.get("logical_name") or self.oracle["primary_entity"]
            key = target.get("id") or self.oracle["primary_id"]
            cells: dict[str, Any] = {}
            for name, (where, value, label) in columns.items():
                if value["type"] in {"EntityCollection", "Array"}:
                    parties += self._parties(where, value, table, key, op)
                else:
                    cells.update(self._cells(table, name, where, value, label))
            yield Expected(table, key, op, cells, self._changed(path, target, op))
        yield from parties

    def _targets(self) -> list[tuple[str, Node]]:
        inputs = self.oracle["input_parameters"]
        if "Targets" in inputs:
            entities = inputs["Targets"]["entities"]
            return [(f"input_parameters/Targets/entities/{i}", each) for i, each in enumerate(entities)]
        for name in ("Target", "EntityMoniker"):
            if name in inputs:
                return [(f"input_parameters/{name}", inputs[name])]
        return [("", {})]

    def _columns(self, path: str, target: Node, op: str) -> dict[str, tuple[str, Node, str | None]]:
        found: dict[str, tuple[str, Node, str | None]] = {}
        single = "Targets" not in self.oracle["input_parameters"]
        if op == "delete":
            found.update(self._images("pre_images"))
        found.update(_attributes(path, target))
        for name, (where, value) in self._parameters().items():
            found[name] = (where, value, None)
        content = self.oracle["input_parameters"].get("UpdateContent")
        if content and self.oracle["message"] == "Merge":
            found.update(_attributes("input_parameters/UpdateContent", content))
        if single:
            found.update(self._images("post_images"))
        return found

    def _parameters(self) -> dict[str, tuple[str, Node]]:
        inputs = self.oracle["input_parameters"]
        names = {"Assignee": "ownerid", "State": "statecode", "Status": "statuscode"}
        return {
            column: (f"input_parameters/{name}", inputs[name])
            for name, column in names.items()
            if name in inputs and OPS[self.oracle["message"]] == "update"
        }

    def _images(self, member: str) -> Iterator[tuple[str, tuple[str, Node, str | None]]]:
        for alias, image in self.oracle[member].items():
            if alias != AUTOMATIC and image:
                yield from _attributes(f"{member}/{alias}", image)

    def _changed(self, path: str, target: Node, op: str) -> tuple[str, ...]:
        names = {name for name, _ in _attributes(path, target)} | set(self._parameters())
        if op == "delete":
            names |= {name for name, _ in self._images("pre_images")}
        content = self.oracle["input_parameters"].get("UpdateContent")
        if content and self.oracle["message"] == "Merge":
            names |= set(content["attributes"])
        return tuple(sorted(names))

    def _parties(self, path: str, value: Node, table: str, key: str, op: str) -> Iterator[Expected]:
        items, kind = (
            (value["items"], "items") if value["type"] == "Array" else (value["entities"], "entities")
        )
        for index, party in enumerate(items):
            cells: dict[str, Any] = {"activityid": key, "activityid_entitytype": table, "ordinal": index}
            for name, (where, held, label) in _attributes(f"{path}/{kind}/{index}", party):
                cells.update(self._cells("activityparty", name, where, held, label))
            own = None if party["id"].startswith("00000000-0000-0000-0000-0000000") else party["id"]
            yield Expected("activityparty", own, op, cells, tuple(sorted(party["attributes"])))

    def _cells(self, table: str, name: str, path: str, value: Node, label: str | None) -> dict[str, Any]:
        kind = value["type"]
        if kind == "AliasedValue":
            return self._cells(table, name, f"{path}/value", value["value"], label)
        if kind in {"Null", "ByteArray"}:
            return {}
        if kind == "EntityReference":
            return _lookup(name, value, label)
        cell = self._cell(table, name, path, value)
        if cell is None:
            return {}
        cells = {name: cell}
        if label is not None and kind in {"OptionSetValue", "OptionSetValueCollection", "Boolean"}:
            tidy = "; ".join(part.strip() for part in label.split(";"))
            cells[f"{name}name"] = tidy if kind.endswith("Collection") else label
        if label is not None and kind == "BooleanManagedProperty":
            cells[f"{name}name"] = label
        return cells

    def _cell(self, table: str, name: str, path: str, value: Node) -> Any:
        kind, held = value["type"], value["value"]
        if kind in {"Int32", "Int64", "Decimal", "Double"}:
            return self._number(table, name, value)
        if kind == "Money":
            return _exact(held, 4)
        if kind == "DateTime":
            return self._date(table, name, path, value)
        if kind == "String" and not self.schema and DATE.fullmatch(held):
            return _written_date(held)
        if kind == "OptionSetValueCollection":
            return ";".join(map(str, held)) or None
        return held

    def _number(self, table: str, name: str, value: Node) -> Any:
        described = self.schema.get(table, {}).get(name, {})
        known = described.get("attribute_type") or described.get("type")
        whole = {"versionnumber", "importsequencenumber", "timezoneruleversionnumber", "onholdtime"}
        whole |= {"utcconversiontimezonecode", "entityimage_timestamp"}
        if known in {"Integer", "BigInt", "Int32", "Int64"} or name in whole:
            return int(value["value"])
        if known == "Double" or (name.startswith("address") and name.endswith("tude")):
            if "bits" in value:
                return struct.unpack(">d", bytes.fromhex(value["bits"]))[0]
            return float(value["value"])
        return _exact(value["value"], 10)

    def _date(self, table: str, name: str, path: str, value: Node) -> Any:
        moment = _moment(self.slips.get(path, value["value"]))
        if self.schema.get(table, {}).get(name, {}).get("date_time_behavior") == "DateOnly":
            nearest = moment + timedelta(hours=1)
            if nearest.hour * 60 + nearest.minute > 120:
                raise Unheld(path)
            return date(nearest.year, nearest.month, nearest.day)
        return moment


def occurred(reader: Reader, expected: Expected) -> datetime:
    """Return the instant a row's order begins with."""
    modified = expected.cells.get("modifiedon")
    if isinstance(modified, datetime) and expected.op != "delete":
        return modified
    truth = reader.oracle["operation_created_on_utc_wall_clock"]
    return _moment(reader.slips.get("operation_created_on", truth))


def _attributes(path: str, record: Node) -> Iterator[tuple[str, tuple[str, Node, str | None]]]:
    labels = record.get("formatted_values", {})
    for name, value in record.get("attributes", {}).items():
        yield name, (f"{path}/attributes/{name}", value, labels.get(name))


def _lookup(name: str, value: Node, label: str | None) -> dict[str, Any]:
    cells: dict[str, Any] = {f"{name}_entitytype": value["logical_name"]}
    if not (value["key_attributes"] and value["id"] == "00000000-0000-0000-0000-000000000000"):
        cells[name] = value["id"]
    shown = label if value["name"] is None else value["name"]
    if shown is not None:
        cells[f"{name}name"] = shown
    return cells


def _exact(text: str, scale: int) -> Decimal:
    value = Decimal(text)
    if value and (value.adjusted() >= 38 - scale or -int(value.normalize().as_tuple().exponent) > scale):
        raise Unheld(text)
    return value


def _written_date(text: str) -> datetime:
    """Return what a text that looks like a date means where nothing tells that it is a text."""
    match = DATE.fullmatch(text)
    assert match is not None
    number, sign, hours, minutes = match.groups()
    shift = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta()
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(number))
    return moment - shift if sign == "-" else moment + shift


def _moment(text: str) -> datetime:
    """Return a wall clock of seven decimals, to the microsecond."""
    return datetime.fromisoformat(text[:26]).replace(tzinfo=UTC)


def equal(told: object, expected: object) -> bool:
    """Tell whether two cells are equal; dates lose less than a millisecond in JSON."""
    if isinstance(told, datetime) and isinstance(expected, datetime):
        return abs(told - expected) <= timedelta(milliseconds=1)
    return type(told) is type(expected) and told == expected
