"""Where a parser stands in a row of tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from .errors import ExpressionError
from .lexer import Kind, Token, tokens

MAX_DEPTH: Final = 64
"""Deepest nesting: parentheses, signs, negations, terms of one sum or product."""


class Cursor:
    """The tokens of an expression, and how far they are read.

    Args:
        text: The expression.

    Raises:
        ExpressionError: The text is no row of tokens.
    """

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    @property
    def next(self) -> Token:
        """The token that comes next; in the end, one of kind ``END``."""
        return self._tokens[self._at]

    @property
    def calls(self) -> bool:
        """Whether the next token is a name with a parenthesis behind it."""
        if self.next.kind is not Kind.NAME:
            return False
        following = self._tokens[self._at + 1]
        return following.kind is Kind.SYMBOL and following.text == "("

    def take(self) -> Token:
        """Pass over the next token and return it."""
        token = self.next
        if token.kind is not Kind.END:
            self._at += 1
        return token

    def sees(self, *texts: str) -> bool:
        """Whether a symbol or keyword comes next."""
        return self.next.kind in {Kind.SYMBOL, Kind.KEYWORD} and self.next.text in texts

    def accepts(self, *texts: str) -> Token | None:
        """Take a symbol or keyword if one of these comes next."""
        return self.take() if self.sees(*texts) else None

    def expect(self, text: str) -> None:
        """Take a symbol or keyword.

        Raises:
            ExpressionError: It does not come next.
        """
        if self.accepts(text) is None:
            raise self.unexpected(repr(text))

    def unexpected(self, wanted: str) -> ExpressionError:
        """The refusal of the next token, where something else belongs."""
        return ExpressionError(self.next.position, f"{wanted} was expected, not {self.next}.")

    def end(self) -> None:
        """Insist that nothing follows.

        Raises:
            ExpressionError: Something does.
        """
        if self.next.kind is not Kind.END:
            raise self.unexpected("an operator or the end of the expression")

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Read something nested.

        Raises:
            ExpressionError: It would be nested too deep.
        """
        if self._depth >= MAX_DEPTH:
            raise ExpressionError(
                self.next.position, f"the expression is nested more than {MAX_DEPTH} levels deep."
            )
        self._depth += 1
        yield
        self._depth -= 1
