"""A rule as text, for a store."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from .rules import (
    SYSTEM_FIELDS,
    CorrelationFilter,
    FalseFilter,
    Filter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from .values import Value


def rule_to_text(rule: Rule) -> str:
    """The rule as JSON."""
    action = None if rule.action is None else _sql(rule.action)
    body = {"filter": _filter(rule.filter), "action": action, "created_at": rule.created_at}
    return json.dumps(body)


def rule_from_text(name: str, text: str) -> Rule:
    """The rule of a name that :func:`rule_to_text` wrote."""
    body = json.loads(text)
    action = body["action"]
    return Rule(
        name,
        _filter_from(body["filter"]),
        None if action is None else SqlAction(action["expression"], _values_from(action["parameters"])),
        body["created_at"],
    )


def _filter(given: Filter) -> dict[str, Any]:
    if isinstance(given, SqlFilter):
        return {"kind": "sql", **_sql(given)}
    if isinstance(given, CorrelationFilter):
        fields = {name: getattr(given, name) for name in SYSTEM_FIELDS}
        return {"kind": "correlation", **fields, "properties": _values(given.properties)}
    return {"kind": "true" if isinstance(given, TrueFilter) else "false"}


def _filter_from(body: dict[str, Any]) -> Filter:
    kind = body.pop("kind")
    if kind == "sql":
        return SqlFilter(body["expression"], _values_from(body["parameters"]))
    if kind == "correlation":
        properties = _values_from(body.pop("properties"))
        return CorrelationFilter(**body, properties=properties)
    return TrueFilter() if kind == "true" else FalseFilter()


def _sql(given: SqlFilter | SqlAction) -> dict[str, Any]:
    return {"expression": given.expression, "parameters": _values(given.parameters)}


def _values(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: _value(value) for name, value in values.items()}


def _value(value: Value) -> Any:
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, timedelta):
        return {"microseconds": value // timedelta(microseconds=1)}
    if isinstance(value, UUID | Decimal):
        return {type(value).__name__.lower(): str(value)}
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _values_from(values: dict[str, Any]) -> dict[str, Value]:
    return {name: _value_from(value) for name, value in values.items()}


_READERS: Final[Mapping[str, Any]] = {
    "time": datetime.fromisoformat,
    "microseconds": lambda count: timedelta(microseconds=count),
    "uuid": UUID,
    "decimal": Decimal,
    "hex": bytes.fromhex,
}


def _value_from(value: Any) -> Value:
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()
    return _READERS[kind](text)
