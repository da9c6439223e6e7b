"""More damage of the kind the conformance set has: the base message, one thing changed, in each encoding."""

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from cdsbridge.emulator.dataverse.wrappers import as_json_string, wrapped_bytes, wrapped_text
from cdsbridge.model.verdict import Outcome, Reason

from .conforming import ENCODINGS, flattened
from .nbfx import END, chars, element, name, xmlns
from .notation import exact, rewritten
from .test_conformance_invalid import base, check_rejection, differs_from_base

pytestmark = [pytest.mark.usefixtures("conformance"), pytest.mark.timeout(20)]
Change = Callable[[bytes], bytes]


def put(old: str | bytes, new: str | bytes) -> Change:
    """Return a change of one place, which must be there."""
    was, now = (each.encode() if isinstance(each, str) else each for each in (old, new))

    def changed(body: bytes) -> bytes:
        assert was in body
        return body.replace(was, now, 1)

    return changed


def matched(pattern: str, new: str) -> Change:
    def changed(body: bytes) -> bytes:
        found, count = re.subn(pattern.encode(), new.encode(), body)
        assert count
        return found

    return changed


def utf_16(body: bytes) -> bytes:
    return body.decode("utf-8").encode("utf-16")


def with_short_escapes(body: bytes) -> bytes:
    """Write JSON as Python does, but for numbers, which stay as they were."""
    return rewritten(exact(body), ascii_only=True).encode()


def number_for_key(body: bytes) -> bytes:
    """Put a number in place of the key, in binary XML."""
    return re.sub(rb"PrimaryEntityId\x99\$.{36}", b"PrimaryEntityId\x89\x05", body)


def xml_string(body: bytes) -> bytes:
    escaped = body.decode().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    space = "http://schemas.microsoft.com/2003/10/Serialization/"
    return f'<string xmlns="{space}">{escaped}</string>'.encode()


SAME: dict[str, tuple[str, Change]] = {
    "json: UTF-16": ("json", utf_16),
    "json: in a string": ("json", as_json_string),
    "json: in a string three times": (
        "json",
        lambda body: as_json_string(as_json_string(as_json_string(body))),
    ),
    "json: wrapped as text": ("json", wrapped_text),
    "json: wrapped as bytes": ("json", wrapped_bytes),
    "json: wrapped as text in UTF-8 with a mark": ("json", lambda body: wrapped_text(b"\xef\xbb\xbf" + body)),
    "json: wrapped as bytes in bytes": ("json", lambda body: wrapped_bytes(wrapped_bytes(body))),
    "json: blanks behind it": ("json", lambda body: body + b" \r\n"),
    "json: of shorter escapes": (
        "json",
        with_short_escapes,
    ),
    "xml: UTF-16": ("xml", utf_16),
    "xml: wrapped as text": ("xml", wrapped_text),
    "xml: wrapped as bytes": ("xml", wrapped_bytes),
    "xml: wrapped in XML": ("xml", xml_string),
    "xml: in a JSON string": ("xml", as_json_string),
    "xml: UTF-16 wrapped as bytes": ("xml", lambda body: wrapped_bytes(utf_16(body))),
    "xml: a declaration of another encoding inside text": (
        "xml",
        lambda body: wrapped_text(b'<?xml version="1.0" encoding="utf-16"?>' + body),
    ),
    "xml: a new member": ("xml", put("<Depth>", "<New><A>1</A><B/></New><Depth>")),
    "xml: a new attribute": ("xml", put("<Depth>", '<Depth x="1" i:x="2">')),
    "xml: blanks and comments": ("xml", matched("><(?!/a:|/Value|/Id)", ">\n<!-- -->\t<")),
    "xml: an empty element in two tags": (
        "xml",
        put("<RelatedEntities/>", "<RelatedEntities></RelatedEntities>"),
    ),
    "xml: CDATA": ("xml", put("Contoso Ärzte &amp; Co", "<![CDATA[Contoso Ärzte & Co]]>")),
    "xml: a number with blanks and sign": ("xml", put(">300<", "> +300\n<")),
    "xml: a truth value as 1": ("xml", put(">true</a:value>", ">1</a:value>")),
    "xml: an offset of zero": ("xml", put("07:00:39Z", "07:00:39+00:00")),
    "xml: an offset": ("xml", put("07:00:39Z", "09:30:39.000+02:30")),
    "xml: broken base64": ("xml", put("AAcOFRwj", "AAcO\n FRwj")),
    "bin: wrapped as bytes": ("bin", wrapped_bytes),
    "bin: comments": (
        "bin",
        lambda body: put(b"\x40\x05Depth", b"\x02\x03abc\x40\x05Depth")(body) + b"\x02\x00",
    ),
    "bin: an element with a prefix of words": (
        "bin",
        put(b"\x40\x05Depth\x83", b"\x41\x03abc\x05Depth\x09\x03abc\x01x\x83"),
    ),
    "bin: a text in pieces": ("bin", put(b"\x99\x0bline1\nline2", b"\x98\x05line1\x98\x01\n\x99\x05line2")),
    "bin: UTF-16": ("bin", put(b"\x99\x09Jim Glynn", b"\xb7\x12" + "Jim Glynn".encode("utf-16-le"))),
}
"""Unusual and sound: encoding of the base, and the change."""


