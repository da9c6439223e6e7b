"""The naive exact flattener: what one writes first, and the oracle for the fast one.

``json.loads`` with ``Decimal``, a dict a row, ``RecordBatch.from_pylist``.  It
does the whole job on sound messages in JSON (rows, labels, ``_changed``, event
id, order, pairs of an association) and shares no code with the product but the
order key.  Numbers that no decimal column holds are beyond it.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.tables.columns import FLATTENED
from cdsbridge.tables.order import order_key
from cdsbridge.tables.types import ColumnTypes, Kind

OPS = {
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
}
PAIRS = {"Associate": "create", "Disassociate": "delete"}
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
ZERO = "00000000-0000-0000-0000-000000000000"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DATE = re.compile(r"/Date\((-?\d+)(?:([+-])(\d\d)(\d\d))?\)/")

TEXT, INT, BOOL = pa.string(), pa.int64(), pa.bool_()
MONEY, DECIMAL, TIME = pa.decimal128(38, 4), pa.decimal128(38, 10), pa.timestamp("us", tz="UTC")

Tables = dict[str, tuple[pa.RecordBatch, list[int]]]
Values = dict[str, Any]
Kinds = dict[str, pa.DataType]


def flatten(batch: MicroBatch, types: ColumnTypes) -> Tables:
    """Return the rows of every table, and the position of each row's message."""
    rows: dict[str, list[dict[str, Any]]] = {}
    kinds_seen: dict[str, Kinds] = {}
    positions: dict[str, list[int]] = {}
    for position, envelope in enumerate(batch.envelopes):
        context = json.loads(envelope.body, parse_float=Decimal)
        for table, row, kinds in message_rows(context, envelope, types):
            rows.setdefault(table, []).append(row)
            kinds_seen.setdefault(table, {}).update(kinds)
            positions.setdefault(table, []).append(position)
    return {
        table: (
            pa.RecordBatch.from_pylist(
                found, schema=pa.schema([*FLATTENED.items(), *kinds_seen[table].items()])
            ),
            positions[table],
        )
        for table, found in rows.items()
    }


def message_rows(
    context: Values, envelope: Envelope, types: ColumnTypes
) -> Iterator[tuple[str, Values, Kinds]]:
    """Yield table, row and column types of every row of a message."""
    event = event_id(context, envelope.body)
    shared = {
        "_message": context["MessageName"],
        "_correlation_id": context["CorrelationId"],
        "_operation_id": context["OperationId"],
        "_user_id": context["UserId"],
        "_initiating_user_id": context["InitiatingUserId"],
        "_organization": context["OrganizationName"],
        "_depth": context["Depth"],
        "_entity": envelope.entity,
        "_sequence_number": envelope.sequence_number,
        "_message_id": envelope.message_id or None,
        "_enqueued_at": moment(envelope.enqueued_at),
        "_received_at": moment(envelope.received_at),
        "_truncated": False,
    }
    for ordinal, (table, op, key, at, values, kinds, changed) in enumerate(drafts(context, types)):
        row = {**shared, **values}
        row["Id"] = key
        row["IsDelete"] = op == "delete"
        row["_event_id"] = f"{event}-{ordinal}"
        row["_op"] = op
        row["_order"] = order_key(at, op, envelope.sequence_number, row["_event_id"])
        row["_changed"] = json.dumps(sorted(changed), separators=(",", ":"))
        row["_occurred_at"] = moment(at)
        yield table, row, kinds


def drafts(context: Values, types: ColumnTypes) -> Iterator[tuple[Any, ...]]:
    """Yield table, operation, key, time, values, column types and changed columns of every row."""
    inputs = {pair["key"]: pair["value"] for pair in context["InputParameters"]}
    created = microseconds(context["OperationCreatedOn"])
    op = OPS.get(context["MessageName"])
    if context["MessageName"] in PAIRS and isinstance(inputs.get("RelatedEntities"), list):
        yield from pair_rows(inputs, PAIRS[context["MessageName"]], created)
        return
    if op is None:
        yield event_row(context, created)
        return
    children: list[tuple[Any, ...]] = []
    for target in targets(inputs):
        values: dict[str, Any] = {}
        kinds: dict[str, pa.DataType] = {}
        sources, sent = gather(context, inputs, target, op)
        table = (target.get("LogicalName") or context["PrimaryEntityName"]).lower()
        key = target["Id"] if "Targets" in inputs else context["PrimaryEntityId"]
        key = target["Id"] if key == ZERO else key
        modified = None
        for name, (value, labels) in sources.items():
            if name == "modifiedon":
                modified = value
            if is_party_list(value):
                children.extend(party_rows(value, name, table, key, types))
            else:
                add(values, kinds, name, value, labels, types.kind(table, name))
        at = microseconds(modified) if modified and op != "delete" else created
        yield table, op, key, at, values, kinds, sent
        if context["MessageName"] == "Merge" and inputs.get("SubordinateId") not in {None, ZERO, key}:
            loser = {"merged": True, "masterid": key, "masterid_entitytype": table}
            loser_kinds = {"merged": BOOL, "masterid": TEXT, "masterid_entitytype": TEXT}
            yield table, op, inputs["SubordinateId"], created, loser, loser_kinds, {"masterid", "merged"}
        for child in children:
            yield "activityparty", op, child[0], at, *child[1:]


