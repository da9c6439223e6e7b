"""Rules: which messages a subscription takes, and what is done to them on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .errors import ExpressionError
from .evaluate import act, holds
from .lexer import Kind, tokens
from .message import Properties
from .parser import parse_action, parse_filter
from .values import Value, in_utc, same_family

DEFAULT_RULE: Final = "$Default"
"""The name of the rule a subscription begins with."""


@dataclass(frozen=True, slots=True)
class TrueFilter:
    """Takes every message."""

    def matches(self, message: Properties) -> bool:
        """Whether the message is taken: it is."""
        del message
        return True


@dataclass(frozen=True, slots=True)
class FalseFilter:
    """Takes no message."""

    def matches(self, message: Properties) -> bool:
        """Whether the message is taken: it is not."""
        del message
        return False


@dataclass(frozen=True, slots=True)
class CorrelationFilter:
    """Takes messages whose properties equal all of those named here.

    Strings are equal if no character differs in case either; numbers if they are
    of one kind (integer, double, decimal) and value; values of different types
    never are.

    Attributes:
        correlation_id: What the system property must be; ``None``: anything.
            Likewise the others.
        properties: What properties of the sender must be.

    Raises:
        ValueError: Nothing is named.
    """

    correlation_id: str | None = None
    message_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    label: str | None = None
    session_id: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    properties: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.properties and all(getattr(self, name) is None for name in SYSTEM_FIELDS):
            raise ValueError("A correlation filter names at least one property.")

    def matches(self, message: Properties) -> bool:
        """Whether the message is taken."""
        for name, system in SYSTEM_FIELDS.items():
            wanted = getattr(self, name)
            if wanted is not None and wanted != message.system_value(system):
                return False
        return all(_equal(message.value(name), wanted) for name, wanted in self.properties.items())


SYSTEM_FIELDS: Final[Mapping[str, str]] = {
    "correlation_id": "CorrelationId",
    "message_id": "MessageId",
    "to": "To",
    "reply_to": "ReplyTo",
    "label": "Label",
    "session_id": "SessionId",
    "reply_to_session_id": "ReplyToSessionId",
    "content_type": "ContentType",
}
"""The fields of a correlation filter, in the order of the protocol, and the system property each is of."""


def _equal(left: Value, right: Value) -> bool:
    return same_family(left, right) and in_utc(left) == in_utc(right)


@dataclass(frozen=True, slots=True)
class SqlFilter:
    """Takes messages of which an expression is true, not false and not unknown.

    Attributes:
        expression: The expression.
        parameters: Values for the names in it that begin with ``@``.

    Raises:
        ExpressionError: It is not an expression, or a parameter has no value.
    """

    expression: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parse_filter(self.expression)
        _check_parameters(self.expression, self.parameters)

    def matches(self, message: Properties) -> bool:
        """Whether the message is taken.

        Raises:
            FilterError: It cannot be said.
        """
        return holds(parse_filter(self.expression), message, self.parameters) is True


@dataclass(frozen=True, slots=True)
class SqlAction:
    """Sets and removes properties.

    Attributes:
        expression: The statements.
        parameters: Values for the names in them that begin with ``@``.

    Raises:
        ExpressionError: They are no statements, or a parameter has no value.
    """

    expression: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parse_action(self.expression)
        _check_parameters(self.expression, self.parameters)

    def apply(self, message: Properties) -> None:
        """Do it to a message.

        Raises:
            FilterError: It cannot be done.
        """
        act(parse_action(self.expression), message, self.parameters)


def _check_parameters(expression: str, parameters: Mapping[str, Value]) -> None:
    for token in tokens(expression):
        if token.kind is Kind.PARAMETER and token.text not in parameters:
            raise ExpressionError(token.position, f"the parameter {token.text} has no value.")


Filter: TypeAlias = TrueFilter | FalseFilter | CorrelationFilter | SqlFilter
"""What decides whether a message is taken."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a subscription.

    Attributes:
        name: Its name in the subscription.
        filter: Which messages it takes.
        action: What it does to them; ``None``: nothing.
        created_at: When it was added, epoch seconds.
    """

    name: str = DEFAULT_RULE
    filter: Filter = field(default_factory=TrueFilter)
    action: SqlAction | None = None
    created_at: float = 0.0
