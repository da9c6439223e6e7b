"""The generated conformance set in its three encodings, read once, and the flattener seen from outside."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Outcome
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.tables.types import ColumnTypes
from cdsbridge.transforms.flattener import Flattener

from .conftest import CONFORMANCE
from .notation import exact
from .placing import Expected
from .reference import Reference
from .telling import JsonTelling, Telling, XmlTelling

GENERATED = CONFORMANCE / "generated"
BY_METADATA = "by metadata"
BY_FORM = "by form alone"
MODES = (BY_METADATA, BY_FORM)
ENCODINGS = ("json", "xml", "bin")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHIFT = 62_135_596_800_000_000
"""Microseconds from year 1 to 1970."""

RANK = {"create": 1, "update": 2, "delete": 3, "event": 4}
Cells = dict[tuple[str, str], object]


class Case(NamedTuple):
    """One generated message: its manifest entry, its oracle, its bodies by their encoding."""

    name: str
    entry: Mapping[str, Any]
    oracle: Mapping[str, Any]
    bodies: Mapping[str, bytes]

    @property
    def body(self) -> bytes:
        """Its JSON."""
        return self.bodies["json"]

    def reference(self, mode: str, encoding: str = "json") -> Reference:
        return Reference(self.oracle, self._telling(encoding), known(mode)[0])

    def _telling(self, encoding: str) -> Telling:
        if encoding == "json":
            return JsonTelling(self.entry, exact(self.body.removeprefix(b"\xef\xbb\xbf")))
        return XmlTelling(signs_zero=encoding == "xml")


@cache
def cases() -> Mapping[str, Case]:
    """Return the cases by name; none where the set is absent."""
    manifest = GENERATED / "MANIFEST.json"
    entries = json.loads(manifest.read_text()) if manifest.exists() else []
    return {entry["case"]: _case(entry) for entry in entries}


def _case(entry: Mapping[str, Any]) -> Case:
    name = entry["case"]
    oracle = json.loads((GENERATED / f"{name}.oracle.json").read_text())
    return Case(
        name, entry, oracle, {each: (GENERATED / f"{name}.{each}").read_bytes() for each in ENCODINGS}
    )


def names() -> list[str]:
    """Return the names of the cases, or one that stands for the absent set: its tests skip and say so."""
    return list(cases()) or ["no conformance set"]


@cache
def known(mode: str) -> tuple[Mapping[str, Any], ColumnTypes]:
    """Return what is known about columns: as the file has it, and as the flattener takes it."""
    if mode == BY_FORM:
        return {}, ColumnTypes()
    path = GENERATED / "SCHEMA.json"
    return json.loads(path.read_text()), load_metadata(path).types


def delivery(number: int, body: bytes) -> Envelope:
    """Return a delivery in which everything that a row tells of it is distinct."""
    return Envelope(
        body,
        "orders",
        1_000 + number,
        enqueued_at=1_700_000_000_000_001 + number,
        received_at=1_700_000_001_000_001 + number,
        message_id=f"message {number}",
    )


def flattened(
    messages: Sequence[bytes | Envelope], types: ColumnTypes | None = None, by: Flattener | None = None
) -> FlattenedBatch:
    """Flatten messages as one batch, with a new flattener unless one is given.

    The flattener falls back to a slower way where a fault of its own stops the
    faster one, and logs an error.  No message of the set may make it do so.
    """
    envelopes = tuple(
        delivery(number, each) if isinstance(each, bytes) else each for number, each in enumerate(messages)
    )
    with _errors_logged() as errors:
        flat = (by or Flattener(types)).flatten(MicroBatch("orders", envelopes))
    assert errors == []
    return flat


@contextmanager
def _errors_logged() -> Iterator[list[str]]:
    """Collect what the flattener logs as errors."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("cdsbridge.transforms")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