def gather(
    context: dict[str, Any], inputs: dict[str, Any], target: dict[str, Any], op: str
) -> tuple[dict[str, tuple[Any, dict[str, str]]], set[str]]:
    """Return the value and labels of every column, and the columns sent."""
    sources: dict[str, tuple[Any, dict[str, str]]] = {}
    if op == "delete":
        merge(sources, context["PreEntityImages"])
    sources.update(attributes(target))
    if "State" in inputs:
        sources["statecode"] = (inputs["State"], {})
        sources["statuscode"] = (inputs["Status"], {})
    if "Assignee" in inputs:
        sources["ownerid"] = (inputs["Assignee"], {})
    if inputs.get("UpdateContent"):
        sources.update(attributes(inputs["UpdateContent"]))
    sent = set(sources)
    merge(sources, context["PostEntityImages"])
    return sources, sent


def merge(sources: dict[str, tuple[Any, dict[str, str]]], images: list[dict[str, Any]]) -> None:
    for image in images:
        if image["key"] != "AsynchronousStepPrimaryName":
            sources.update(attributes(image["value"]))


def attributes(entity: dict[str, Any]) -> dict[str, tuple[Any, dict[str, str]]]:
    labels = {pair["key"]: pair["value"] for pair in entity.get("FormattedValues", [])}
    return {pair["key"]: (pair["value"], labels) for pair in entity.get("Attributes", [])}


