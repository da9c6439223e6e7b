"""Expressions mean what SQL makes of them: SQLite, which shares no line with us, is the judge."""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from cdsbridge.emulator.filters.errors import ExpressionError, FilterError
from cdsbridge.emulator.filters.evaluate import holds, value_of
from cdsbridge.emulator.filters.message import Properties
from cdsbridge.emulator.filters.nodes import Comparison
from cdsbridge.emulator.filters.parser import parse_filter
from cdsbridge.emulator.filters.values import Value

_TEXT = st.text(alphabet="ab%_!'", max_size=4)
_LETTERS = st.text("ab", max_size=7)
_MESSAGE = st.fixed_dictionaries(
    {
        "i": st.none() | st.integers(-9, 9),
        "j": st.none() | st.integers(-9, 9),
        "x": st.none() | st.sampled_from([-2.5, -1.0, 0.0, 0.5, 4.0]),
        "s": st.none() | _TEXT,
        "t": st.none() | _TEXT,
    }
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_TEXTS = st.sampled_from(["s", "t", '"s"', "[t]"]) | _TEXT.map(quoted)
_NUMBER = st.sampled_from(["i", "j", "x", "[i]", "0.5", "2.0", "25E-1"]) | st.integers(0, 9).map(str)
_NUMBERS = st.recursive(
    _NUMBER,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" + ", " - ", " * ", "- ", "+", "*"]), inner).map("".join),
        inner.map("({})".format),
        _NUMBER.map("-{}".format),
    ),
    max_leaves=5,
)
_CHAINS = st.lists(_NUMBER, min_size=2, max_size=4).flatmap(
    lambda numbers: st.lists(
        st.sampled_from([" + ", " - ", " * "]), min_size=len(numbers) - 1, max_size=len(numbers) - 1
    ).map(lambda operators: numbers[0] + "".join(map("".join, zip(operators, numbers[1:], strict=True))))
)
_OPERATOR = st.sampled_from([" = ", " <> ", " != ", " < ", " <= ", " > ", " >= ", "="])
_MAYBE_NOT = st.sampled_from([" ", " NOT "])
_LEAVES = st.one_of(
    st.tuples(_CHAINS | _NUMBERS, _OPERATOR, _NUMBERS).map("".join),
    st.tuples(_TEXTS, _OPERATOR, _TEXTS).map("".join),
    st.builds("{} % {} = {}".format, st.sampled_from("ij"), st.integers(1, 5), _NUMBER),
    st.builds(
        "{} / {} = {}".format,
        st.integers(-9, 9) | st.sampled_from("ij"),
        st.integers(1, 5),
        st.integers(-4, 4),
    ),
    st.builds(
        "{}{}IN ({}, {})".format, _NUMBER, _MAYBE_NOT, _NUMBER, st.sampled_from(["NULL", "j", "1 + 1"])
    ),
    st.builds("{}{}LIKE {}".format, _TEXTS, _MAYBE_NOT, _TEXTS),
    st.builds("{} LIKE {}".format, _LETTERS.map(quoted), st.text("ab%_", max_size=6).map(quoted)),
    st.builds(
        "{}{}LIKE {} ESCAPE '!'".format,
        _TEXTS,
        _MAYBE_NOT,
        st.text("ab%_", max_size=4).map(lambda p: quoted("!%" + p)),
    ),
    st.builds("{} IS{}NULL".format, st.sampled_from(["i", "s", '"x"', "[t]"]), _MAYBE_NOT),
)
_PREDICATES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " OR ", " and "]), inner).map("".join),
        inner.map("({})".format),
        inner.map("NOT {}".format),
        inner.map("NOT ({})".format),
    ),
    max_leaves=6,
)


class Judge:
    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute("PRAGMA case_sensitive_like = ON")

    def value(self, text: str, message: Mapping[str, object]) -> float | None:
        columns = ", ".join(f"? AS {name}" for name in message)
        query = f"SELECT ({text}) FROM (SELECT {columns})"
        found: float | None = self._database.execute(query, tuple(message.values())).fetchone()[0]
        return found

    def holds(self, text: str, message: Mapping[str, object]) -> bool | None:
        found = self.value(text, message)
        return None if found is None else bool(found)


_JUDGE = Judge()


@settings(max_examples=3000)
@given(_PREDICATES, _MESSAGE)
def test_an_expression_is_as_true_as_sqlite_says(text: str, values: dict[str, Value]) -> None:
    message = Properties(dict, {name: value for name, value in values.items() if value is not None})
    ours = holds(parse_filter(text), message, {})
    assert ours is _JUDGE.holds(text, values), text


@settings(max_examples=1000)
@given(_CHAINS | _NUMBERS, _MESSAGE)
def test_a_sum_has_the_value_that_sqlite_gives_it(text: str, values: dict[str, Value]) -> None:
    comparison = parse_filter(f"{text} = 0")
    assert isinstance(comparison, Comparison)
    value = value_of(comparison.left, Properties(dict, values), {})
    assert value == _JUDGE.value(text, values), text


@given(_PREDICATES, _MESSAGE)
def test_null_and_missing_are_told_apart_by_exists_alone(text: str, values: dict[str, Value]) -> None:
    missing = {name: value for name, value in values.items() if value is not None}
    parsed = parse_filter(text)
    assert holds(parsed, Properties(dict, missing), {}) is holds(parsed, Properties(dict, values), {})
    for name, value in values.items():
        exists = parse_filter(f"EXISTS({name})")
        assert holds(exists, Properties(dict, missing), {}) is (value is not None)
        assert holds(exists, Properties(dict, values), {}) is True


@given(st.text(alphabet="ab1 .'\"[]()=<>!+-*/%,;@\\ANDORTLIKEsysuser\n", max_size=40), _MESSAGE)
def test_whatever_is_written_is_read_or_refused(text: str, values: dict[str, Value]) -> None:
    message = Properties(dict, values)
    with suppress(ExpressionError, FilterError):
        assert holds(parse_filter(text), message, {}) in {True, False, None}
