"""What every program in Python does by hand: a message to one row, as a person would write it.

The job: of Create, Update and Delete one row.  A column holds what the pre image
says (of a Delete only), then the Target (but of a Delete), then the post image;
the later wins.  The image that asynchronous steps add by themselves does not
count.  Columns are named as the bridge names them.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

AUTOMATIC = "AsynchronousStepPrimaryName"
CONTEXT = {
    "_message": "MessageName",
    "_correlation_id": "CorrelationId",
    "_operation_id": "OperationId",
    "_user_id": "UserId",
    "_organization": "OrganizationName",
}
"""Columns beside the data, and the member each comes from."""

DATE = re.compile(r"/Date\((-?\d+)(?:\+0000)?\)/")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def arguments() -> tuple[Path, Path, dict[str, dict[str, str]]]:
    """Return the file of messages, the folder for tables, and table to column to kind."""
    messages, folder, schema = map(Path, sys.argv[1:4])
    folder.mkdir(parents=True, exist_ok=True)
    return messages, folder, json.loads(schema.read_text())


def lines(path: Path) -> Iterator[bytes]:
    """Yield the messages of a file."""
    with path.open("rb") as file:
        yield from file


def row_of(number: int, message: Row, kinds: dict[str, dict[str, str]]) -> tuple[str, Row] | None:
    """Return table and row of a message; ``None`` for messages of other kinds."""
    name = message["MessageName"]
    if name not in {"Create", "Update", "Delete"}:
        return None
    table = message["PrimaryEntityName"]
    row: Row = {"_sequence_number": number, "Id": message["PrimaryEntityId"]}
    row |= {column: message[member] for column, member in CONTEXT.items()}
    row["_occurred"] = instant(message["OperationCreatedOn"])
    values: dict[str, tuple[Any, str | None]] = {}
    for entity in entities(message, name):
        labels = {pair["key"]: pair["value"] for pair in entity["FormattedValues"]}
        for pair in entity["Attributes"]:
            values[pair["key"]] = pair["value"], labels.get(pair["key"])
    for column, (value, label) in values.items():
        put(row, column, value, label, kinds[table].get(column))
    return table, row


def entities(message: Row, name: str) -> Iterator[Row]:
    """Yield what says something of the row, the last word last."""
    if name == "Delete":
        yield from (pair["value"] for pair in message["PreEntityImages"] if pair["key"] != AUTOMATIC)
    else:
        yield from (pair["value"] for pair in message["InputParameters"] if pair["key"] == "Target")
    yield from (pair["value"] for pair in message["PostEntityImages"] if pair["key"] != AUTOMATIC)


def put(row: Row, column: str, value: Any, label: str | None, kind: str | None) -> None:
    """Put a value into its columns."""
    if value is None:
        return
    if kind == "lookup":
        row[column], row[f"{column}_entitytype"] = value["Id"], value["LogicalName"]
        row[f"{column}name"] = value["Name"] or label
    else:
        row[column] = _PLAIN.get(str(kind), _same)(value)
        if label is not None and kind in {"choice", "boolean"}:
            row[f"{column}name"] = label


def instant(text: str) -> datetime:
    """Return a date of .NET in UTC."""
    match = DATE.fullmatch(text)
    assert match is not None
    return EPOCH + timedelta(milliseconds=int(match[1]))


def day(text: str) -> date:
    """Return the day of a date without time."""
    return instant(text).date()


def _same(value: Any) -> Any:
    return value


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "choice": lambda value: value["Value"],
    "choices": lambda value: ";".join(str(each["Value"]) for each in value),
    "money": lambda value: value["Value"],
    "instant": instant,
    "date": day,
}
