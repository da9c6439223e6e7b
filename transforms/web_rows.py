"""A row as the Web API gives it, to a row of the history.

Numbers keep their text.  What a value means is told by the kind of its column;
a column no metadata knows is read by its annotations alone, and stays a text
or a number where these do not tell.  Source:
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/web-api-properties
and .../webapi/query/select-columns#formatted-values.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from ..tables.columns import FLATTENED
from ..tables.hydration import MESSAGE, TruncatedRow, hydration_id
from ..tables.order import order_key
from ..tables.types import ColumnTypes, Kind
from . import numbers
from .cells import Cell, cells
from .changes import Change, Said
from .contexts import Binary, Instant, Money, Number, Option, Options, Record, Reference, Unknown, Value
from .rows import Row
from .spelling import dump, json_object
from .trees import compact

FORMATTED: Final = "@OData.Community.Display.V1.FormattedValue"
"""Annotation with the text a person would see."""

_TARGET: Final = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_LOOKUP: Final = re.compile(r"_(.+)_value")
_ETAG: Final = re.compile(r'W/"(\d+)"')
_CODES: Final = re.compile(r"-?\d+(?:,-?\d+)*", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,7})?Z)?", re.ASCII)

_DEPTH: Final = 64

KindOf = Callable[[str], Kind | None]
"""Kind of a column, ``None`` where no metadata tells."""


class _Misread(ValueError):
    """A value is not of the form its column's kind has in the Web API."""


def web_record(body: bytes, table: str, kind_of: KindOf) -> Record:
    """Return a row of the Web API as an entity, all of its columns, nulls included.

    Args:
        body: JSON, with annotations.
        table: Logical name.
        kind_of: What is known about its columns.

    Raises:
        MessageRejected: ``undecodable`` or ``bad-value``.
    """
    members = _parsed(body)
    attributes: dict[str, Value] = {}
    labels: dict[str, str] = {}
    for key, raw in members.items():
        if "@" in key:
            continue
        lookup = _LOOKUP.fullmatch(key)
        name = lookup[1] if lookup else key
        label = _text(members.get(f"{key}{FORMATTED}"))
        try:
            value = (
                _reference(raw, _text(members.get(f"{key}{_TARGET}")), label)
                if lookup
                else _value(raw, kind_of(name), label)
            )
        except ValueError as error:
            raise MessageRejected(Reason.BAD_VALUE, f"{table}.{name}: {error}", f"{table}.{name}") from error
        attributes[name] = value
        if label is not None and isinstance(value, bool | Option | Options):
            labels[name] = label
    etag = _ETAG.fullmatch(_text(members.get("@odata.etag")) or "")
    if etag and "versionnumber" not in attributes:
        attributes["versionnumber"] = Number(etag[1])
    return Record(table, "", attributes, labels)


def hydrated_row(
    truncated: TruncatedRow,
    body: bytes,
    types: ColumnTypes,
    told: Mapping[str, Kind],
    *,
    binaries: bool = False,
) -> Row:
    """Return the history row that answers a truncated one.

    Its place in time is the row's own ``modifiedon``, else that of the truncated row.

    Args:
        truncated: The truncated row.
        body: The row as it is now, as the Web API gives it.
        types: What flattening knows about columns; decides how values are stored.
        told: Kinds of columns that flattening does not know; decides how values are read.
        binaries: Keep the bytes of images.

    Raises:
        MessageRejected: ``undecodable`` or ``bad-value``: the row stays on the list.
    """
    table = truncated.table
    record = web_record(body, table, lambda name: types.kind(table, name) or told.get(name))
    modified = record.attributes.get("modifiedon")
    change = Change(
        table=table,
        id=truncated.id or "",
        op="update",
        occurred_at=modified.ticks // 10 if isinstance(modified, Instant) else truncated.occurred_at,
        columns={name: Said(value, record.labels.get(name)) for name, value in record.attributes.items()},
        sent=tuple(record.attributes),
    )
    made = cells(change, types, binaries)
    return _row(
        truncated, change.op, change.occurred_at, made.found, dump(made.sent), json_object(made.extra)
    )


def deleted_row(truncated: TruncatedRow) -> Row:
    """Return the answer to a truncated row that Dataverse has no more: a delete at the row's own instant."""
    return _row(truncated, "delete", truncated.occurred_at, [], "[]", None)


