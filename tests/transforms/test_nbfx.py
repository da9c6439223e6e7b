"""Records of .NET binary XML: every type, every way to spell a length, and every way to be wrong."""

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.model.errors import MessageRejected
from cdsbridge.transforms.rules import Limits

from .nbfx import END, XSI, attribute, chars, element, length, name, read, text_of, xmlns

KEY = UUID("7c68b453-7dfb-4a2d-ad42-56a5dcbfab7f")
TICKS = 638_000_000_000_000_001
UTF16 = "漢字".encode("utf-16-le")

TEXTS: dict[str, tuple[int, bytes, str | bytes]] = {
    "Zero": (0x80, b"", "0"),
    "One": (0x82, b"", "1"),
    "False": (0x84, b"", "false"),
    "True": (0x86, b"", "true"),
    "Int8": (0x88, b"\x80", "-128"),
    "Int16": (0x8A, struct.pack("<h", -32768), "-32768"),
    "Int32": (0x8C, struct.pack("<i", 2**31 - 1), "2147483647"),
    "Int64": (0x8E, struct.pack("<q", -(2**63)), "-9223372036854775808"),
    "Float": (0x90, struct.pack("<f", 0.5), "0.5"),
    "Double": (0x92, struct.pack("<d", 0.1), "0.1"),
    "a large Double": (0x92, struct.pack("<d", 1e300), "1E+300"),
    "NaN": (0x92, struct.pack("<d", float("nan")), "NaN"),
    "minus infinity": (0x92, struct.pack("<d", float("-inf")), "-INF"),
    "Decimal": (0x94, struct.pack("<HBBIII", 0, 4, 0x80, 0, 123_4500, 0), "-123.4500"),
    "a Decimal of 96 bits": (
        0x94,
        struct.pack("<HBBIII", 0, 28, 0, *[2**32 - 1] * 3),
        "7.9228162514264337593543950335",
    ),
    "DateTime, unmarked": (0x96, struct.pack("<Q", TICKS), "2022-09-28T22:13:20.0000001"),
    "DateTime, UTC": (0x96, struct.pack("<Q", TICKS | 1 << 62), "2022-09-28T22:13:20.0000001Z"),
    "DateTime, local": (0x96, struct.pack("<Q", TICKS | 2 << 62), "2022-09-28T22:13:20.0000001Z"),
    "Chars8": (0x98, b"\x02\xc3\xa9", "é"),
    "Chars16": (0x9A, b"\x02\x00\xc3\xa9", "é"),
    "Chars32": (0x9C, b"\x02\x00\x00\x00\xc3\xa9", "é"),
    "Bytes8": (0x9E, b"\x02\x00\xff", b"\x00\xff"),
    "Bytes16": (0xA0, b"\x02\x00\x00\xff", b"\x00\xff"),
    "Bytes32": (0xA2, b"\x02\x00\x00\x00\x00\xff", b"\x00\xff"),
    "Empty": (0xA8, b"", ""),
    "UniqueId": (0xAC, KEY.bytes_le, f"urn:uuid:{KEY}"),
    "TimeSpan": (0xAE, struct.pack("<q", -864_000_000_001), "-P1DT0.0000001S"),
    "Uuid": (0xB0, KEY.bytes_le, str(KEY)),
    "UInt64": (0xB2, b"\xff" * 8, str(2**64 - 1)),
    "Bool false": (0xB4, b"\x00", "false"),
    "Bool true": (0xB4, b"\x01", "true"),
    "UnicodeChars8": (0xB6, bytes([len(UTF16)]) + UTF16, "漢字"),
    "UnicodeChars16": (0xB8, struct.pack("<H", len(UTF16)) + UTF16, "漢字"),
    "UnicodeChars32": (0xBA, struct.pack("<I", len(UTF16)) + UTF16, "漢字"),
}
"""Record type without end, what follows it, and the text it stands for."""

DICTIONARY = [0xAA, 0xAB, 0xBC, 0xBD]
KNOWN = {kind for kind, _, _ in TEXTS.values()}
NO_TEXT = sorted({*range(0x80, 0x100)} - KNOWN - {kind | 1 for kind in KNOWN} - {*DICTIONARY})


@pytest.mark.parametrize(("kind", "rest", "text"), TEXTS.values(), ids=list(TEXTS))
def test_every_text_record_is_read_in_an_element(kind: int, rest: bytes, text: str | bytes) -> None:
    assert text_of(bytes([kind]) + rest) == text
    assert text_of(bytes([kind | 1]) + rest) == text


@pytest.mark.parametrize(("kind", "rest", "text"), TEXTS.values(), ids=list(TEXTS))
def test_every_text_record_is_read_in_an_attribute(kind: int, rest: bytes, text: str | bytes) -> None:
    sent = element("a", xmlns(XSI, "i"), attribute("nil", bytes([kind]) + rest, "i"), END)
    assert read(sent).nil == (text in {"true", "1"})