@pytest.mark.parametrize(("encoding", "change"), SAME.values(), ids=list(SAME))
def test_what_is_unusual_and_sound_gives_the_rows_of_the_base(encoding: str, change: Change) -> None:
    changed = change(base(encoding))
    assert changed != base(encoding)
    assert differs_from_base(changed, encoding=encoding) == []


class Damage(NamedTuple):
    """A damage: to what, how, and how the body is rejected."""

    encoding: str
    change: Change
    reason: Reason
    where: str
    says: str


def appended(tail: bytes) -> Change:
    return lambda body: body + tail


BROKEN, WRONG, ALIEN = Reason.UNDECODABLE, Reason.BAD_VALUE, Reason.NOT_A_CONTEXT
DAMAGED: dict[str, Damage] = {
    "json: something behind it": Damage("json", appended(b"{}"), BROKEN, "byte 3687", "Extra data"),
    "json: a control character": Damage("json", put("Jim Glynn", "Jim\x01Glynn"), BROKEN, "byte", "JSON"),
    "json: Infinity": Damage("json", put('"Depth":1', '"Depth":Infinity'), BROKEN, "", "Infinity"),
    "json: a number with zeros before it": Damage(
        "json", put('"Depth":1', '"Depth":01'), BROKEN, "byte", "JSON"
    ),
    "json: a comma too many": Damage("json", put('"Depth":1', '"Depth":1,'), BROKEN, "byte", "JSON"),
    "json: attributes of no list": Damage(
        "json",
        matched(r'"Attributes":\[.*?\],"EntityState"', '"Attributes":5,"EntityState"'),
        WRONG,
        "Attributes",
        "list",
    ),
    "json: a Target of text": Damage(
        "json", put('"key":"Target","value":{', '"key":"Target","value":"","a":{'), WRONG, "Target", "record"
    ),
    "xml: another root": Damage("xml", lambda _: b"<html><body/></html>", ALIEN, "byte 0", "'html'"),
    "xml: another namespace": Damage(
        "xml",
        put('xmlns="http://schemas.microsoft.com/xrm/2011/', 'xmlns="http://schemas.microsoft.com/xrm/2012/'),
        ALIEN,
        "byte 0",
        "root",
    ),
    "xml: two roots": Damage("xml", appended(b"<a/>"), BROKEN, "byte", "well-formed"),
    "xml: no UTF-8": Damage("xml", put(b"Jim Glynn", b"Jim\xffGlynn"), BROKEN, "byte", "well-formed"),
    "xml: a member twice": Damage(
        "xml", put("<Mode>1</Mode>", "<Mode>1</Mode><Mode>1</Mode>"), WRONG, "context", "'Mode' stands twice"
    ),
    "xml: an attribute twice": Damage(
        "xml", put("<a:key>merged<", "<a:key>creditonhold<"), WRONG, "creditonhold", "twice"
    ),
    "xml: money of letters": Damage(
        "xml", put("12345.6700", "abc"), WRONG, "revenue.Value", "'abc' is no number"
    ),
    "xml: a whole number with a point": Damage(
        "xml", put(">300<", ">3.5<"), WRONG, "numberofemployees", "whole number"
    ),
    "xml: a truth value of letters": Damage(
        "xml", put(">true</a:value>", ">yes</a:value>"), WRONG, "creditonhold", "neither true nor false"
    ),
    "xml: a date of letters": Damage(
        "xml", put("2024-08-02T07:00:39Z", "yesterday"), WRONG, "modifiedon", "'yesterday'"
    ),
    "xml: a day that is none": Damage(
        "xml", put("2024-07-01T", "2024-02-30T"), WRONG, "lastusedincampaign", "no date"
    ),
    "xml: a date of JSON": Damage(
        "xml", put("2024-08-02T07:00:39Z", "/Date(0)/"), WRONG, "modifiedon", "no date"
    ),
    "xml: no base64": Damage("xml", put("AAcOFRwj", "AAcOFRw*"), WRONG, "entityimage", "base64"),
    "xml: a key that is no GUID": Damage(
        "xml", matched("<PrimaryEntityId>.{9}", "<PrimaryEntityId>x"), WRONG, "PrimaryEntityId", "GUID"
    ),
    "xml: elements in a number": Damage(
        "xml", put("<Depth>1<", "<Depth><a/>1<"), WRONG, "Depth", "not elements"
    ),
    "xml: text between pairs": Damage(
        "xml", put("<Attributes>", "<Attributes>text"), WRONG, "Attributes", "'text'"
    ),
    "xml: an entity nobody declared": Damage(
        "xml", put("Jim Glynn", "&jim;"), BROKEN, "byte", "undefined entity"
    ),
    "xml: money of letters, wrapped": Damage(
        "xml", lambda body: wrapped_text(put("12345.6700", "abc")(body)), WRONG, "revenue", "'abc'"
    ),
    "bin: something behind it": Damage(
        "bin", appended(b"\x40\x01a\x01"), BROKEN, "byte 5378", "behind the end"
    ),
    "bin: no end": Damage("bin", lambda body: body[:-1], BROKEN, "byte 5377", "ends inside"),
    "bin: a record of no type": Damage(
        "bin", put(b"\x83\x40\x2a", b"\xc3\x40\x2a"), BROKEN, "byte 232", "0xC3"
    ),
    "bin: a text of a dictionary": Damage(
        "bin", put(b"\x83\x40\x2a", b"\xab\x02\x40\x2a"), Reason.UNKNOWN_ENCODING, "byte 232", "dictionary"
    ),
    "bin: a decimal of 29 places": Damage(
        "bin", put(b"\x95\x00\x00\x04\x00", b"\x95\x00\x00\x1d\x00"), BROKEN, "byte", "scale or sign"
    ),
    "bin: a name that ends": Damage(
        "bin", put(b"\x40\x05Depth", b"\x40\xff\xff\xff\xff\x07Depth"), BROKEN, "byte", "ends inside"
    ),
    "bin: a length of 36 bits": Damage(
        "bin", put(b"\x40\x05Depth", b"\x40\xff\xff\xff\xff\x7fDepth"), BROKEN, "byte 226", "31 bits"
    ),
    "bin: bytes for a text": Damage(
        "bin", put(b"\x99\x09Jim Glynn", b"\x9f\x09Jim Glynn"), WRONG, "", "bytes"
    ),
    "bin: a number for a GUID": Damage("bin", number_for_key, WRONG, "PrimaryEntityId", "GUID"),
    "bin: wrapped in nothing": Damage(
        "bin", lambda _: wrapped_bytes(b""), ALIEN, "byte 0", "base64Binary that holds neither"
    ),
    "bin: wrapped four times": Damage(
        "bin",
        lambda body: wrapped_bytes(wrapped_bytes(wrapped_bytes(wrapped_bytes(body)))),
        Reason.TOO_LARGE,
        "byte 0",
        "wrapped more than 3 times",
    ),
    "bin: another wrapper": Damage(
        "bin",
        lambda _: element("int", xmlns("http://schemas.microsoft.com/2003/10/Serialization/"), chars("5")),
        ALIEN,
        "byte 0",
        "'int'",
    ),
    "bin: a wrapper of another namespace": Damage(
        "bin", lambda _: element("string", chars("{}")), ALIEN, "byte 0", "'string'"
    ),
    "bin: a wrapper with elements": Damage(
        "bin",
        lambda _: element(
            "string", xmlns("http://schemas.microsoft.com/2003/10/Serialization/"), element("a", END), END
        ),
        ALIEN,
        "byte 0",
        "'string'",
    ),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=list(DAMAGED))
