"""Message sections: cut apart and put together without a byte changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.emulator.amqp.encode import encode_value
from cdsbridge.emulator.amqp.errors import DecodeError
from cdsbridge.emulator.amqp.requests import Request, decode_request, encode_response
from cdsbridge.emulator.amqp.sections import (
    APPLICATION_PROPERTIES,
    BATCH_FORMAT,
    DATA,
    DELIVERY_ANNOTATIONS,
    FOOTER,
    HEADER,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    SEQUENCE,
    VALUE,
    data_values,
    list_fields,
    map_entries,
    map_section,
    section,
    section_value,
    split_sections,
)
from cdsbridge.emulator.amqp.types import Described, Int, Symbol, UInt, ULong, Value

_TEXT = st.text(max_size=40)
_SCALAR = st.one_of(
    st.none(), st.booleans(), _TEXT, st.binary(max_size=300), st.uuids(), st.integers(0, 255).map(UInt)
)
_LIST = st.lists(_SCALAR, max_size=13)
_MAP = st.dictionaries(_TEXT, _SCALAR, max_size=5)
_HEADS = [
    (HEADER, _LIST),
    (DELIVERY_ANNOTATIONS, _MAP),
    (MESSAGE_ANNOTATIONS, _MAP),
    (PROPERTIES, _LIST),
    (APPLICATION_PROPERTIES, _MAP),
]


def _optional(code: int, values: st.SearchStrategy[Value]) -> st.SearchStrategy[bytes]:
    return st.one_of(st.just(b""), values.map(lambda value: section(code, value)))


_HEAD = st.tuples(*[_optional(code, values) for code, values in _HEADS])
_BODY = st.one_of(
    st.lists(st.binary(max_size=300), max_size=3).map(
        lambda parts: b"".join(section(DATA, part) for part in parts)
    ),
    st.lists(_LIST, max_size=3).map(lambda parts: b"".join(section(SEQUENCE, part) for part in parts)),
    _SCALAR.map(lambda value: section(VALUE, value)),
)
_FOOTERS = _optional(FOOTER, _MAP)


@given(_HEAD, _BODY, _FOOTERS)
def test_sections_are_told_apart_and_keep_their_bytes(
    head: tuple[bytes, ...], body: bytes, footer: bytes
) -> None:
    assert tuple(split_sections(b"".join(head) + body + footer)) == (*head, body + footer)


@given(_HEAD, _BODY, st.permutations(range(6)))
def test_sections_may_stand_in_any_order(head: tuple[bytes, ...], body: bytes, order: list[int]) -> None:
    parts = (*head, body)
    assert tuple(split_sections(b"".join(parts[index] for index in order))) == parts


@given(_HEAD, _BODY)
def test_long_and_symbolic_descriptors_are_written_short(head: tuple[bytes, ...], body: bytes) -> None:
    names = {0x70: "amqp:header:list", 0x73: "amqp:properties:list"}
    parts = []
    for part in head:
        if part and part[2] in names:
            parts.append(b"\x00" + encode_value(Symbol(names[part[2]])) + part[3:])
        elif part:
            parts.append(b"\x00\x80" + part[2].to_bytes(8, "big") + part[3:])
    assert tuple(split_sections(b"".join(parts) + body)) == (*head, body)


@given(_LIST, st.sets(st.integers(0, 12)))
def test_fields_are_read_without_the_others(values: list[Value], wanted: set[int]) -> None:
    indexes = sorted(wanted)
    expected = [values[index] if index < len(values) else None for index in indexes]
    assert list_fields(section(PROPERTIES, values), indexes) == expected


@given(_MAP, _MAP)
def test_maps_are_joined_without_decoding_them(first: dict[Value, Value], second: dict[Value, Value]) -> None:
    second = {key: value for key, value in second.items() if key not in first}
    one, two = (
        map_entries(section(MESSAGE_ANNOTATIONS, first)),
        map_entries(section(MESSAGE_ANNOTATIONS, second)),
    )
    joined = map_section(MESSAGE_ANNOTATIONS, one[0] + two[0], one[1] + two[1])
    assert section_value(joined) == {**first, **second}


@given(st.lists(st.binary(max_size=400), max_size=6))
def test_a_batch_holds_its_messages(messages: list[bytes]) -> None:
    body = b"".join(section(DATA, message) for message in messages)
    assert data_values(section(PROPERTIES, ["first"]) + body) == messages
    assert BATCH_FORMAT == 0x80013700


@pytest.mark.parametrize(
    "message",
    [
        section(HEADER, []) + section(HEADER, []),
        section(VALUE, 1) + section(VALUE, 1),
        section(VALUE, 1) + section(DATA, b""),
        section(DATA, b"") + section(SEQUENCE, []),
        section(FOOTER, {}) + section(DATA, b""),
        section(DATA, b"abc")[:-1],
        section(0x79, []),
        section(DATA, b"") + b"junk",
        b"\x00\x53",
        b"junk",
        encode_value(Described(Symbol("amqp:unheard-of:list"), [])),
        encode_value(Described(ULong(0x999), [])),
    ],
)
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(DecodeError):
        split_sections(message)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for message in (data, b"\x00\x53" + data, b"\x00\x53\x73\xc0" + data):
        try:
            parts = split_sections(message)
            list_fields(parts.properties, (0, 10))
            map_entries(parts.application_properties)
            data_values(message)
        except DecodeError:
            continue


def test_a_section_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(DecodeError):
        list_fields(section(PROPERTIES, {}), (0,))
    with pytest.raises(DecodeError):
        map_entries(section(APPLICATION_PROPERTIES, []))
    with pytest.raises(DecodeError):
        data_values(section(VALUE, b""))
    with pytest.raises(DecodeError):
        decode_request(section(APPLICATION_PROPERTIES, []))


@given(st.one_of(st.uuids(), st.integers(0, 2**64 - 1).map(ULong), _TEXT, st.binary(max_size=9)))
def test_a_response_refers_to_its_request_in_the_same_type(message_id: Value) -> None:
    request = decode_request(
        section(PROPERTIES, [message_id, None, None, None, "me"])
        + section(APPLICATION_PROPERTIES, {"operation": "x"})
        + section(VALUE, {"a": 1})
    )
    assert request == Request(message_id, "me", {"operation": "x"}, {"a": 1})
    response = encode_response(request.message_id, {"statusCode": Int(200)}, {})
    (correlation,) = list_fields(split_sections(response).properties, (5,))
    assert correlation == message_id
    assert type(correlation) is type(message_id)