@pytest.mark.parametrize(("kind", "rest", "text"), TEXTS.values(), ids=list(TEXTS))
def test_every_text_record_cut_off_is_said_to_end(kind: int, rest: bytes, text: str | bytes) -> None:
    for size in range(len(rest)):
        refused(element("a", bytes([kind | 1]) + rest[:size]), "ends inside a record")


def refused(sent: bytes, says: str, reason: str = "undecodable", limits: Limits | None = None) -> str:
    """See a document refused with a sentence; return where."""
    with pytest.raises(MessageRejected) as found:
        read(sent, limits)
    assert (found.value.reason, says in found.value.sentence) == (reason, True), found.value.sentence
    return found.value.where


@pytest.mark.parametrize("kind", DICTIONARY)
def test_words_of_a_dictionary_are_refused_by_their_record(kind: int) -> None:
    assert (
        refused(element("a", bytes([kind]), b"\x02\x02\x02\x02"), f"0x{kind:02X}", "unknown-encoding")
        == "byte 3"
    )


@pytest.mark.parametrize("kind", [0x42, 0x43, *range(0x44, 0x5E)])
def test_elements_of_a_dictionary_are_refused_by_their_record(kind: int) -> None:
    where = refused(element("a", bytes([kind]), b"\x02\x01\x01"), f"0x{kind:02X}", "unknown-encoding")
    assert where == "byte 3"


@pytest.mark.parametrize("kind", [0x06, 0x07, 0x0A, 0x0B, *range(0x0C, 0x26)])
def test_attributes_of_a_dictionary_are_refused_by_their_record(kind: int) -> None:
    sent = element("a", bytes([kind]), b"\x02\x02", chars("x", False), END)
    assert refused(sent, f"0x{kind:02X}", "unknown-encoding") == "byte 3"


@pytest.mark.parametrize("kind", [*NO_TEXT, 0x00, *range(0x78, 0x80)])
def test_records_that_are_none_are_refused_by_their_type(kind: int) -> None:
    assert refused(element("a", bytes([kind]), b"\x01\x01\x01"), f"0x{kind:02X}") == "byte 3"


@pytest.mark.parametrize(
    ("kind", "rest", "says"),
    [
        (0x98, b"\x01\xff", "not UTF-8"),
        (0x99, b"\x01\xff", "not UTF-8"),
        (0x9A, b"\x01\x00\xff", "not UTF-8"),
        (0x99, b"\x03\xed\xa0\x80", "not UTF-8"),
        (0xB6, b"\x01\x00", "not UTF-16"),
        (0xB8, b"\x02\x00\x3d\xd8", "not UTF-16"),
        (0x94, struct.pack("<HBBIII", 0, 29, 0, 0, 1, 0), "scale or sign"),
        (0x94, struct.pack("<HBBIII", 0, 0, 1, 0, 1, 0), "scale or sign"),
        (0x96, struct.pack("<Q", 3 << 62), "of no kind"),
        (0x96, struct.pack("<Q", 3_155_378_976_000_000_000), "years 1 to 9999"),
        (0xB4, b"\x02", "neither 0 nor 1"),
    ],
)
def test_a_record_that_holds_what_it_must_not_is_refused(kind: int, rest: bytes, says: str) -> None:
    where = refused(element("abc", bytes([kind | 1]) + rest), says)
    assert 5 <= int(where.removeprefix("byte ")) <= 10


def test_the_last_instant_is_read() -> None:
    assert text_of(b"\x97" + struct.pack("<Q", 3_155_378_975_999_999_999)) == "9999-12-31T23:59:59.9999999"


