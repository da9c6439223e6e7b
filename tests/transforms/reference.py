"""A plain reading of the rules: an oracle, and what an encoding tells of it, to the rows it must become.

Nothing of the flattener is used here.  The meaning comes from the oracle; what
of it an encoding tells, and how it spells numbers, from :mod:`.telling`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from .placing import ARROW, NO_ID, Expected, Node, Placing, Said, Unheld, column_of
from .telling import Telling

AUTOMATIC = "AsynchronousStepPrimaryName"
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


class Reference:
    """Reads one case.

    Args:
        oracle: Its oracle.
        telling: What the encoding tells of it.
        schema: Table to column to description; empty where nothing is known.
    """

    def __init__(self, oracle: Node, telling: Telling, schema: Mapping[str, Any]) -> None:
        self.oracle = oracle
        self._placing = Placing(telling, schema)
        self._telling = telling

    @property
    def unheld(self) -> list[Unheld]:
        """Values met that their columns cannot hold."""
        return self._placing.unheld

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
            table = target.get("logical_name", self.oracle["primary_entity"])
            row_id = target.get("id", self.oracle["primary_id"])
            sent = self._sent(path, target, op, row_id)
            said = {**sent, **(dict(self._images("post_images", row_id)) if self._is_single() else {})}
            occurred = self._occurred_at(said, op)
            row = Expected(table, row_id, op, columns_of(sent), occurred)
            for name, each in said.items():
                if column_of(name) and is_party_list(each.value):
                    parties += self._parties(row, name, each)
                else:
                    self._placing.place(row, name, each, said)
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

    def _sent(self, path: str, target: Node, op: str, row_id: str) -> dict[str, Said]:
        inputs = self.oracle["input_parameters"]
        said = dict(self._images("pre_images", row_id)) if op == "delete" else {}
        said.update(attributes(path, target))
        for parameter, name in (("Assignee", "ownerid"), ("State", "statecode"), ("Status", "statuscode")):
            if parameter in inputs:
                said[name] = Said(f"input_parameters/{parameter}", inputs[parameter], None)
        said.update(attributes("input_parameters/UpdateContent", inputs.get("UpdateContent", {})))
        return said

    def _images(self, member: str, row_id: str) -> Iterator[tuple[str, Said]]:
        """Yield what the images of that row say; those of others may be among them."""
        for alias, image in self.oracle[member].items():
            if alias != AUTOMATIC and image["id"] in {NO_ID, row_id}:
                yield from attributes(f"{member}/{alias}", image)

    def _occurred_at(self, said: Mapping[str, Said], op: str) -> datetime:
        modified = said.get("modifiedon")
        if op != "delete" and modified is not None and modified.value["type"] == "DateTime":
            return self._placing.instant(modified.path, modified.value)
        return self._placing.instant("operation_created_on", self.oracle["operation_created_on"])

    def _parties(self, row: Expected, name: str, said: Said) -> Iterator[Expected]:
        for ordinal, (path, party) in enumerate(entities_of(said)):
            row_id = None if party["id"] == NO_ID else party["id"]
            found = dict(attributes(path, party))
            role = ROLES.get(name)
            own = {"ordinal", "activityid"} | ({"participationtypemask"} if role else set())
            one = Expected("activityparty", row_id, row.op, columns_of((*found, *own)), row.occurred_at)
            one.cells["activityid", ARROW["text"]] = row.id
            one.cells["activityid_entitytype", ARROW["text"]] = row.table
            if role:
                one.cells["participationtypemask", ARROW["integer"]] = role
            one.cells["ordinal", ARROW["integer"]] = ordinal
            for key, each in found.items():
                self._placing.place(one, key, each, (*found, *own))
            yield one


def columns_of(keys: Iterable[str]) -> list[str]:
    """Return the names of columns, sorted; keys that have none stand for themselves."""
    return sorted({column_of(key) or key for key in keys})


def attributes(path: str, record: Node) -> Iterator[tuple[str, Said]]:
    labels = record.get("formatted_values", {})
    for name, value in record.get("attributes", {}).items():
        yield name, Said(f"{path}/attributes/{name}", value, labels.get(name))


def entities_of(said: Said) -> list[tuple[str, Node]]:
    """Return the entities a value is of, and where they stand."""
    path, value, _ = said
    if value["type"] == "Entity":
        return [(path, value)]
    member = "entities" if value["type"] == "EntityCollection" else "items"
    return [(f"{path}/{member}/{ordinal}", each) for ordinal, each in enumerate(value[member])]


def is_party_list(value: Node) -> bool:
    if value["type"] not in {"Entity", "EntityCollection", "Array"}:
        return False
    found = [each for _, each in entities_of(Said("", value, None))]
    tables = {each.get("logical_name") for each in found if each.get("type", "Entity") == "Entity"}
    return tables == {"activityparty"} and all(each.get("type", "Entity") == "Entity" for each in found)