def test_what_is_damaged_is_rejected_with_its_reason(damage: Damage) -> None:
    changed = damage.change(base(damage.encoding))
    flat = flattened([base(), changed, base()])
    check_rejection(flat.verdicts[1], None)
    verdict = flat.verdicts[1]
    assert (verdict.reason, damage.says in verdict.sentence) == (damage.reason, True), verdict
    assert damage.where in verdict.where
    assert [flat.verdicts[at].outcome for at in (0, 2)] == [Outcome.COMMITTED] * 2
    assert [each.records.num_rows for each in flat.tables] == [2]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_byte_changed_anywhere_gives_a_row_or_a_reason(encoding: str) -> None:
    whole = base(encoding)
    changed = [
        whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :]
        for at in range(0, len(whole), 5)
        for bits in (0x01, 0x80)
    ]
    flat = flattened(changed)
    assert len(flat.verdicts) == len(changed)
    for verdict in flat.verdicts:
        if verdict.outcome == Outcome.COMMITTED:
            assert verdict.rows == 1
        else:
            check_rejection(verdict, None)
    ends = [verdict.outcome for verdict in flat.verdicts]
    assert set(ends) == {Outcome.COMMITTED, Outcome.REJECTED}


def test_a_type_of_another_namespace_is_kept_as_it_came() -> None:
    foreign = '<a:value i:type="b:Fancy" xmlns:b="urn:fancy"><b:A>1</b:A><b:B/></a:value>'
    fancy = {"__type": "Fancy:urn:fancy", "A": "1", "B": ""}
    body = put(
        '<a:key>parentaccountid</a:key><a:value i:nil="true"/>', f"<a:key>parentaccountid</a:key>{foreign}"
    )
    assert differs_from_base(body(base("xml")), "parentaccountid", fancy) == []


def test_a_wrapper_in_binary_xml_may_split_its_bytes() -> None:
    whole = base()
    pieces = [whole[at : at + 100] for at in range(0, len(whole), 100)]
    records = b"".join(b"\x9e" + bytes([len(piece)]) + piece for piece in pieces)
    space = xmlns("http://schemas.microsoft.com/2003/10/Serialization/")
    assert differs_from_base(element("base64Binary", space, records, END), encoding="json") == []
    text = b"".join(b"\x98" + name(piece) for piece in pieces_of_text(whole.decode()))
    assert differs_from_base(element("string", space, text, END), encoding="json") == []


def pieces_of_text(text: str) -> list[str]:
    return [text[at : at + 50] for at in range(0, len(text), 50)]
