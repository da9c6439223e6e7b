"""From tokens to the tree of a filter or an action.

The grammar is that of "Subscription rule SQL filter syntax" and "Subscription
rule SQL action syntax" in the Azure documentation.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from . import nodes
from .cursor import MAX_DEPTH, Cursor
from .errors import ExpressionError
from .lexer import Kind, Token
from .nodes import Expression, Predicate
from .values import MAX_LONG, MIN_LONG

MAX_STATEMENTS: Final = 32
"""Most statements of one action, as the quotas of Service Bus have it."""

_COMPARISONS: Final = frozenset(("=", "<>", "<", "<=", ">", ">="))
_PROPERTY_FUNCTIONS: Final = frozenset(("property", "p"))


_Operand: TypeAlias = Callable[[], Expression | Predicate]


@lru_cache(maxsize=1024)
def parse_filter(text: str) -> Predicate:
    """Read the expression of a SQL filter.

    Raises:
        ExpressionError: It is not one.
    """
    cursor = Cursor(text)
    predicate = _Parser(cursor).predicate()
    cursor.end()
    return predicate


@lru_cache(maxsize=1024)
def parse_action(text: str) -> tuple[nodes.Statement, ...]:
    """Read the expression of a SQL action: statements, with or without semicolons.

    Raises:
        ExpressionError: It is not one.
    """
    cursor = Cursor(text)
    parser, statements = _Parser(cursor), list[nodes.Statement]()
    while cursor.next.kind is not Kind.END or not statements:
        if len(statements) == MAX_STATEMENTS:
            sentence = f"an action has up to {MAX_STATEMENTS} statements; here is one more."
            raise ExpressionError(cursor.next.position, sentence)
        statements.append(_statement(cursor, parser))
        while cursor.accepts(";", ","):
            pass
    return tuple(statements)


def _statement(cursor: Cursor, parser: "_Parser") -> nodes.Statement:
    word = cursor.next.text.upper() if cursor.next.kind is Kind.NAME else ""
    if word not in {"SET", "REMOVE"}:
        raise cursor.unexpected("SET or REMOVE")
    cursor.take()
    target = parser.plain_property()
    if word == "REMOVE":
        return nodes.Remove(target)
    cursor.expect("=")
    return nodes.Set(target, parser.expression())


class _Parser:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def predicate(self) -> Predicate:
        """Read a predicate."""
        position = self._cursor.next.position
        node = self._any()
        if not isinstance(node, Predicate):
            raise ExpressionError(position, "this is a value, not a condition; compare it with something.")
        return node

    def expression(self) -> Expression:
        """Read something that has a value."""
        position = self._cursor.next.position
        return self._valued(self._sum(), position)

    def _valued(self, node: Expression | Predicate, position: int) -> Expression:
        if isinstance(node, Predicate):
            raise ExpressionError(position, "this is a condition, where a value belongs.")
        return node

    def _any(self) -> Expression | Predicate:
        position = self._cursor.next.position
        node = self._all()
        if not self._cursor.sees("OR"):
            return node
        operands = [self._condition(node, position)]
        while self._cursor.accepts("OR"):
            position = self._cursor.next.position
            operands.append(self._condition(self._all(), position))
        return nodes.Any(tuple(operands))

    def _all(self) -> Expression | Predicate:
        position = self._cursor.next.position
        node = self._not()
        if not self._cursor.sees("AND"):
            return node
        operands = [self._condition(node, position)]
        while self._cursor.accepts("AND"):
            position = self._cursor.next.position
            operands.append(self._condition(self._not(), position))
        return nodes.All(tuple(operands))

    def _condition(self, node: Expression | Predicate, position: int) -> Predicate:
        if not isinstance(node, Predicate):
            raise ExpressionError(position, "this is a value, where a condition belongs; compare it.")
        return node

    def _not(self) -> Expression | Predicate:
        if self._cursor.accepts("NOT"):
            position = self._cursor.next.position
            with self._cursor.deeper():
                return nodes.Not(self._condition(self._not(), position))
        return self._comparison()

    def _comparison(self) -> Expression | Predicate:
        position = self._cursor.next.position
        node = self._sum()
        token = self._cursor.next
        if token.kind is Kind.SYMBOL and token.text in _COMPARISONS:
            self._cursor.take()
            return nodes.Comparison(token.text, self._valued(node, position), self.expression())
        if self._cursor.accepts("IS"):
            negated = self._cursor.accepts("NOT") is not None
            self._cursor.expect("NULL")
            if not isinstance(node, nodes.Property | nodes.PropertyNamed):
                raise ExpressionError(position, "IS NULL takes a property.")
            return _perhaps_not(nodes.IsNull(node), negated=negated)
        negated = self._cursor.accepts("NOT") is not None
        if self._cursor.accepts("IN"):
            return _perhaps_not(nodes.In(self._valued(node, position), self._choices()), negated=negated)
        if self._cursor.accepts("LIKE"):
            pattern = self.expression()
            escape = self.expression() if self._cursor.accepts("ESCAPE") else None
            like = nodes.Like(self._valued(node, position), pattern, escape)
            return _perhaps_not(like, negated=negated)
        if negated:
            raise self._cursor.unexpected("IN or LIKE")
        return node

    def _choices(self) -> tuple[Expression, ...]:
        self._cursor.expect("(")
        choices = [self.expression()]
        while self._cursor.accepts(","):
            choices.append(self.expression())
        self._cursor.expect(")")
        return tuple(choices)

    def _sum(self) -> Expression | Predicate:
        return self._chain(self._product, ("+", "-"))

    def _product(self) -> Expression | Predicate:
        return self._chain(self._signed, ("*", "/", "%"))

    def _chain(self, operand: _Operand, operators: tuple[str, ...]) -> Expression | Predicate:
        position = self._cursor.next.position
        node = operand()
        terms = 0
        while token := self._cursor.accepts(*operators):
            terms += 1
            if terms > MAX_DEPTH:
                raise ExpressionError(
                    token.position,
                    f"a sum or product has more than {MAX_DEPTH + 1} operands; use parentheses.",
                )
            left = self._valued(node, position)
            beside = self._cursor.next.position
            node = nodes.Arithmetic(token.text, left, self._valued(operand(), beside))
        return node

    def _signed(self) -> Expression | Predicate:
        sign = self._cursor.accepts("+", "-")
        if sign is None:
            return self._primary()
        token = self._cursor.next
        if sign.text == "-" and token.kind is Kind.INTEGER and int(token.text) == -MIN_LONG:
            self._cursor.take()
            return nodes.Literal(MIN_LONG)
        with self._cursor.deeper():
            operand = self._valued(self._signed(), token.position)
        return nodes.Negative(operand) if sign.text == "-" else nodes.Positive(operand)

    def _primary(self) -> Expression | Predicate:
        token = self._cursor.next
        if self._cursor.accepts("("):
            with self._cursor.deeper():
                node = self._any()
            self._cursor.expect(")")
            return node
        if self._cursor.accepts("EXISTS"):
            self._cursor.expect("(")
            target = self._property()
            self._cursor.expect(")")
            return nodes.Exists(target)
        if token.kind in {Kind.NAME, Kind.DELIMITED}:
            return self._named()
        literal = _literal(token)
        if literal is None:
            raise self._cursor.unexpected("a value")
        self._cursor.take()
        return literal

    def _named(self) -> Expression:
        return self._function() if self._cursor.calls else self.plain_property()

    def _function(self) -> Expression:
        name = self._cursor.take()
        self._cursor.expect("(")
        if name.text.lower() == "newid":
            self._cursor.expect(")")
            return nodes.NewId()
        if name.text.lower() not in _PROPERTY_FUNCTIONS:
            raise ExpressionError(
                name.position, f"there is no function {name}; there are newid and property."
            )
        with self._cursor.deeper():
            argument = self.expression()
        self._cursor.expect(")")
        return nodes.PropertyNamed(argument)

    def _property(self) -> nodes.Property | nodes.PropertyNamed:
        if self._cursor.next.kind not in {Kind.NAME, Kind.DELIMITED}:
            raise self._cursor.unexpected("a property")
        position, node = self._cursor.next.position, self._named()
        if not isinstance(node, nodes.Property | nodes.PropertyNamed):
            raise ExpressionError(position, "a property was expected.")
        return node

    def plain_property(self) -> nodes.Property:
        """Read the name of a property, with or without a scope."""
        name = self._cursor.take()
        if name.kind not in {Kind.NAME, Kind.DELIMITED}:
            raise ExpressionError(name.position, f"the name of a property was expected, not {name}.")
        if not self._cursor.accepts("."):
            return nodes.Property(name.text)
        scope = name.text.lower()
        if name.kind is not Kind.NAME or scope not in {"sys", "user"}:
            raise ExpressionError(name.position, f"the scope {name} is neither sys nor user.")
        part = self._cursor.next
        if part.kind not in {Kind.NAME, Kind.DELIMITED}:
            raise self._cursor.unexpected("the name of a property")
        self._cursor.take()
        return nodes.Property(part.text, scope == "sys")


def _perhaps_not(node: Predicate, *, negated: bool) -> Predicate:
    return nodes.Not(node) if negated else node


def _literal(token: Token) -> Expression | None:
    if token.kind is Kind.STRING:
        return nodes.Literal(token.text)
    if token.kind is Kind.PARAMETER:
        return nodes.Parameter(token.text)
    if token.kind is Kind.REAL:
        return nodes.Literal(float(token.text))
    if token.kind is Kind.INTEGER:
        if int(token.text) > MAX_LONG:
            raise ExpressionError(token.position, f"{token.text} does not fit an integer of 64 bits.")
        return nodes.Literal(int(token.text))
    if token.kind is Kind.KEYWORD and token.text in {"TRUE", "FALSE", "NULL"}:
        return nodes.Literal({"TRUE": True, "FALSE": False, "NULL": None}[token.text])
    return None
