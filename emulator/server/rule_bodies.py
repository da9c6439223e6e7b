"""Rules as the management node of a subscription carries them.

The shapes are those of "rule operations" in "AMQP 1.0 in Azure Service Bus:
request-response based operations" in the Azure documentation.
"""

from collections.abc import Mapping
from typing import Final

from ..amqp.types import Described, Timestamp, ULong, Value
from ..entities.properties import amqp_value, value_of
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
from .conditions import argument_error

_RULE: Final = ULong(0x13700000004)
_NO_ACTION: Final = ULong(0x13700000005)
_SQL_ACTION: Final = ULong(0x13700000006)
_SQL: Final = ULong(0x1370000006)  # the clients know filters by codes one digit shorter
_TRUE: Final = ULong(0x1370000007)
_FALSE: Final = ULong(0x1370000008)
_CORRELATION: Final = ULong(0x1370000009)
_SQL_VERSION: Final = 20


def read_rule(body: Mapping[Value, Value]) -> Rule:
    """The rule that a request to add one describes.

    Raises:
        EntityError: It does not describe one.
    """
    name, description = body.get("rule-name"), body.get("rule-description")
    if not isinstance(name, str) or not isinstance(description, dict):
        raise argument_error("A rule to add has no 'rule-name', or no 'rule-description' that is a map.")
    try:
        action = description.get("sql-rule-action")
        return Rule(name, _read_filter(description), _read_action(action))
    except ExpressionError as error:
        raise argument_error(f"The expression of rule {name!r} is malformed. {error}") from error
    except ValueError as error:
        raise argument_error(f"Rule {name!r}: {error}") from error


def _read_filter(description: Mapping[Value, Value]) -> Filter:
    sql, correlation = description.get("sql-filter"), description.get("correlation-filter")
    if isinstance(sql, dict) and isinstance(sql.get("expression"), str):
        return SqlFilter(str(sql["expression"]))
    if isinstance(correlation, dict):
        return _read_correlation(correlation)
    if "true-filter" in description:
        return TrueFilter()
    if "false-filter" in description:
        return FalseFilter()
    raise ValueError("it has neither a 'sql-filter' with an expression nor a 'correlation-filter'.")


def _read_correlation(given: Mapping[Value, Value]) -> CorrelationFilter:
    fields = {name: given.get(name.replace("_", "-")) for name in SYSTEM_FIELDS}
    properties = given.get("properties")
    return CorrelationFilter(
        **{name: str(value) for name, value in fields.items() if value is not None},
        properties={
            str(name): value_of(value)
            for name, value in (properties.items() if isinstance(properties, dict) else ())
        },
    )


def _read_action(given: Value) -> SqlAction | None:
    expression = given.get("expression") if isinstance(given, dict) else None
    return SqlAction(str(expression)) if expression else None


def write_rule(rule: Rule) -> Described:
    """The description of a rule, as a list of its kind."""
    action = (
        Described(_NO_ACTION, []) if rule.action is None else Described(_SQL_ACTION, [rule.action.expression])
    )
    created = Timestamp(int(rule.created_at * 1000))
    return Described(_RULE, [_write_filter(rule.filter), action, rule.name, created])


def _write_filter(given: Filter) -> Described:
    if isinstance(given, SqlFilter):
        return Described(_SQL, [given.expression, _SQL_VERSION])
    if isinstance(given, CorrelationFilter):
        fields: list[Value] = [getattr(given, name) for name in SYSTEM_FIELDS]
        properties: dict[Value, Value] = {name: amqp_value(value) for name, value in given.properties.items()}
        return Described(_CORRELATION, [*fields, properties])
    return Described(_TRUE if isinstance(given, TrueFilter) else _FALSE, [])
