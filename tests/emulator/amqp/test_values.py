"""AMQP values: what is decoded of what was encoded is the same, and bad bytes are refused."""

import struct
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.emulator.amqp.decode import MAX_DEPTH, decode_value, value_end
from cdsbridge.emulator.amqp.encode import encode_value
from cdsbridge.emulator.amqp.errors import DecodeError, EncodeError
from cdsbridge.emulator.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)


def _integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low = -(1 << (bits - 1)) if signed else 0
    return st.integers(low, low + (1 << bits) - 1)


_FLOAT32 = st.floats(width=32, allow_nan=False)
_ASCII = st.text(st.characters(max_codepoint=127), max_size=300)
_CHARACTER = st.characters(exclude_categories=["Cs"])
_SCALARS: dict[int, st.SearchStrategy[Value]] = {
    0x50: _integers(8, signed=False).map(UByte),
    0x51: _integers(8, signed=True).map(Byte),
    0x56: st.booleans(),
    0x60: _integers(16, signed=False).map(UShort),
    0x61: _integers(16, signed=True).map(Short),
    0x70: _integers(32, signed=False).map(UInt),
    0x71: _integers(32, signed=True).map(Int),
    0x72: _FLOAT32.map(Float),
    0x73: _CHARACTER.map(Char),
    0x80: _integers(64, signed=False).map(ULong),
    0x81: _integers(64, signed=True),
    0x82: st.floats(allow_nan=False),
    0x83: _integers(64, signed=True).map(Timestamp),
    0x84: st.binary(min_size=8, max_size=8).map(Decimal),
    0x94: st.binary(min_size=16, max_size=16).map(Decimal),
    0x98: st.uuids(),
    0xB0: st.binary(max_size=300),
    0xB1: st.text(_CHARACTER, max_size=300),
    0xB3: _ASCII.map(Symbol),
}
_SCALAR = st.one_of(st.none(), *_SCALARS.values())


def _arrays(code: int) -> st.SearchStrategy[Value]:
    descriptors = st.one_of(st.none(), st.just(ULong(0x75)), st.just(Symbol("a:b")))
    items = st.lists(_SCALARS[code], max_size=5).map(tuple)
    return st.builds(Array, st.just(code), items, descriptors)


_ARRAY = st.one_of(*[_arrays(code) for code in _SCALARS])


def _deeper(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(_SCALAR, inner, max_size=4),
        st.builds(Described, st.one_of(st.just(ULong(7)), st.just(Symbol("x"))), inner),
        st.lists(st.lists(inner, max_size=3), max_size=3).map(lambda items: Array(0xD0, tuple(items))),
        st.lists(st.dictionaries(st.text(max_size=3), inner, max_size=3), max_size=3).map(
            lambda items: Array(0xD1, tuple(items))
        ),
    )


VALUES = st.recursive(st.one_of(_SCALAR, _ARRAY), _deeper, max_leaves=12)


def _shape(value: Value) -> Value:
    """The value with the type of every part, so that UInt(1), 1 and True differ."""
    if isinstance(value, Array):
        return ("array", value.code, [_shape(item) for item in value.items], _shape(value.descriptor))
    if isinstance(value, Described):
        return ("described", _shape(value.descriptor), _shape(value.value))
    if isinstance(value, list):
        return [_shape(item) for item in value]
    if isinstance(value, dict):
        return [(_shape(key), _shape(item)) for key, item in value.items()]
    return (type(value), value)


@given(VALUES)
def test_a_value_decodes_to_what_was_encoded_in_value_and_type(value: Value) -> None:
    encoded = encode_value(value)
    decoded, end = decode_value(encoded)
    assert end == len(encoded)
    assert _shape(decoded) == _shape(value)


@given(VALUES, st.binary(max_size=8))
def test_the_end_of_a_value_is_found_without_decoding_it(value: Value, after: bytes) -> None:
    encoded = encode_value(value)
    assert value_end(encoded + after, 0) == len(encoded)


