"""Text XML: encodings, what may stand between elements, what is refused, and characters that XML forbids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.model.errors import MessageRejected
from cdsbridge.transforms.encodings import open_body
from cdsbridge.transforms.infoset import Element
from cdsbridge.transforms.rules import Limits
from cdsbridge.transforms.xml_reader import read_xml

from .nbfx import SDK, XSI

FORBIDDEN = [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF]
ALLOWED = st.characters(
    exclude_categories=["Cs"], exclude_characters="".join(map(chr, [*FORBIDDEN, 13, *range(0xFDD0, 0xFDF0)]))
)


def read(text: str | bytes, limits: Limits | None = None) -> Element:
    return read_xml(text.encode() if isinstance(text, str) else text, limits or Limits()).root


def refused(text: str | bytes, says: str, reason: str = "undecodable", limits: Limits | None = None) -> str:
    """See a document refused with a sentence; return where."""
    with pytest.raises(MessageRejected) as found:
        read(text, limits)
    assert (found.value.reason, says in found.value.sentence) == (reason, True), found.value.sentence
    return found.value.where


def body(inside: str = "") -> str:
    return f'<RemoteExecutionContext xmlns="{SDK}" xmlns:i="{XSI}">{inside}</RemoteExecutionContext>'


CONTEXT = body("<MessageName>Grün 漢</MessageName>")
SENT = {
    "plain": CONTEXT.encode(),
    "UTF-8 with a mark": CONTEXT.encode("utf-8-sig"),
    "a declaration": b'<?xml version="1.0" encoding="utf-8"?>' + CONTEXT.encode(),
    "a mark and a declaration": b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    + CONTEXT.encode(),
    "UTF-16": CONTEXT.encode("utf-16"),
    "UTF-16, big end first": "\ufeff".encode("utf-16-be") + CONTEXT.encode("utf-16-be"),
    "UTF-16 with a declaration": f'<?xml version="1.0" encoding="utf-16"?>{CONTEXT}'.encode("utf-16"),
    "blanks before it": b"\r\n\t " + CONTEXT.encode(),
    "a comment before it": b"<!-- a > b --><?a b?>" + CONTEXT.encode(),
    "a comment behind it": CONTEXT.encode() + b"<!-- a --> <?a b?>\n",
    "character references": CONTEXT.encode("ascii", "xmlcharrefreplace"),
    "CDATA": CONTEXT.replace("Grün 漢", "<![CDATA[Grün]]> <![CDATA[漢]]>").encode(),
    "a comment in the text": CONTEXT.replace("Grün", "Gr<!-- x -->ün<?a b?>").encode(),
    "blanks between elements": CONTEXT.replace("><", ">\n  <!-- x --> <").encode(),
    "single quotes": CONTEXT.replace('"', "'").encode(),
    "other prefixes": CONTEXT.replace('xmlns="', 'xmlns:q="')
    .replace("<R", "<q:R").replace("</R", "</q:R").replace("<M", "<q:M").replace("</M", "</q:M").encode(),
}  # fmt: skip


@pytest.mark.parametrize("sent", SENT.values(), ids=list(SENT))
def test_a_context_is_read_however_it_is_written(sent: bytes) -> None:
    opened = open_body(sent, Limits())
    assert (opened.encoding, opened.wrappers) == ("text XML", ())
    assert opened.tree == {"MessageName": "Grün 漢"}


def test_a_declared_encoding_is_used() -> None:
    sent = '<?xml version="1.0" encoding="iso-8859-1"?><a>é</a>'.encode("latin-1")
    assert read(sent).text == "é"
    assert read('<?xml version="1.0" encoding="windows-1252"?><a>€</a>'.encode("cp1252")).text == "€"


@pytest.mark.parametrize("encoding", ["nosuch", "utf-7", "x" * 300, "base64", "rot13"])
def test_an_encoding_that_is_not_known_is_refused(encoding: str) -> None:
    refused(f'<?xml version="1.0" encoding="{encoding}"?><a>b</a>', "")


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE a>",
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE a [<!ENTITY b "c">]>',
        '<!DOCTYPE a [<!ENTITY % b SYSTEM "http://127.0.0.1/"> %b;]>',
        '<!DOCTYPE a [<!ATTLIST a xmlns CDATA "urn:x">]>',
    ],
)
def test_a_document_type_is_refused_unread(doctype: str) -> None:
    for before in ("", "<?xml version='1.0'?>", "<!-- x -->"):
        where = refused(f"{before}{doctype}<a>&b;</a>", "document type declaration")
        assert len(before) <= int(where.removeprefix("byte ")) <= len(before + doctype)


@pytest.mark.parametrize(
    "broken",
    [
        *(
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>text",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<a>&nosuch;</a>",
            "<a>&</a>",
        ),
        *(
            "<a><</a>",
            "<>",
            "<a",
            "<!-- x",
            "<a><![CDATA[x</a>",
            "<a>\x01</a>",
            "<a>]]></a>",
            "<1/>",
            "<a b/>",
        ),
        *("<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#;</a>", "<a>&#0</a>", "<a><?xml version='1.0'?></a>"),
    ],
)
def test_what_is_no_xml_is_refused_with_its_place(broken: str) -> None:
    where = refused(broken, "the text XML is not well-formed")
    assert 0 <= int(where.removeprefix("byte ")) <= len(broken)


@pytest.mark.parametrize("broken", [b"<a>\xff</a>", b"<a>\xed\xa0\x80</a>", b"<a>\xc3</a>", b"<a b='\x80'/>"])
def test_bytes_that_are_no_utf_8_are_refused(broken: bytes) -> None:
    refused(broken, "not well-formed")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<p:a/>", "prefix 'p' is not declared"),
        ("<a><p:b/></a>", "prefix 'p' is not declared"),
        ("<a p:b='1'/>", "prefix 'p' is not declared"),
        (f"<a xmlns:i='{XSI}' i:type='p:int'/>", "prefix 'p' is not declared"),
        ("<a><b xmlns:p='urn:x'/><p:c/></a>", "prefix 'p' is not declared"),
    ],
)
def test_prefixes_must_be_declared(text: str, says: str) -> None:
    refused(text, says)


def test_types_are_told_by_namespaces_and_not_by_prefixes() -> None:
    one, two = (
        read(f"<a xmlns:{p}='{XSI}' xmlns:{q}='urn:x' {p}:type='{q}:int' {p}:nil='true'/>")
        for p, q in (("i", "b"), ("xsi", "i"))
    )
    assert (one.type, one.space, one.nil) == (two.type, two.space, two.nil) == ("int", "urn:x", True)
    other = read("<a xmlns:i='urn:y' i:type='int' i:nil='true' type='x'/>")
    assert (other.type, other.nil) == ("", False)


@pytest.mark.parametrize(
    ("text", "nil"), [("true", True), ("1", True), (" true ", True), ("false", False), ("", False)]
)
def test_nil_is_what_schema_says(text: str, nil: bool) -> None:
    assert read(f"<a xmlns:i='{XSI}' i:nil='{text}'/>").nil is nil


@pytest.mark.parametrize("code", FORBIDDEN)
def test_characters_that_xml_forbids_are_read_from_references(code: int) -> None:
    for reference in (f"&#{code};", f"&#x{code:x};", f"&#x{code:06X};"):
        root = read(f"<a>{reference}x{reference}<b>é{reference}</b></a>")
        assert root.text == f"{chr(code)}x{chr(code)}"
        assert (root.children or [])[0].text == f"é{chr(code)}"


def test_every_forbidden_character_at_once_keeps_its_place() -> None:
    text = "".join(f"&#{code};" for code in FORBIDDEN)
    assert read(f"<a>{text}</a>").text == "".join(map(chr, FORBIDDEN))


@pytest.mark.parametrize(
    "beside", ["<!-- x -->", "<![CDATA[&#0;]]>", "&#xFDD0;", "&#64976;", "\ufdd0", "\ufdef"]
)
def test_nothing_is_guessed_where_a_stand_in_might_be_meant(beside: str) -> None:
    refused(f"<a>&#0;{beside}</a>", "reference to invalid character number")
    assert read(f"<a>{beside}</a>").text is not None or beside.startswith("<!--")


def test_the_stand_ins_themselves_are_texts_like_others() -> None:
    assert read("<a>\ufdd0&#xFDD1;</a>").text == "\ufdd0\ufdd1"


@given(st.text(ALLOWED, max_size=40))
def test_texts_come_back(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;")
    root = read(f"<a>{escaped}</a>")
    assert (root.text or "") == text


@given(st.lists(st.sampled_from([*map(chr, FORBIDDEN), "a", "\r", "é", "😀"]), max_size=12))
def test_texts_with_forbidden_characters_come_back(characters: list[str]) -> None:
    written = "".join(each if each in "aé😀" else f"&#x{ord(each):X};" for each in characters)
    assert (read(f"<a>{written}</a>").text or "") == "".join(characters)


def test_limits_say_which_they_are() -> None:
    deep = "<a>" * 6 + "</a>" * 6
    assert read(deep, Limits(nesting=6)).name == "a"
    assert refused(deep, "deeper than 5, the limit `nesting`", "too-large", Limits(nesting=5)) == "byte 18"
    wide = f"<a>{'<b/>' * 4}</a>"
    assert len(read(wide, Limits(elements=5)).children or ()) == 4
    refused(wide, "more than 4 elements, the limit `elements`", "too-large", Limits(elements=4))
    many = "<a b0='x' b1='x' b2='x' b3='x' b4='x'/>"
    assert read(many, Limits(element_attributes=5)).name == "a"
    refused(
        many,
        "more than 4 attributes, the limit `element_attributes`",
        "too-large",
        Limits(element_attributes=4),
    )


def test_more_prefixes_than_anybody_needs_are_too_many() -> None:
    declared = "".join(f"<a xmlns:p{at}='x' xmlns:q{at}='x'>" for at in range(140))
    refused(declared, "prefixes are declared", "too-large", Limits(nesting=160))


def test_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10**6))
    monkeypatch.setattr("cdsbridge.transforms.infoset.time.monotonic", lambda: float(next(now)))
    long_one = f"<a>{'<b/>' * 5_000}</a>"
    refused(long_one, "longer than 3 seconds, the limit `seconds`", "too-large", Limits(seconds=3))


@pytest.mark.parametrize("depth", [161, 10_000, 200_000])
def test_nesting_without_end_is_too_deep(depth: int) -> None:
    refused("<a>" * depth, "the limit `nesting`", "too-large")