def targets(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    if "Targets" in inputs:
        found = inputs["Targets"]
        return list(found["Entities"] if isinstance(found, dict) else found)
    return [inputs["Target"] if "Target" in inputs else inputs["EntityMoniker"]]


def add(
    values: Values, kinds: Kinds, name: str, value: Any, labels: dict[str, str], kind: Kind | None
) -> None:
    """Add the columns of one attribute to a row."""
    if value is None or value == []:
        return
    if isinstance(value, dict):
        add_typed(values, kinds, name, value, labels)
    elif isinstance(value, bool):
        values[name], kinds[name] = value, BOOL
        add_label(values, kinds, name, labels.get(name))
    elif isinstance(value, str):
        if kind is Kind.DATE:
            values[name], kinds[name] = (
                (EPOCH + timedelta(microseconds=microseconds(value))).date(),
                pa.date32(),
            )
        elif DATE.fullmatch(value):
            values[name], kinds[name] = EPOCH + timedelta(microseconds=microseconds(value)), TIME
        else:
            values[name], kinds[name] = value, TEXT
    elif isinstance(value, list):
        if isinstance(value[0], dict):
            values[name], kinds[name] = ";".join(str(item["Value"]) for item in value), TEXT
            label = labels.get(name)
            parts = None if label is None else "; ".join(part.strip() for part in label.split(";"))
            add_label(values, kinds, name, parts)
    elif kind is Kind.INTEGER:
        values[name], kinds[name] = value, INT
    elif kind is Kind.DOUBLE:
        values[name], kinds[name] = float(value), pa.float64()
    else:
        values[name], kinds[name] = Decimal(value), DECIMAL


def add_typed(values: Values, kinds: Kinds, name: str, value: Values, labels: dict[str, str]) -> None:
    """Add the columns of an attribute whose value says its type."""
    kind = value["__type"].partition(":")[0]
    if kind == "OptionSetValue":
        values[name], kinds[name] = value["Value"], INT
        add_label(values, kinds, name, labels.get(name))
    elif kind == "Money":
        values[name], kinds[name] = Decimal(value["Value"]), MONEY
    elif kind == "EntityReference":
        values[name], kinds[name] = value["Id"], TEXT
        values[f"{name}_entitytype"], kinds[f"{name}_entitytype"] = value["LogicalName"], TEXT
        add_label(values, kinds, name, labels.get(name) if value["Name"] is None else value["Name"])
    elif kind in {"AliasedValue", "BooleanManagedProperty"}:
        add(values, kinds, name, value["Value"], labels, None)


def add_label(values: Values, kinds: Kinds, name: str, label: str | None) -> None:
    if label is not None:
        values[f"{name}name"], kinds[f"{name}name"] = label, TEXT


def is_party_list(value: Any) -> bool:
    if isinstance(value, dict):
        return str(value["__type"]).startswith("EntityCollection:") and bool(value["Entities"])
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "Attributes" in value[0]


def party_rows(
    value: Any, column: str, table: str, key: str, types: ColumnTypes
) -> Iterator[tuple[Any, ...]]:
    """Yield key, values, column types and changed columns of every party."""
    for ordinal, party in enumerate(value["Entities"] if isinstance(value, dict) else value):
        values: dict[str, Any] = {"activityid": key, "activityid_entitytype": table}
        kinds = {"activityid": TEXT, "activityid_entitytype": TEXT}
        if column in ROLES:
            values["participationtypemask"], kinds["participationtypemask"] = ROLES[column], INT
        sources = attributes(party)
        for name, (held, labels) in sources.items():
            add(values, kinds, name, held, labels, types.kind("activityparty", name))
        values["ordinal"], kinds["ordinal"] = ordinal, INT
        own = {"ordinal", "activityid"} | ({"participationtypemask"} if column in ROLES else set())
        yield (None if party["Id"] == ZERO else party["Id"]), values, kinds, {*sources, *own}


def pair_rows(inputs: Values, op: str, created: int) -> Iterator[tuple[Any, ...]]:
    """Yield a row for every pair of an association."""
    table = inputs["Relationship"]["SchemaName"].lower()
    for other in {each["Id"]: each for each in inputs["RelatedEntities"]}.values():
        ends = [(each["LogicalName"].lower(), each["Id"].lower()) for each in (inputs["Target"], other)]
        if ends[0][0] != ends[1][0]:
            ends.sort()
        elif inputs["Relationship"]["PrimaryEntityRole"] == 1:
            ends.reverse()
        suffixes = ("idone", "idtwo") if ends[0][0] == ends[1][0] else ("id", "id")
        values = {name + suffix: key for (name, key), suffix in zip(ends, suffixes, strict=True)}
        told = "\n".join((table, *(f"{column} {key}" for column, key in values.items())))
        key = str(uuid.UUID(bytes=hashlib.blake2b(told.encode(), digest_size=16).digest()))
        yield table, op, key, created, values, dict.fromkeys(values, TEXT), set(values)


def event_row(context: dict[str, Any], created: int) -> tuple[Any, ...]:
    """Return the row of a message that changes none."""
    values = {
        "parameters": json.dumps(in_iso(context["InputParameters"]), default=float),
        "outputs": json.dumps(in_iso(context["OutputParameters"]), default=float),
    }
    if context["PrimaryEntityName"] not in {"", "none"}:
        values["primaryentity"] = context["PrimaryEntityName"]
    key = None if context["PrimaryEntityId"] == ZERO else context["PrimaryEntityId"]
    return "event", "event", key, created, values, dict.fromkeys(values, TEXT), set()


def in_iso(value: Any) -> Any:
    """Return a tree whose dates are in ISO 8601."""
    if isinstance(value, dict):
        return {name: in_iso(each) for name, each in value.items()}
    if isinstance(value, list):
        return [in_iso(each) for each in value]
    if isinstance(value, str) and DATE.fullmatch(value):
        at = EPOCH + timedelta(microseconds=microseconds(value))
        part = f".{at.microsecond:06d}".rstrip("0") if at.microsecond else ""
        return f"{at:%Y-%m-%dT%H:%M:%S}{part}Z"
    return value


def event_id(context: dict[str, Any], body: bytes) -> str:
    if context["Mode"] != 1 or context["OperationId"] == ZERO:
        return hashlib.blake2b(body, digest_size=16).hexdigest()
    step = context["OwningExtension"]["Id"]
    parts = (context["OperationId"], step, context["MessageName"], context["PrimaryEntityName"])
    return hashlib.blake2b(
        "\n".join((*parts, context["PrimaryEntityId"])).encode(), digest_size=16
    ).hexdigest()


def microseconds(text: str) -> int:
    match = DATE.fullmatch(text)
    assert match is not None, text
    number, sign, hours, minutes = match.groups()
    shift = (int(hours) * 60 + int(minutes)) * 60_000 if sign else 0
    return (int(number) + (-shift if sign == "-" else shift)) * 1000


def moment(at: int) -> datetime | None:
    return EPOCH + timedelta(microseconds=at) if at else None
