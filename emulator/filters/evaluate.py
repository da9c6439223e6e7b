"""What an expression says of a message, and what an action does to it."""

from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

from . import nodes
from .errors import FilterError
from .like import like
from .message import Properties
from .nodes import Expression, Predicate
from .values import Value, compare, compute, demand_number, negate, type_name

Parameters = Mapping[str, Value]
"""The parameters of an expression by name, ``@`` included."""


def holds(predicate: Predicate, message: Properties, parameters: Parameters) -> bool | None:
    """Whether a predicate is true of a message; ``None``: unknown.

    Raises:
        FilterError: It cannot be said: a type that does not fit, or no such system property.
    """
    return _HOLDS[type(predicate)](predicate, message, parameters)


def value_of(expression: Expression, message: Properties, parameters: Parameters) -> Value:
    """The value of an expression for a message; ``None``: null, or unknown.

    Raises:
        FilterError: It has none: a type that does not fit, or no such system property.
    """
    return _VALUES[type(expression)](expression, message, parameters)


def _compare(node: nodes.Comparison, message: Properties, parameters: Parameters) -> bool | None:
    left, right = value_of(node.left, message, parameters), value_of(node.right, message, parameters)
    return compare(node.operator, left, right)


def _all(node: nodes.All, message: Properties, parameters: Parameters) -> bool | None:
    return _joined(node.operands, message, parameters, decisive=False)


def _any(node: nodes.Any, message: Properties, parameters: Parameters) -> bool | None:
    return _joined(node.operands, message, parameters, decisive=True)


def _not(node: nodes.Not, message: Properties, parameters: Parameters) -> bool | None:
    held = holds(node.operand, message, parameters)
    return None if held is None else not held


def _is_null(node: nodes.IsNull, message: Properties, parameters: Parameters) -> bool:
    return value_of(node.operand, message, parameters) is None


def _joined(
    operands: Sequence[Predicate], message: Properties, parameters: Parameters, *, decisive: bool
) -> bool | None:
    """AND and OR of three values: the decisive one settles it, else unknown does."""
    result: bool | None = not decisive
    for operand in operands:
        held = holds(operand, message, parameters)
        if held is decisive:
            return decisive
        if held is None:
            result = None
    return result


def _exists(node: nodes.Exists, message: Properties, parameters: Parameters) -> bool | None:
    target = node.operand
    if isinstance(target, nodes.PropertyNamed):
        name = _name(target, message, parameters)
        return None if name is None else message.has(name)
    return message.system_value(target.name) is not None if target.system else message.has(target.name)


def _in(node: nodes.In, message: Properties, parameters: Parameters) -> bool | None:
    value = value_of(node.operand, message, parameters)
    if value is None:
        return None
    result: bool | None = False
    for choice in node.choices:
        equal = compare("=", value, value_of(choice, message, parameters))
        if equal:
            return True
        if equal is None:
            result = None
    return result


def _like(node: nodes.Like, message: Properties, parameters: Parameters) -> bool | None:
    parts = [node.operand, node.pattern]
    if node.escape is not None:
        parts.append(node.escape)
    texts: list[str] = []
    for part in parts:
        value = value_of(part, message, parameters)
        if value is None:
            return None
        if not isinstance(value, str):
            raise FilterError(f"LIKE takes strings, not {type_name(value)}.")
        texts.append(value)
    return like(*texts)


def _literal(node: nodes.Literal, message: Properties, parameters: Parameters) -> Value:
    del message, parameters
    return node.value


def _parameter(node: nodes.Parameter, message: Properties, parameters: Parameters) -> Value:
    del message
    return parameters.get(node.name)


def _property(node: nodes.Property, message: Properties, parameters: Parameters) -> Value:
    del parameters
    return message.system_value(node.name) if node.system else message.value(node.name)


def _property_named(node: nodes.PropertyNamed, message: Properties, parameters: Parameters) -> Value:
    name = _name(node, message, parameters)
    return None if name is None else message.value(name)


def _arithmetic(node: nodes.Arithmetic, message: Properties, parameters: Parameters) -> Value:
    left, right = value_of(node.left, message, parameters), value_of(node.right, message, parameters)
    return compute(node.operator, left, right)


def _negative(node: nodes.Negative, message: Properties, parameters: Parameters) -> Value:
    return negate(value_of(node.operand, message, parameters))


def _positive(node: nodes.Positive, message: Properties, parameters: Parameters) -> Value:
    return demand_number("+", value_of(node.operand, message, parameters))


def _new_id(node: nodes.NewId, message: Properties, parameters: Parameters) -> Value:
    del node, message, parameters
    return uuid4()


def _name(call: nodes.PropertyNamed, message: Properties, parameters: Parameters) -> str | None:
    name = value_of(call.name, message, parameters)
    if name is not None and not isinstance(name, str):
        raise FilterError(f"property() takes a string, not {type_name(name)}.")
    return name


_HOLDS: Mapping[type, Callable[..., bool | None]] = {
    nodes.Comparison: _compare,
    nodes.All: _all,
    nodes.Any: _any,
    nodes.Not: _not,
    nodes.IsNull: _is_null,
    nodes.Exists: _exists,
    nodes.In: _in,
    nodes.Like: _like,
}
_VALUES: Mapping[type, Callable[..., Value]] = {
    nodes.Literal: _literal,
    nodes.Parameter: _parameter,
    nodes.Property: _property,
    nodes.PropertyNamed: _property_named,
    nodes.Arithmetic: _arithmetic,
    nodes.Negative: _negative,
    nodes.Positive: _positive,
    nodes.NewId: _new_id,
}


def act(statements: Sequence[nodes.Statement], message: Properties, parameters: Parameters) -> None:
    """Do to a message what the statements of an action say, one after the other.

    Raises:
        FilterError: One of them cannot be done; what came before it is done.
    """
    for statement in statements:
        target = statement.target
        value = value_of(statement.value, message, parameters) if isinstance(statement, nodes.Set) else None
        if target.system:
            message.set_system(target.name, value)
        elif isinstance(statement, nodes.Set):
            message.set_value(target.name, value)
        else:
            message.remove(target.name)
