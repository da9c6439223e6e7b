"""Performatives: every field is written, absent ones are read as their defaults."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.emulator.amqp.decode import decode_value
from cdsbridge.emulator.amqp.encode import encode_value
from cdsbridge.emulator.amqp.endpoints import (
    Accepted,
    Error,
    Modified,
    Received,
    Rejected,
    Released,
    Source,
    Target,
)
from cdsbridge.emulator.amqp.errors import DecodeError, EncodeError
from cdsbridge.emulator.amqp.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    Performative,
    Transfer,
    decode_performative,
    encode_performative,
)
from cdsbridge.emulator.amqp.sasl import SaslInit, decode_init, mechanisms_frame, outcome_frame
from cdsbridge.emulator.amqp.types import SYMBOL_ARRAY, Array, Described, Symbol, UInt, ULong

_UINT = st.integers(0, 2**32 - 1)
_OUTCOMES = st.sampled_from(
    [
        Accepted(),
        Released(),
        Received(1, 2),
        Rejected(None),
        Rejected(Error("com.microsoft:dead-letter", "why", {Symbol("DeadLetterReason"): "x"})),
        Modified(True, False, {Symbol("a"): 1}),
    ]
)


def _made(
    cls: Callable[..., Performative], *fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Performative]:
    return st.tuples(*fields).map(lambda values: cls(*values))


_SOURCES = st.sampled_from([None, Source("q", filter={Symbol("f"): None}, outcomes=Array(SYMBOL_ARRAY, ()))])
_TARGETS = st.sampled_from([None, Target("q")])
_ERRORS = st.sampled_from([None, Error("a:b", "c", {}), Error("a:b", None, None)])
_MODES = st.integers(0, 2)
_PERFORMATIVES: st.SearchStrategy[Performative] = st.one_of(
    _made(Open, st.text(), st.none() | st.text(), _UINT, st.integers(0, 65535), st.none() | _UINT),
    _made(Begin, st.none() | st.integers(0, 65535), _UINT, _UINT, _UINT, _UINT),
    _made(Attach, st.text(), _UINT, st.booleans(), _MODES, _MODES, _SOURCES, _TARGETS),
    _made(Flow, st.none() | _UINT, _UINT, _UINT, _UINT, _UINT, _UINT, _UINT, _UINT, st.booleans()),
    _made(
        Transfer,
        _UINT,
        st.none() | _UINT,
        st.none() | st.binary(max_size=32),
        _UINT,
        st.booleans(),
        st.booleans(),
    ),
    _made(Disposition, st.booleans(), _UINT, st.none() | _UINT, st.booleans(), st.none() | _OUTCOMES),
    _made(Detach, _UINT, st.booleans(), _ERRORS),
    _made(End, _ERRORS),
    _made(Close, _ERRORS),
)


@given(_PERFORMATIVES, st.binary(max_size=20))
def test_a_performative_decodes_to_what_was_encoded_and_leaves_the_payload(
    performative: Performative, payload: bytes
) -> None:
    body = encode_performative(performative) + payload
    decoded, position = decode_performative(body)
    assert decoded == performative
    assert type(decoded) is type(performative)
    assert body[position:] == payload


@given(_PERFORMATIVES)
def test_every_field_is_written_behind_a_short_descriptor(performative: Performative) -> None:
    body = encode_performative(performative)
    assert body[:2] == b"\x00\x53"
    value: Any = decode_value(body)[0]
    assert len(value.value) == len(performative)


def test_an_error_is_written_with_three_fields() -> None:
    body = encode_performative(Detach(1, closed=True, error=Error("amqp:not-found")))
    value: Any = decode_value(body)[0]
    assert len(value.value[2].value) == 3


@pytest.mark.parametrize(
    ("descriptor", "fields", "expected"),
    [
        (ULong(0x10), ["me"], Open("me")),
        (Symbol("amqp:open:list"), ["me"], Open("me", max_frame_size=0xFFFFFFFF, channel_max=0xFFFF)),
        (ULong(0x14), [UInt(3)], Transfer(3, more=False)),
        (ULong(0x15), [True, UInt(3), None, None], Disposition(True, 3, None, False)),
        (ULong(0x12), ["n", UInt(0), True, None, None], Attach("n", 0, True, 2, 0)),
        (ULong(0x18), [], Close()),
    ],
)
def test_absent_and_null_fields_are_read_as_their_defaults(
    descriptor: object, fields: list[object], expected: Performative
) -> None:
    decoded, _ = decode_performative(encode_value(Described(descriptor, fields)))
    assert decoded == expected


@pytest.mark.parametrize(
    "value",
    [
        Described(ULong(0x10), []),
        Described(ULong(0x10), [5]),
        Described(ULong(0x18), [None, None]),
        Described(ULong(0x10), "me"),
        Described(ULong(0x99), []),
        Described(ULong(0x24), []),
        "open",
    ],
)
def test_what_is_no_performative_is_refused(value: object) -> None:
    with pytest.raises(DecodeError):
        decode_performative(encode_value(value))


def test_a_field_out_of_its_range_is_refused() -> None:
    with pytest.raises(EncodeError):
        encode_performative(Begin(70_000, 0, 0, 0))


@given(st.binary(max_size=100))
def test_any_bytes_are_a_performative_or_refused(data: bytes) -> None:
    try:
        performative, position = decode_performative(b"\x00\x53" + data)
    except DecodeError:
        return
    assert position <= len(data) + 2
    assert isinstance(performative, tuple)


def test_sasl_frames_have_the_form_clients_read() -> None:
    assert mechanisms_frame("PLAIN", "EXTERNAL").hex() == (
        "0000002102010000" + "005340" + "c01401" + "e01102a3" + "05504c41494e" + "0845585445524e414c"
    )
    assert outcome_frame(0)[8:].startswith(bytes.fromhex("005344c0"))


def test_a_sasl_init_is_read_and_another_frame_refused() -> None:
    init = encode_value(Described(ULong(0x41), [Symbol("PLAIN"), b"\0user\0key"]))
    assert decode_init(init) == SaslInit("PLAIN", b"\0user\0key")
    with pytest.raises(DecodeError):
        decode_init(encode_value(Described(ULong(0x44), [None])))
    with pytest.raises(DecodeError):
        decode_init(encode_value("PLAIN"))
