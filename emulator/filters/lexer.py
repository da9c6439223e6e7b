"""From the text of an expression to tokens."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from .errors import ExpressionError

MAX_LENGTH: Final = 1024
"""Longest expression, characters, as the quotas of Service Bus have it."""

KEYWORDS: Final = frozenset(
    ("AND", "OR", "NOT", "IN", "LIKE", "ESCAPE", "IS", "NULL", "EXISTS", "TRUE", "FALSE")
)
"""Words that cannot be names unless they are delimited."""


class Kind(Enum):
    """The kinds of token."""

    NAME = "a name"
    DELIMITED = "a delimited name"
    KEYWORD = "a keyword"
    STRING = "a string"
    INTEGER = "an integer"
    REAL = "a number"
    PARAMETER = "a parameter"
    SYMBOL = "a symbol"
    END = "the end"


class Token(NamedTuple):
    """One token.

    Attributes:
        kind: What it is.
        text: What it says: keywords in upper case, names and strings without their delimiters.
        position: Where it begins, characters from 1.
    """

    kind: Kind
    text: str
    position: int

    def __str__(self) -> str:
        return "the end of the expression" if self.kind is Kind.END else repr(self.text)


_SPACE: Final = re.compile(r"\s*")
_TOKEN: Final = re.compile(
    r"""(?P<real>[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+))
      | (?P<integer>[0-9]+)
      | (?P<name>[^\W\d_]\w*)
      | (?P<parameter>@\w+)
      | '(?P<string>(?:[^']|'')*)'
      | "(?P<quoted>(?:[^"]|"")+)"
      | \[(?P<bracketed>(?:[^\]]|\]\])+)\]
      | (?P<symbol><>|!=|>=|<=|[=<>+\-*/%(),.;])""",
    re.VERBOSE,
)
_UNCLOSED: Final = {"'": "a string", '"': "a quoted name", "[": "a delimited name"}


def tokens(text: str) -> list[Token]:
    """Cut an expression into tokens; the last is of kind ``END``.

    Raises:
        ExpressionError: The text is too long, or something in it begins no token.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            MAX_LENGTH + 1, f"the expression has {len(text)} characters; up to {MAX_LENGTH} are allowed."
        )
    return list(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    at = _end_of_space(text, 0)
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _no_token(text, at)
        yield _token(found, at + 1)
        at = _end_of_space(text, found.end())
    yield Token(Kind.END, "", len(text) + 1)


def _end_of_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _token(found: "re.Match[str]", position: int) -> Token:
    group, text = found.lastgroup or "", found[found.lastgroup or 0]
    if group == "name" and text.upper() in KEYWORDS:
        return Token(Kind.KEYWORD, text.upper(), position)
    if group == "string":
        return Token(Kind.STRING, text.replace("''", "'"), position)
    if group == "quoted":
        return Token(Kind.DELIMITED, text.replace('""', '"'), position)
    if group == "bracketed":
        return Token(Kind.DELIMITED, text.replace("]]", "]"), position)
    if text == "!=":
        text = "<>"
    return Token(Kind[group.upper()], text, position)


def _no_token(text: str, at: int) -> ExpressionError:
    what = _UNCLOSED.get(text[at])
    if what is not None:
        return ExpressionError(at + 1, f"{what} begins here and does not end, or is empty.")
    return ExpressionError(at + 1, f"{text[at]!r} has no meaning here.")