@given(VALUES, st.data())
def test_a_value_that_is_cut_short_is_refused(value: Value, data: st.DataObject) -> None:
    encoded = encode_value(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        decode_value(encoded[:cut])
    with pytest.raises(DecodeError):
        value_end(encoded[:cut], 0)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        _, end = decode_value(data)
    except DecodeError:
        return
    assert value_end(data, 0) == end <= len(data)


_KNOWN: list[tuple[str, Value]] = [
    ("40", None),
    ("41", True),
    ("42", False),
    ("5601", True),
    ("5600", False),
    ("43", UInt(0)),
    ("52ff", UInt(255)),
    ("7000000100", UInt(256)),
    ("44", ULong(0)),
    ("5314", ULong(20)),
    ("80ffffffffffffffff", ULong(2**64 - 1)),
    ("54ff", Int(-1)),
    ("5580", -128),
    ("81ffffffffffffff7f", -129),
    ("723f800000", Float(1.0)),
    ("823ff0000000000000", 1.0),
    ("7300000041", Char("A")),
    ("830000000000000001", Timestamp(1)),
    ("98000102030405060708090a0b0c0d0e0f", UUID("00010203-0405-0607-0809-0a0b0c0d0e0f")),
    ("a0020102", b"\x01\x02"),
    ("a102c3a9", "é"),
    ("a30161", Symbol("a")),
    ("45", []),
    ("c003024142", [True, False]),
    ("c10602a1016b5401", {"k": Int(1)}),
    ("e00602a301610162", Array(0xA3, (Symbol("a"), Symbol("b")))),
    ("00532445", Described(ULong(0x24), [])),
]


@pytest.mark.parametrize(("encoded", "value"), _KNOWN)
def test_bytes_of_the_specification_mean_what_it_says(encoded: str, value: Value) -> None:
    decoded, _ = decode_value(bytes.fromhex(encoded))
    assert _shape(decoded) == _shape(value)


@pytest.mark.parametrize(
    "encoded",
    [
        "3f",
        "5602",
        "a1ff41",
        "a101ff",
        "a301ff",
        "730011ffff",
        "730000d800",
        "c0020541",
        "c003014142",
        "c1020141",
        "d0ffffffff00000001",
        "f0000000050fffffff40",
        "e0030000",
    ],
)
def test_bytes_that_break_a_rule_are_refused(encoded: str) -> None:
    with pytest.raises(DecodeError):
        decode_value(bytes.fromhex(encoded))


def test_a_map_with_a_list_as_key_is_refused() -> None:
    with pytest.raises(DecodeError, match="key"):
        decode_value(bytes.fromhex("c103024541"))


def test_a_map_with_a_key_twice_is_refused() -> None:
    with pytest.raises(DecodeError, match="twice"):
        decode_value(bytes.fromhex("c1050441424142"))


def test_nesting_is_bounded() -> None:
    nested = b"\x45"
    for _ in range(MAX_DEPTH + 1):
        nested = struct.pack(">BII", 0xD0, len(nested) + 4, 1) + nested
    with pytest.raises(DecodeError, match="deeper"):
        decode_value(nested)
    with pytest.raises(DecodeError, match="deeper"):
        decode_value(b"\x00" * 5000)
    with pytest.raises(DecodeError, match="deeper"):
        value_end(b"\x00" * 5000, 0)


def test_an_array_of_empty_elements_cannot_claim_any_number() -> None:
    with pytest.raises(DecodeError, match="announced"):
        decode_value(struct.pack(">BIIB", 0xF0, 5, 0x0FFFFFFF, 0x43))


@pytest.mark.parametrize(
    "value",
    [
        UByte(256),
        UByte(-1),
        UInt(1 << 32),
        ULong(-1),
        1 << 63,
        Symbol("é"),
        object(),
        Decimal(b"123"),
        {"a": object()},
    ],
)
def test_a_value_without_an_encoding_is_refused(value: Value) -> None:
    with pytest.raises(EncodeError):
        encode_value(value)


def test_an_array_refuses_an_element_its_constructor_cannot_hold() -> None:
    with pytest.raises(EncodeError):
        encode_value(Array(0xC0, (["x" * 300],)))
