"""Parsing many values at once agrees with parsing one text, or refuses."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.transforms import numbers
from cdsbridge.transforms.forms import Form, form_of
from cdsbridge.transforms.pairs import inside, read_pairs
from cdsbridge.transforms.parsing import misfits, parse
from cdsbridge.transforms.sealed import MONEY, OPTION
from cdsbridge.transforms.stripping import Misfit

from .bodies import lookup, money, option, pairs, written

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def whole(sealed: bytes) -> bytes | None:
    return inside(sealed, 0, len(sealed))


def read(form: Form, *values: bytes) -> list[object]:
    return list(parse(form, pa.array(values, pa.binary()))[0].to_pylist())


number_texts = st.one_of(
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,32})(\.[0-9]{1,14})?([eE][+-]?[0-9]{1,2})?\Z"),
    st.integers(-(2**66), 2**66).map(str),
)


FRAMES = (
    (Form.DECIMAL, 10, "{}"),
    (Form.MONEY, 4, MONEY.decode().replace("{", "{{") + "{}}}"),
)


@given(st.lists(number_texts, min_size=1, max_size=4))
def test_decimals_are_exact_or_refused(found: list[str]) -> None:
    for form, scale, frame in FRAMES:
        sent = [frame.format(each).encode() for each in found]
        try:
            told = read(form, *sent)
        except Misfit:
            continue
        assert told == [numbers.decimal(each, scale) for each in found]


@given(st.lists(st.decimals(-(10**12), 10**12, places=4).map(str), min_size=1, max_size=4))
def test_decimals_of_ordinary_length_are_not_refused(found: list[str]) -> None:
    for form, _, frame in FRAMES:
        assert read(form, *(frame.format(each).encode() for each in found)) == list(map(Decimal, found))


@pytest.mark.parametrize("text", ["7E28", "7" + 28 * "0", "69999999999999999999999999999.5", "7" + 34 * "0"])
def test_numbers_that_arrow_would_wrap_around_are_refused(text: str) -> None:
    with pytest.raises(Misfit):
        read(Form.DECIMAL, text.encode())


@given(st.lists(number_texts, min_size=1, max_size=4))
def test_whole_numbers_and_doubles_are_exact_or_refused(found: list[str]) -> None:
    sent = [each.encode() for each in found]
    for form, convert in ((Form.INTEGER, numbers.integer), (Form.DOUBLE, numbers.double)):
        try:
            expected = [convert(each) for each in found]
        except ValueError:
            with pytest.raises(Misfit):
                read(form, *sent)
        else:
            assert read(form, *sent) == expected


date_texts = st.one_of(
    st.builds(
        "/Date({}{})/".format,
        st.integers(-(10**15), 10**15).map(str) | st.text("0123456789-+ x", max_size=6),
        st.sampled_from(
            ["", "+0000", "-0700", "+0530", "-9999", "-070", "--070", "+-000", "-0700-0700", " "]
        ),
    ),
    st.text("/Date()0-+", max_size=12),
)


@given(st.lists(date_texts, min_size=1, max_size=4))
def test_dates_are_those_of_the_rule_or_refused(found: list[str]) -> None:
    sent = [written(each).encode() for each in found]
    try:
        expected = [numbers.milliseconds(each) for each in found]
    except ValueError:
        with pytest.raises(Misfit):
            read(Form.INSTANT, *sent)
    else:
        assert read(Form.INSTANT, *sent) == [EPOCH + timedelta(milliseconds=each) for each in expected]


@given(
    st.lists(
        st.integers(-62_135_596_800_000 // 600_000, 253_402_300_799_999 // 600_000), min_size=1, max_size=4
    )
)
def test_days_are_those_of_the_rule_or_refused(found: list[int]) -> None:
    texts = [f"/Date({each * 600_000})/" for each in found]
    sent = [written(each).encode() for each in texts]
    try:
        expected = [numbers.day(each) for each in texts]
    except ValueError:
        with pytest.raises(Misfit):
            read(Form.DATE, *sent)
    else:
        assert read(Form.DATE, *sent) == [date(1970, 1, 1) + timedelta(days=each) for each in expected]


@given(st.lists(st.none() | st.text(), min_size=1, max_size=5))
def test_texts_come_back_as_they_are(found: list[str | None]) -> None:
    assert read(Form.LABEL, *(written(each).encode() for each in found)) == found


ids = st.from_regex(r"\A[0-9a-fA-F-]{35,38}\Z") | st.uuids().map(str) | st.text()


@given(st.lists(st.none() | st.tuples(ids, st.none() | st.text()), min_size=1, max_size=5))
def test_lookups_come_back_as_they_are(found: list[tuple[str, str | None] | None]) -> None:
    """Whatever their ids: one longer than a GUID is not cut."""
    sent = [
        b"null" if each is None else written(lookup(each[0], "contact", each[1])).encode() for each in found
    ]
    told = zip(
        *(array.to_pylist() for array in parse(Form.REFERENCE, pa.array(sent, pa.binary()))), strict=True
    )
    assert list(told) == [
        (None, None, None) if each is None else (each[0], "contact", each[1]) for each in found
    ]


@pytest.mark.parametrize("form", [form for form in Form if form > Form.ODD])
def test_null_is_of_every_form(form: Form) -> None:
    for array in parse(form, pa.array([b"null", b"null"], pa.binary())):
        assert array.null_count == 2


MONEY_TEXT = written(money("1.5")).encode()
OPTION_TEXT = written(option(1)).encode()
LOOKUP_TEXT = written(lookup("id", "contact", "Na\\me")).encode()


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (Form.TEXT, b"5"),
        (Form.TEXT, b'"\\/Date(0)\\/"'),
        (Form.TEXT, b'"a","b"'),
        (Form.DECIMAL, b'"5"'),
        (Form.DECIMAL, b"5,6"),
        (Form.DECIMAL, b"true"),
        (Form.MONEY, b"5"),
        (Form.MONEY, OPTION_TEXT),
        (Form.MONEY, MONEY_TEXT.replace(b"1.5", b"null")),
        (Form.MONEY, MONEY_TEXT.replace(b"1.5", b'1.5,"Value":2')),
        (Form.MONEY, MONEY_TEXT.replace(b"\\/", b"/")),
        (Form.OPTION, OPTION + b'"1"}'),
        (Form.OPTION, b"[]"),
        (Form.OPTIONS, OPTION_TEXT),
        (Form.OPTIONS, b"[1]"),
        (Form.OPTIONS, b"[" + OPTION + b"99999999999999999999}]"),
        (Form.OPTIONS, b"[" + OPTION + b"1" * 5_000 + b"}]"),
        (Form.REFERENCE, LOOKUP_TEXT.replace(b"[]", b"[1]")),
        (Form.REFERENCE, LOOKUP_TEXT.replace(b'"RowVersion":null', b'"RowVersion":"1"')),
        (Form.REFERENCE, LOOKUP_TEXT.replace(b'"contact"', b"null")),
        (Form.REFERENCE, LOOKUP_TEXT.replace(b'"Name"', b'"Id":"x","Name"')),
        (Form.REFERENCE, b'["a","b","c"]'),
        (Form.BOOLEAN, b"1"),
        (Form.DATE, b'"\\/Date(43200000)\\/"'),
    ],
)
def test_what_is_of_another_form_is_refused_and_found(form: Form, value: bytes) -> None:
    sound = {
        Form.TEXT: b'"a"',
        Form.DECIMAL: b"1",
        Form.MONEY: MONEY_TEXT,
        Form.OPTION: OPTION_TEXT,
        Form.OPTIONS: b"[" + OPTION_TEXT + b"]",
        Form.REFERENCE: LOOKUP_TEXT,
        Form.BOOLEAN: b"true",
        Form.DATE: b'"\\/Date(0)\\/"',
    }[form]
    with pytest.raises(Misfit):
        read(form, value)
    among = pa.array([sound, b"null", value, sound, value, sound], pa.binary())
    assert sorted(misfits(form, among)) == [2, 4]
    assert set(misfits(form, among, tries=2)) >= {2, 4}


def test_a_form_is_told_by_how_a_value_begins() -> None:
    told = {
        b"null": Form.NOTHING,
        b"[]": Form.NOTHING,
        b'""': Form.TEXT,
        b'"\\/Date(0)\\/"': Form.INSTANT,
        b"-1": Form.DECIMAL,
        b"false": Form.BOOLEAN,
        MONEY_TEXT: Form.MONEY,
        OPTION_TEXT: Form.OPTION,
        b"[" + OPTION_TEXT + b"]": Form.OPTIONS,
        LOOKUP_TEXT: Form.REFERENCE,
        b"[1]": Form.ODD,
        b"{}": Form.ODD,
        b"": Form.ODD,
    }
    assert {value: form_of(value) for value in told} == told


@given(
    st.lists(
        st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=4), min_size=1, max_size=3),
        max_size=4,
    )
)
def test_lists_of_pairs_fall_into_their_keys_and_values(found: list[dict[str, int | str]]) -> None:
    sealed = [whole(written(pairs(each)).encode()) for each in found]
    read_back = read_pairs([each for each in sealed if each is not None])
    assert len(sealed) == len(found)
    told = [
        (int(number), read_back.names[key], value)
        for number, key, value in zip(
            read_back.lists, read_back.keys, read_back.values.array().to_pylist(), strict=True
        )
    ]
    assert told == [
        (number, written(key)[1:-1], written(value).encode())
        for number, each in enumerate(found)
        for key, value in each.items()
    ]
    assert not len(read_back.broken)


def test_a_list_of_something_else_is_broken_or_has_other_ends() -> None:
    assert whole(b'[{"value":1,"key":"a"}]') is None
    assert whole(b'[ {"key":"a","value":1}]') is None
    sealed = [
        whole(each)
        for each in (b'[{"key":"a","value":1}]', b'[{"key":"a","extra":1}]', b'[{"key":"b","value":2}]')
    ]
    found = read_pairs([each for each in sealed if each is not None])
    assert found.broken.tolist() == [1]
    assert found.lists.tolist() == [0, 2]
    assert found.values.array().to_pylist() == [b"1", b"2"]


def test_zero_keeps_no_sign_in_a_decimal() -> None:
    assert read(Form.DECIMAL, b"-0", b"-0.0") == [Decimal(0), Decimal(0)]
