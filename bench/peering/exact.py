"""The exact cells of messages, worked out apart from the bridge and from all the other programs.

It imports nothing but the standard library, walks each message once, and never
lets a number pass through a float.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple


class Place(NamedTuple):
    """Where a cell stands: table, number of the message, column."""

    table: str
    number: int
    column: str


class Cell(NamedTuple):
    """What a cell is of, and what it holds."""

    kind: str
    value: Any


ROWS: Final = frozenset({"Create", "Update", "Delete"})
"""The messages the job is defined for."""


def exact_cells(messages: Path, count: int, kinds: Mapping[str, Mapping[str, str]]) -> dict[Place, Cell]:
    """Return every cell that is not null of the first messages.

    Args:
        messages: A message a line.
        count: How many of them.
        kinds: Table to column to kind.
    """
    found: dict[Place, Cell] = {}
    with messages.open("rb") as file:
        for number, line in enumerate(islice(file, count)):
            message = json.loads(line, parse_float=Decimal)
            if message["MessageName"] in ROWS:
                table = message["PrimaryEntityName"]
                for column, kind, value in _of_message(message, kinds[table]):
                    found[Place(table, number, column)] = Cell(kind, value)
    return found


def _of_message(message: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
    yield "Id", "context", message["PrimaryEntityId"]
    yield "_message", "context", message["MessageName"]
    yield "_correlation_id", "context", message["CorrelationId"]
    yield "_operation_id", "context", message["OperationId"]
    yield "_user_id", "context", message["UserId"]
    yield "_organization", "context", message["OrganizationName"]
    told: dict[str, Mapping[str, Any]] = {}
    for entity in _in_order(message):
        told |= dict.fromkeys((attribute["key"] for attribute in entity["Attributes"]), entity)
    for column, entity in told.items():
        (value,) = (each["value"] for each in entity["Attributes"] if each["key"] == column)
        label = next((each["value"] for each in entity["FormattedValues"] if each["key"] == column), None)
        if value is not None:
            yield from _of_value(column, kinds[column], value, label)


def _in_order(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if message["MessageName"] == "Delete":
        pairs = [*message["PreEntityImages"], *message["PostEntityImages"]]
    else:
        targets = [pair for pair in message["InputParameters"] if pair["key"] == "Target"]
        pairs = [*targets, *message["PostEntityImages"]]
    return [pair["value"] for pair in pairs if pair["key"] != "AsynchronousStepPrimaryName"]


def _of_value(column: str, kind: str, value: Any, label: str | None) -> Iterator[tuple[str, str, Any]]:
    if kind == "lookup":
        yield column, kind, value["Id"]
        yield f"{column}_entitytype", kind, value["LogicalName"]
        label = label if value["Name"] is None else value["Name"]
    elif kind == "choices":
        yield column, kind, ";".join(str(choice["Value"]) for choice in value)
    elif kind in {"choice", "money"}:
        yield column, kind, Decimal(value["Value"])
    elif kind in {"instant", "date"}:
        number = value.removeprefix("/Date(").removesuffix(")/").removesuffix("+0000")
        yield column, kind, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(number))
    elif kind in {"text", "boolean"}:
        yield column, kind, value
    else:
        yield column, kind, Decimal(value)
    if label is not None and kind in {"lookup", "choice", "boolean"}:
        yield f"{column}name", f"label of {kind}", label