def rows_of_message(flat: FlattenedBatch, position: int = 0) -> dict[str, tuple[str, dict[str, Any], Cells]]:
    """Return the rows of one message by event id: table, system columns, and data by column and type.

    Null cells are left out, but for ``_extra``, which then is an empty object.
    """
    found: dict[str, tuple[str, dict[str, Any], Cells]] = {}
    for each in flat.tables:
        for at in [at for at, owner in enumerate(each.positions.to_pylist()) if owner == position]:
            system: dict[str, Any] = {"_extra": "{}"}
            data: Cells = {}
            for field, column in zip(each.records.schema, each.records.columns, strict=True):
                value = column[at].as_py()
                if value is None:
                    continue
                if field.name[0] in "_IS":
                    system[field.name] = value
                else:
                    assert (field.name, str(field.type)) not in data
                    data[field.name, str(field.type)] = value
            assert system["_event_id"] not in found
            found[system["_event_id"]] = each.table, system, data
    return found


def system_of(
    oracle: Mapping[str, Any], row: Expected, envelope: Envelope, event: str, truncated: bool
) -> dict[str, Any]:
    """Return the system columns a row must have; lists and objects parsed, nulls left out."""
    micros = (row.occurred_at - EPOCH) // timedelta(microseconds=1)
    columns = {
        "Id": row.id,
        "IsDelete": row.op == "delete",
        "_event_id": event,
        "_op": row.op,
        "_message": oracle["message"],
        "_order": f"{micros + SHIFT:018}.{RANK[row.op]}.{envelope.sequence_number:019}.{event}",
        "_changed": row.sent,
        "_extra": row.extra,
        "_truncated": truncated,
        "_occurred_at": row.occurred_at,
        "_correlation_id": oracle["correlation_id"],
        "_operation_id": oracle["operation_id"],
        "_user_id": oracle["user_id"],
        "_initiating_user_id": oracle["initiating_user_id"],
        "_organization": oracle["organization_name"],
        "_depth": oracle["depth"],
        "_entity": envelope.entity,
        "_sequence_number": envelope.sequence_number,
        "_message_id": envelope.message_id,
        "_enqueued_at": EPOCH + timedelta(microseconds=envelope.enqueued_at),
        "_received_at": EPOCH + timedelta(microseconds=envelope.received_at),
    }
    return {name: value for name, value in columns.items() if value is not None}


def told_apart(place: str, found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> list[str]:
    """Return a line for every cell that is not as expected: another value, another type, or missing."""
    names = sorted({*found, *expected}, key=str)
    return [
        f"{place}: {name} is {found.get(name)!r}, not {expected.get(name)!r}"
        for name in names
        if not _same(found.get(name), expected.get(name))
    ]


def _same(one: object, other: object) -> bool:
    """Tell whether two cells are one value; zeros of doubles have signs."""
    if isinstance(one, float):
        return repr(one) == repr(other)
    if isinstance(one, list | dict):
        return one == other
    return type(one) is type(other) and one == other


def differences(
    oracle: Mapping[str, Any],
    expected: list[Expected],
    body: bytes,
    types: ColumnTypes | None = None,
    truncated: bool = False,
) -> list[object]:
    """Return how the rows of a body differ from what is expected; nothing may."""
    flat = flattened([body], types)
    (verdict,) = flat.verdicts
    if (verdict.outcome, verdict.rows) != (Outcome.COMMITTED, len(expected)):
        return [verdict]
    found = rows_of_message(flat)
    assert len(found) == len(expected)
    differing: list[object] = []
    for ordinal, row in enumerate(expected):
        event = f"{verdict.event}-{ordinal}"
        table, system, data = found[event]
        wanted = system_of(oracle, row, delivery(0, body), event, truncated and row.table != "activityparty")
        differing += [f"row {ordinal} is of {table}, not {row.table}"] if table != row.table else []
        differing += told_apart(f"row {ordinal}", parsed(system), wanted)
        differing += told_apart(f"row {ordinal}", as_trees(table, data), row.cells)
    return differing


def parsed(system: Mapping[str, Any]) -> dict[str, Any]:
    """Return the system columns of a row with its lists and objects parsed."""
    return {**system, "_changed": json.loads(system["_changed"]), "_extra": exact(system["_extra"])}


def as_trees(table: str, data: Cells) -> dict[Any, Any]:
    """Return the cells of a row; the parameters of an event parsed."""
    if table != "event":
        return dict(data)
    return {cell: exact(str(held)) if cell[0] in VERBATIM else held for cell, held in data.items()}


VERBATIM = frozenset({"parameters", "outputs"})
