"""The JSON writer against the serializer's rules."""

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.emulator.dataverse.json_writer import JsonWriter, quote, quote_short
from cdsbridge.emulator.dataverse.scalars import Long
from cdsbridge.emulator.dataverse.values import Money, Options
from cdsbridge.emulator.dataverse.zones import double

_DATE = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_a_json_reader(text: str) -> None:
    written = quote(text)
    assert json.loads(written) == text
    assert "/" not in written.replace("\\/", "")
    assert all(" " <= character <= "\uffff" and character not in "\x85\u2028\u2029" for character in written)


def test_newer_versions_escape_five_controls_in_short() -> None:
    controls = "".join(map(chr, range(32)))
    assert json.loads(quote_short(controls)) == json.loads(quote(controls)) == controls
    assert quote_short("\b\t\n\f\r\v") == '"\\b\\t\\n\\f\\r\\u000b"'


def test_a_lone_surrogate_is_escaped_and_can_be_encoded() -> None:
    assert quote("\ud800").encode() == b'"\\ud800"'


def _read_date(text: str) -> datetime:
    found = _DATE.fullmatch(json.loads(text))
    assert found, text
    offset = timedelta()
    if found[2]:
        sign = -1 if found[2][0] == "-" else 1
        offset = sign * timedelta(hours=int(found[2][1:3]), minutes=int(found[2][3:]))
    return datetime(1970, 1, 1) + timedelta(milliseconds=int(found[1])) + offset


_walls = st.datetimes(datetime(1753, 1, 1), datetime(9990, 1, 1)).map(
    lambda wall: wall.replace(microsecond=wall.microsecond // 1000 * 1000)
)


@given(_walls, st.integers(-12 * 60, 14 * 60))
def test_an_unmarked_date_comes_back_as_milliseconds_and_offset(wall: datetime, minutes: int) -> None:
    text = JsonWriter(timezone(timedelta(minutes=minutes))).value(wall)
    assert _read_date(text) == wall
    assert re.search(r"\d[+-]\d{4}\)", text)


@given(_walls)
def test_a_date_marked_as_utc_has_no_offset(wall: datetime) -> None:
    text = JsonWriter(timezone(timedelta(hours=-7))).value(wall.replace(tzinfo=UTC))
    assert _read_date(text) == wall
    assert not re.search(r"\d[+-]\d{4}\)", text)


def test_a_date_only_is_an_unmarked_midnight() -> None:
    writer = JsonWriter(timezone(timedelta(hours=-8)))
    assert writer.value(date(1969, 12, 31)) == '"\\/Date(-57600000-0800)\\/"'


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**14), max_value=10**14))
def test_money_keeps_every_digit_and_zero(amount: Decimal) -> None:
    written = json.loads(JsonWriter().value(Money(amount)), parse_float=Decimal, parse_int=Decimal)
    assert written["Value"] == amount
    assert written["Value"].as_tuple().exponent == amount.as_tuple().exponent
    assert next(iter(written)) == "__type"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_comes_back_bit_for_bit(value: float) -> None:
    written = json.loads(double(value), parse_int=float)
    assert repr(float(written)) == repr(value)


def test_values_without_a_mark_are_bare() -> None:
    writer = JsonWriter()
    assert writer.value(Long(2**53 + 1)) == "9007199254740993"
    assert writer.value(b"\x00\x01\xff") == "[0,1,255]"
    assert writer.value(None) == "null"
    assert json.loads(writer.value(Options(()))) == []
