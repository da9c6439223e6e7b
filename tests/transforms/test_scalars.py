"""Single values of XML: what .NET writes, what XML Schema allows beside it, and what is none."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.tables.types import Kind
from cdsbridge.transforms import numbers
from cdsbridge.transforms.contexts import Instant, Number
from cdsbridge.transforms.scalars import SCALARS, Scalar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WHOLE = ["byte", "unsignedByte", "short", "unsignedShort", "int", "unsignedInt", "long", "unsignedLong"]

READ: list[tuple[str, str, Scalar]] = [
    ("string", " a\n", " a\n"),
    ("string", "/Date(1)/", "/Date(1)/"),
    ("guid", " 6d81597f ", "6d81597f"),
    ("char", "65", "A"),
    ("char", "55357", "\ud83d"),
    ("boolean", " 1 ", True),
    ("boolean", "false", False),
    ("int", "-0", Number("-0", Kind.INTEGER)),
    ("int", " +007 ", Number("7", Kind.INTEGER)),
    ("unsignedLong", "18446744073709551615", Number("18446744073709551615", Kind.INTEGER)),
    ("decimal", "12.50", Number("12.50", Kind.DECIMAL)),
    ("decimal", "+.5", Number("0.5", Kind.DECIMAL)),
    ("decimal", "1.", Number("1", Kind.DECIMAL)),
    ("decimal", "0.0000000000000000000000000001", Number("0.0000000000000000000000000001", Kind.DECIMAL)),
    ("double", "1E+18", Number("1E+18", Kind.DOUBLE)),
    ("double", "-INF", Number("-INF", Kind.DOUBLE)),
    ("double", "NaN", Number("NaN", Kind.DOUBLE)),
    ("double", "-0", Number("-0", Kind.DOUBLE)),
    ("double", "123456789012345", Number("123456789012345", Kind.DOUBLE)),
    ("double", "1000000000000000000", Number("1E+18", Kind.DOUBLE)),
    ("float", "0.10000000149011612", Number("0.1", Kind.DOUBLE)),
    ("float", "3.40282347E+38", Number("3.40282347E+38", Kind.DOUBLE)),
    ("float", "INF", Number("INF", Kind.DOUBLE)),
    ("base64Binary", " QU\nI= ", b"AB"),
    ("base64Binary", "", b""),
    ("dateTime", "1970-01-01T00:00:00", Instant(0)),
    ("dateTime", "1970-01-01T00:00:00.0000001Z", Instant(1)),
    ("dateTime", "1969-12-31T23:59:59.9999999", Instant(-1)),
    ("dateTime", " 1970-01-01T05:30:00+05:30 ", Instant(0)),
    ("dateTime", "0001-01-01T00:00:00Z", Instant(-621_355_968_000_000_000)),
    ("dateTime", "9999-12-31T23:59:59.9999999Z", Instant(2_534_023_007_999_999_999)),
]


@pytest.mark.parametrize(("kind", "text", "value"), READ)
def test_a_text_is_read_as_its_type(kind: str, text: str, value: Scalar) -> None:
    assert SCALARS[kind](text) == value


REFUSED: list[tuple[str, str]] = [
    *((kind, text) for kind in WHOLE for text in ("", "1.0", "1e5", "x", "--1", "1_0", "٣", "1" * 41)),
    *(
        ("decimal", text)
        for text in ("", ".", "x", "1e99999", "NaN", "INF", "1,5", "0x1", "٣", "+" + "1" * 401)
    ),
    *(("double", text) for text in ("", "nan", "inf", "Infinity", "1e", "1_0")),
    *(("float", text) for text in ("", "x")),
    *(("boolean", text) for text in ("", "TRUE", "yes", "2")),
    *(("char", text) for text in ("", "A", "-1", "65536")),
    *(("base64Binary", text) for text in ("A", "AA=A", "*", "QUI", "é")),
    *(("dateTime", text) for text in ("", "1970-01-01", "1970-01-01 00:00:00", "1970-13-01T00:00:00")),
    *(("dateTime", text) for text in ("1970-01-01T24:00:00", "1970-01-01T00:60:00", "0000-01-01T00:00:00")),
    *(("dateTime", text) for text in ("1970-01-01T00:00:00.00000001", "0001-01-01T00:00:00+00:01")),
    *(("dateTime", text) for text in ("9999-12-31T23:59:59-00:01", "/Date(0)/", "1970-01-01T00:00:00z")),
]


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_a_text_that_is_none_of_its_type_is_refused_in_a_short_clause(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r".") as found:
        SCALARS[kind](text)
    assert 0 < len(str(found.value)) < 120
    assert str(found.value).isprintable()


@given(st.datetimes(), st.integers(0, 9), st.integers(-14 * 60, 14 * 60))
def test_instants_are_those_of_the_calendar(moment: datetime, tick: int, offset: int) -> None:
    sign, (hours, minutes) = "-" if offset < 0 else "+", divmod(abs(offset), 60)
    text = f"{moment:%H:%M:%S}.{moment.microsecond:06d}{tick}{sign}{hours:02d}:{minutes:02d}"
    text = f"{moment.date().isoformat()}T{text}"
    exact = (
        (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) * 10 + tick - offset * 600_000_000
    )
    first, last = -621_355_968_000_000_000, 2_534_023_007_999_999_999
    if first <= exact <= last:
        assert numbers.instant(text) == exact
        assert numbers.instant(numbers.iso(exact)) == exact
    else:
        with pytest.raises(ValueError, match=r"."):
            numbers.instant(text)


@given(st.binary(max_size=100), st.integers(1, 20))
def test_base64_may_stand_in_lines(data: bytes, width: int) -> None:
    text = base64.b64encode(data).decode()
    lines = "\r\n ".join(text[at : at + width] for at in range(0, len(text), width))
    assert SCALARS["base64Binary"](lines) == data


LEGIBLE: list[Callable[[], str]] = [
    lambda: numbers.legible("\x1b[31m" * 100, 200),
    lambda: numbers.legible("\ud800" * 100, 200),
    lambda: numbers.legible("é" * 1000, 200),
    lambda: numbers.shortened("\n" * 1000),
]


@pytest.mark.parametrize("made", LEGIBLE)
def test_what_is_shown_of_a_text_can_be_printed(made: Callable[[], str]) -> None:
    assert made().isprintable()
    assert len(made()) <= 250
