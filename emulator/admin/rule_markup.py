"""Rules as descriptions in XML, and back."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ..entities.durations import duration_of, seconds_of
from ..filters.errors import ExpressionError
from ..filters.rules import (
    SYSTEM_FIELDS,
    CorrelationFilter,
    FalseFilter,
    Filter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from ..filters.values import Value
from .errors import AdminError
from .feeds import time_text
from .xml import INSTANCE, SCHEMA, SERVICE_BUS, Element, markup, tag

RULE: Final = "RuleDescription"

_VERSION: Final = "20"
_PAIR: Final = "KeyValueOfstringanyType"
_LONGEST_INT: Final = 2**31 - 1


def _read_duration(text: str) -> timedelta:
    seconds = seconds_of(text)
    return timedelta.max if seconds is None else timedelta(seconds=seconds)


_READERS: Final[Mapping[str, Callable[[str], Value]]] = {
    "string": str,
    "int": int,
    "long": int,
    "short": int,
    "double": float,
    "float": float,
    "boolean": lambda text: text.lower() == "true",
    "dateTime": datetime.fromisoformat,
    "duration": _read_duration,
}


def read_rule(name: str, description: Element) -> Rule:
    """The rule that a description describes.

    Raises:
        AdminError: It describes none, or an expression is malformed.
    """
    try:
        given = description.find("Filter")
        chosen = TrueFilter() if given is None else _read_filter(given)
        return Rule(name, chosen, _read_action(description.find("Action")))
    except ExpressionError as error:
        raise AdminError(400, f"The expression of rule {name!r} is malformed. {error}") from error
    except ValueError as error:
        raise AdminError(400, f"Rule {name!r}: {error}") from error


def _kind(element: Element) -> str:
    return element.attributes.get("type", "").rpartition(":")[2]


def _read_filter(given: Element) -> Filter:
    kind = _kind(given)
    if kind == "SqlFilter":
        return SqlFilter(given.value("SqlExpression") or "", _read_pairs(given.find("Parameters")))
    if kind == "CorrelationFilter":
        fields: dict[str, Any] = {name: given.value(system) for name, system in SYSTEM_FIELDS.items()}
        return CorrelationFilter(**fields, properties=_read_pairs(given.find("Properties")))
    if kind in {"TrueFilter", "FalseFilter"}:
        return TrueFilter() if kind == "TrueFilter" else FalseFilter()
    raise ValueError(
        f"The filter type {kind!r} is no SqlFilter, CorrelationFilter, TrueFilter or FalseFilter."
    )


def _read_action(given: Element | None) -> SqlAction | None:
    if given is None or _kind(given) != "SqlRuleAction":
        return None
    return SqlAction(given.value("SqlExpression") or "", _read_pairs(given.find("Parameters")))


def _read_pairs(given: Element | None) -> dict[str, Value]:
    pairs: dict[str, Value] = {}
    for pair in () if given is None else given.all(_PAIR):
        value = pair.find("Value")
        if value is None or value.attributes.get("nil") == "true":
            pairs[pair.value("Key") or ""] = None
            continue
        read = _READERS.get(_kind(value))
        if read is None:
            raise ValueError(f"Values of type {_kind(value)!r} are not taken.")
        pairs[pair.value("Key") or ""] = read(value.text)
    return pairs


def write_rule(rule: Rule) -> str:
    """The markup of the description of a rule."""
    action = markup("Action", "", i_type="EmptyRuleAction")
    if rule.action is not None:
        action = markup("Action", _sql(rule.action), i_type="SqlRuleAction")
    inner = _write_filter(rule.filter) + action
    inner += tag("CreatedAt", time_text(rule.created_at)) + tag("Name", rule.name)
    return markup(RULE, inner, xmlns=SERVICE_BUS, xmlns_i=INSTANCE)


def _write_filter(given: Filter) -> str:
    if isinstance(given, CorrelationFilter):
        fields = [(system, getattr(given, name)) for name, system in SYSTEM_FIELDS.items()]
        inner = "".join(tag(system, value) for system, value in fields if value is not None)
        return markup("Filter", inner + _pairs("Properties", given.properties), i_type="CorrelationFilter")
    if isinstance(given, SqlFilter):
        return markup("Filter", _sql(given), i_type="SqlFilter")
    kind, expression = ("TrueFilter", "1=1") if isinstance(given, TrueFilter) else ("FalseFilter", "1=0")
    return markup("Filter", _sql(SqlFilter(expression)), i_type=kind)


def _sql(given: SqlFilter | SqlAction) -> str:
    inner = tag("SqlExpression", given.expression) + tag("CompatibilityLevel", _VERSION)
    return inner + _pairs("Parameters", given.parameters)


def _pairs(name: str, values: Mapping[str, Value]) -> str:
    return markup(
        name, "".join(markup(_PAIR, tag("Key", key) + _value(value)) for key, value in values.items())
    )


def _value(value: Value) -> str:
    if value is None:
        return markup("Value", "", i_nil="true")
    kind, text = _typed(value)
    return tag("Value", text, xmlns_d6p1=SCHEMA, i_type=f"d6p1:{kind}")


def _typed(value: Value) -> tuple[str, str]:
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, int):
        return "int" if abs(value) <= _LONGEST_INT else "long", str(value)
    if isinstance(value, float):
        return "double", repr(value)
    if isinstance(value, datetime):
        return "dateTime", value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return "duration", duration_of(value.total_seconds())
    return "string", str(value)