@given(st.integers(0, 3_155_378_975_999_999_999), st.sampled_from([0, 1, 2]))
def test_dates_are_what_the_calendar_says(ticks: int, kind: int) -> None:
    text = str(text_of(b"\x97" + struct.pack("<Q", ticks | kind << 62)))
    moment = datetime(1, 1, 1) + timedelta(microseconds=ticks // 10)
    whole, _, part = text.removesuffix("Z").partition(".")
    assert whole == moment.replace(microsecond=0).isoformat()
    assert int(part.ljust(7, "0")) == ticks % 10_000_000
    assert text.endswith("Z") == bool(kind)


@given(st.integers(0, 2**96 - 1), st.integers(0, 28), st.booleans())
def test_decimals_keep_every_digit(number: int, scale: int, negative: bool) -> None:
    parts = (number >> 64, number & (2**32 - 1), number >> 32 & (2**32 - 1))
    text = str(text_of(b"\x95" + struct.pack("<HBBIII", 0, scale, 0x80 if negative else 0, *parts)))
    digits = tuple(map(int, str(number)))
    assert Decimal(text).compare_total(Decimal((int(negative and number > 0), digits, -scale))) == 0


@given(st.floats(width=64))
def test_doubles_read_back_as_themselves(value: float) -> None:
    text = str(text_of(b"\x93" + struct.pack("<d", value)))
    assert struct.pack("<d", float(text.replace("INF", "inf"))) == struct.pack("<d", value) or value != value


@given(
    st.text(max_size=300).filter(
        lambda text: text.isascii() or text.encode("utf-8", "ignore").decode() == text
    )
)
def test_texts_come_back_in_every_record_that_holds_them(text: str) -> None:
    utf8, utf16 = text.encode(), text.encode("utf-16-le")
    records = [(0x9B, "<H", utf8), (0x9D, "<I", utf8), (0xB9, "<H", utf16), (0xBB, "<I", utf16)]
    records += [(0x99, "<B", utf8)] if len(utf8) < 256 else []
    for kind, size, encoded in records:
        assert text_of(bytes([kind]) + struct.pack(size, len(encoded)) + encoded) == text


def test_a_text_in_pieces_is_one_text() -> None:
    assert read(element("a", chars("x", False), b"\x80", chars("y", False), END)).text == "x0y"
    assert read(element("a", chars("x", False), b"\x02" + name("no text"), chars("y"))).text == "xy"


def test_bytes_in_pieces_are_one_run_of_bytes() -> None:
    pieces = b"\x9e\x03abc" + b"\x9e\x03def" + b"\x9f\x01g"
    assert read(element("a", pieces)).text == b"abcdefg"


ARRAYS: dict[str, tuple[int, str, list[object], list[str]]] = {
    "Bool": (0xB5, "<?", [True, False], ["true", "false"]),
    "Int16": (0x8B, "<h", [1, -2], ["1", "-2"]),
    "Int32": (0x8D, "<i", [1, 2, 300], ["1", "2", "300"]),
    "Int64": (0x8F, "<q", [2**40], [str(2**40)]),
    "Float": (0x91, "<f", [0.5, -1.5], ["0.5", "-1.5"]),
    "Double": (0x93, "<d", [0.1], ["0.1"]),
    "DateTime": (0x97, "<Q", [TICKS], ["2022-09-28T22:13:20.0000001"]),
    "TimeSpan": (0xAF, "<q", [0], ["PT0S"]),
    "Uuid": (0xB1, "<16s", [KEY.bytes_le], [str(KEY)]),
    "Decimal": (0x95, "<16s", [struct.pack("<HBBIII", 0, 1, 0, 0, 15, 0)], ["1.5"]),
    "nothing": (0x8D, "<i", [], []),
}


def array(item: bytes, kind: int, layout: str, values: list[object]) -> bytes:
    packed = b"".join(struct.pack(layout, value) for value in values)
    return b"\x03" + item + END + bytes([kind]) + length(len(values)) + packed


@pytest.mark.parametrize(("kind", "layout", "values", "texts"), ARRAYS.values(), ids=list(ARRAYS))
def test_an_array_is_an_element_for_every_item(
    kind: int, layout: str, values: list[object], texts: list[str]
) -> None:
    root = read(element("a", array(element("b"), kind, layout, values), element("c", chars("x")), END))
    assert [(child.name, child.text) for child in root.children or ()] == [
        *(("b", each) for each in texts),
        ("c", "x"),
    ]


def test_items_of_an_array_have_the_attributes_of_its_element() -> None:
    item = element("b", xmlns(XSI, "i"), attribute("nil", b"\x86", "i"))
    root = read(element("a", array(item, 0x8D, "<i", [1, 2]), END))
    assert [(child.nil, child.text) for child in root.children or ()] == [(True, "1"), (True, "2")]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"\x03" + chars("x") + END, "does not begin with an element"),
        (b"\x03" + element("b") + b"\x8d\x01" + b"\x00" * 4, "not of one element and one type"),
        (b"\x03" + element("b") + END + b"\x8c\x01" + b"\x00" * 4, "not of one element and one type"),
        (b"\x03" + element("b") + END + b"\x99\x01\x01a", "not of one element and one type"),
        (b"\x03" + element("b") + END + b"\x8d\x02" + b"\x00" * 4, "ends inside a record"),
        (b"\x03" + element("b") + END + b"\x8d\xff\xff\xff\xff\x07", "ends inside a record"),
        (b"\x03" + element("b") + END + b"\xb5\x01\x02", "neither 0 nor 1"),
    ],
)
def test_an_array_that_is_none_is_refused(sent: bytes, says: str) -> None:
    refused(element("a", sent, END), says)


@pytest.mark.parametrize("number", [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 70_000])
def test_lengths_take_seven_bits_a_byte(number: int) -> None:
    assert len(read(element("x" * number, END)).name) == number