def _row(
    truncated: TruncatedRow, op: str, occurred_at: int, found: list[Cell], sent: str, extra: str | None
) -> Row:
    event = hydration_id(truncated.event_id)
    system: dict[str, Any] = {
        "Id": truncated.id,
        "IsDelete": op == "delete",
        "_event_id": event,
        "_op": op,
        "_message": MESSAGE,
        "_order": order_key(occurred_at, op, truncated.sequence_number, event),
        "_changed": sent,
        "_extra": extra,
        "_truncated": False,
        "_occurred_at": occurred_at,
        "_correlation_id": truncated.correlation_id,
        "_operation_id": truncated.operation_id,
        "_user_id": truncated.user_id,
        "_initiating_user_id": truncated.initiating_user_id,
        "_organization": truncated.organization,
        "_depth": truncated.depth,
        "_entity": truncated.entity,
        "_sequence_number": truncated.sequence_number,
        "_message_id": truncated.message_id,
        "_enqueued_at": truncated.enqueued_at,
        "_received_at": truncated.received_at,
    }
    return Row(truncated.table, tuple(system[name] for name in FLATTENED), tuple(found))


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        tree = _DECODER.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise MessageRejected(Reason.UNDECODABLE, f"the row is not JSON: {str(error)[:80]}") from error
    if not isinstance(tree, dict):
        raise MessageRejected(Reason.UNDECODABLE, "the row is no JSON object")
    return tree


def _refuse(token: str) -> NoReturn:
    raise ValueError(f"{token} is no number")


_DECODER: Final = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=_refuse)


def _text(raw: object) -> str | None:
    return raw if isinstance(raw, str) else None


def _reference(raw: Any, table: str | None, name: str | None) -> Value:
    if raw is None:
        return None
    if not isinstance(raw, str):
        raise _Misread("a lookup must be a GUID")
    return Reference(numbers.guid(raw), table, name)


def _value(raw: Any, kind: Kind | None, label: str | None) -> Value:
    if raw is None:
        return None
    if isinstance(raw, dict | list):
        return Unknown(compact(raw, _DEPTH))
    reader = _READERS.get(kind) if kind else None
    if reader is not None:
        return reader(raw)
    return _inferred(raw, label) if kind is None else raw


def _inferred(raw: Any, label: str | None) -> Value:
    """Return a value of a column that no metadata knows.

    Dates and choices come with a formatted value, texts do not; a formatted number has digits.
    """
    if label is None or isinstance(raw, bool):
        return raw
    if isinstance(raw, Number):
        is_choice = raw.text.lstrip("-").isdigit() and not any(map(str.isdigit, label))
        return Option(int(raw.text)) if is_choice else raw
    if _INSTANT.fullmatch(raw):
        return _instant(raw)
    return _options(raw) if _CODES.fullmatch(raw) else raw


def _instant(raw: Any) -> Instant:
    if not isinstance(raw, str):
        raise _Misread("a date must be a text")
    return Instant(numbers.instant(raw if "T" in raw else f"{raw}T00:00:00Z"))


def _money(raw: Any) -> Money:
    if not isinstance(raw, Number):
        raise _Misread("an amount of money must be a number")
    return Money(raw.text)


def _option(raw: Any) -> Option:
    if not isinstance(raw, Number):
        raise _Misread("the code of a choice must be a number")
    return Option(numbers.integer(raw.text))


def _options(raw: Any) -> Options:
    if not isinstance(raw, str) or not (raw == "" or _CODES.fullmatch(raw)):
        raise _Misread("the codes of a choice must be numbers with commas between them")
    return Options(tuple(int(code) for code in raw.split(",") if code))


def _binary(raw: Any) -> Binary:
    try:
        return Binary(base64.b64decode(raw, validate=True))
    except (binascii.Error, TypeError, ValueError):
        raise _Misread("an image must be base64") from None


_READERS: Final[Mapping[Kind, Callable[[Any], Value]]] = {
    Kind.MONEY: _money,
    Kind.INSTANT: _instant,
    Kind.DATE: _instant,
    Kind.CHOICE: _option,
    Kind.CHOICES: _options,
    Kind.BINARY: _binary,
}
