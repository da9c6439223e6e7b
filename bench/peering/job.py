"""What every program in Python does by hand: a message to rows, as a person would write it.

The job: of Create, Update and Delete a row for the Target and one for each image
that was registered.  Columns are named as the bridge names them.
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

DATE = re.compile(r"/Date\((-?\d+)(?:([+-])(\d\d)(\d\d))?\)/")
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


def instant(text: str) -> datetime:
    """Return a date of .NET."""
    match = DATE.fullmatch(text)
    assert match is not None
    number, sign, hours, minutes = match.groups()
    shift = (int(hours) * 60 + int(minutes)) * 60_000 if sign else 0
    return EPOCH + timedelta(milliseconds=int(number) + (-shift if sign == "-" else shift))


def day(text: str) -> date:
    """Return the day of a date without time."""
    return (instant(text) + timedelta(hours=1)).date()


def rows_of(number: int, message: Row, kinds: dict[str, dict[str, str]]) -> Iterator[tuple[str, Row]]:
    """Yield table and row of everything a message carries; none for messages of other kinds."""
    name = message["MessageName"]
    if name not in {"Create", "Update", "Delete"}:
        return
    table = message["PrimaryEntityName"]
    for source, entity in entities(message, name):
        row: Row = {"_sequence_number": number, "_source": source, "Id": message["PrimaryEntityId"]}
        row |= {column: message[member] for column, member in CONTEXT.items()}
        row["_occurred"] = instant(message["OperationCreatedOn"])
        labels = {pair["key"]: pair["value"] for pair in entity["FormattedValues"]}
        for pair in entity["Attributes"]:
            column = pair["key"]
            put(row, column, pair["value"], labels.get(column), kinds[table].get(column))
        yield table, row


def entities(message: Row, name: str) -> Iterator[tuple[str, Row]]:
    """Yield the Target, and the images that were registered."""
    if name != "Delete":
        yield from ((p["key"], p["value"]) for p in message["InputParameters"] if p["key"] == "Target")
    for image in (*message["PreEntityImages"], *message["PostEntityImages"]):
        if image["key"] != AUTOMATIC:
            yield image["key"], image["value"]


def put(row: Row, column: str, value: Any, label: str | None, kind: str | None) -> None:
    """Put a value into its columns."""
    shown = {"choice", "choices", "boolean"}
    if value is None or value == []:
        return
    if kind == "lookup":
        row[column], row[f"{column}_entitytype"] = value["Id"], value["LogicalName"]
        row[f"{column}name"] = value["Name"] or label
    else:
        row[column] = _PLAIN.get(str(kind), _same)(value)
        if label is not None and kind in shown:
            row[f"{column}name"] = label


def _same(value: Any) -> Any:
    return value


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "choice": lambda value: value["Value"],
    "choices": lambda value: ";".join(str(each["Value"]) for each in value),
    "money": lambda value: value["Value"],
    "instant": instant,
    "date": day,
}