@pytest.mark.parametrize(
    "long_one", [b"\x81\x00", b"\x81\x80\x00", b"\x81\x80\x80\x00", b"\x81\x80\x80\x80\x00"]
)
def test_a_length_may_take_more_bytes_than_it_needs(long_one: bytes) -> None:
    assert read(b"\x40" + long_one + b"a" + END).name == "a"


@pytest.mark.parametrize(
    "wrong", [b"\xff\xff\xff\xff\x08", b"\xff\xff\xff\xff\xff\x01", b"\x80\x80\x80\x80\x80\x00"]
)
def test_a_length_beyond_31_bits_is_refused(wrong: bytes) -> None:
    assert refused(b"\x40" + wrong + b"a" + END, "31 bits") == "byte 1"


PREFIXES: list[Callable[[str], bytes]] = [
    lambda local: element(local, xmlns("urn:x"), END),
    lambda local: element(local, xmlns("urn:x", "p"), END, prefix="p"),
    lambda local: element(local, xmlns("urn:x", "long"), END, prefix="long"),
    lambda local: element(local, xmlns("urn:x", "z"), END, prefix="z"),
]


@pytest.mark.parametrize("made", PREFIXES)
def test_names_may_have_prefixes_of_any_length(made: Callable[[str], bytes]) -> None:
    assert read(made("local")).name == "local"


@pytest.mark.parametrize("prefix", ["a", "z", "long"])
def test_a_prefix_that_is_not_declared_is_refused(prefix: str) -> None:
    refused(element("a", END, prefix=prefix), "not declared")


def test_types_are_resolved_where_they_stand() -> None:
    kind = attribute("type", chars("b:int", False), "i")
    root = read(element("a", xmlns(XSI, "i"), kind, xmlns("urn:x", "b"), END))
    assert (root.type, root.space) == ("int", "urn:x")
    by_long_prefix = element("a", xmlns(XSI, "xsi"), attribute("type", chars("int", False), "xsi"), END)
    assert (read(by_long_prefix).type, read(by_long_prefix).space) == ("int", "")
    refused(element("a", xmlns(XSI, "i"), kind, END), "prefix 'b' is not declared")


def test_an_attribute_twice_is_refused() -> None:
    refused(element("a", attribute("b", b"\x80"), attribute("b", b"\x80"), END), "stands twice")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "ends inside a record"),
        (END, "0x01"),
        (chars("x"), "0x99"),
        (element("a"), "ends inside a record"),
        (element("a", element("b", END)), "ends inside a record"),
        (element("a", END, END), "behind the end"),
        (element("a", END) * 2, "behind the end"),
        (element("a", chars("x"), b"\x80"), "behind the end"),
        (b"\x40\x05abc", "ends inside a record"),
        (b"\x40\x02\xff\xfe\x01", "not UTF-8"),
        (element("a", b"\x02\x05abc"), "ends inside a record"),
    ],
)
def test_what_is_no_document_is_refused(sent: bytes, says: str) -> None:
    refused(sent, says)


def test_comments_may_stand_behind_the_root_and_between_elements() -> None:
    comment = b"\x02" + name("a comment")
    root = read(element("a", comment, element("b", comment, chars("x")), comment, END) + comment)
    assert [(child.name, child.text) for child in root.children or ()] == [("b", "x")]


def test_limits_say_which_they_are() -> None:
    deep = b"\x40\x01a" * 6 + END * 6
    assert read(deep, Limits(nesting=6)).name == "a"
    refused(deep, "deeper than 5, the limit `nesting`", "too-large", Limits(nesting=5))
    wide = element("a", element("b", END) * 4, END)
    assert len(read(wide, Limits(elements=4)).children or ()) == 4
    refused(wide, "more than 3 elements, the limit `elements`", "too-large", Limits(elements=3))
    items = element("a", array(element("b"), 0x8D, "<i", list(range(10))), END)
    assert len(read(items, Limits(elements=10)).children or ()) == 10
    refused(items, "the limit `elements`", "too-large", Limits(elements=9))
    many = element("a", *(attribute(f"b{at}", b"\x80") for at in range(5)), END)
    assert read(many, Limits(element_attributes=5)).name == "a"
    refused(
        many,
        "more than 4 attributes, the limit `element_attributes`",
        "too-large",
        Limits(element_attributes=4),
    )


def test_a_huge_length_is_refused_without_taking_it() -> None:
    for kind in (0x9C, 0xA2, 0xBA):
        refused(element("a", bytes([kind]), struct.pack("<I", 2**31 - 1), b"abc"), "ends inside a record")


def test_local_dates_are_read_as_their_utc_ticks() -> None:
    ticks = (datetime(2024, 8, 2, 7, 0, 39, tzinfo=UTC) - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    assert text_of(b"\x97" + struct.pack("<Q", 10 * ticks | 2 << 62)) == "2024-08-02T07:00:39Z"
