"""Binary XML that others published: refused for its dictionary, read once its words are spelled out."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cdsbridge.model.errors import MessageRejected
from cdsbridge.model.verdict import Outcome, Reason
from cdsbridge.transforms.infoset import Element
from cdsbridge.transforms.nbfx_reader import read_nbfx
from cdsbridge.transforms.rules import Limits

from .conforming import flattened
from .conftest import CONFORMANCE
from .nbfx import name

pytestmark = [pytest.mark.usefixtures("conformance"), pytest.mark.timeout(20)]
VECTORS = sorted((CONFORMANCE / "nbfx").glob("*.bin")) or [Path("no conformance set")]
WORDS: Mapping[int, str] = {
    0x00: "mustUnderstand",
    0x02: "Envelope",
    0x04: "http://www.w3.org/2003/05/soap-envelope",
    0x06: "http://www.w3.org/2005/08/addressing",
    0x08: "Header",
    0x0A: "Action",
    0x0C: "To",
    0x0E: "Body",
    0x14: "http://www.w3.org/2005/08/addressing/anonymous",
    0x1A: "MessageID",
    0x1C: "Id",
    0x2A: "Address",
    0x2C: "ReplyTo",
    0x66: "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
}
"""Words of the static dictionary that stand in the vectors ([MC-NBFS] 2.2)."""

SIZES: Mapping[int, int] = {
    **dict.fromkeys((0x80, 0x82, 0x84, 0x86, 0xA8), 0),
    0x88: 1,
    0x8A: 2,
    0x8C: 4,
    0x8E: 8,
    0xAC: 16,
    0xB0: 16,
    0xB4: 1,
}


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_a_body_with_a_dictionary_is_refused_by_its_record(path: Path) -> None:
    sent = path.read_bytes()
    (verdict,) = flattened([sent]).verdicts
    assert (verdict.outcome, verdict.reason) == (Outcome.REJECTED, Reason.UNKNOWN_ENCODING)
    assert verdict.where == "byte 0"
    assert f"record type 0x{sent[0]:02X}" in verdict.sentence
    assert "dictionary" in verdict.sentence


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_it_is_refused_wherever_the_first_word_of_a_dictionary_stands(path: Path) -> None:
    spelled, places = spell_out(path.read_bytes())
    for at, word in places:
        sent = spelled[:at] + word + spelled[at:]
        with pytest.raises(MessageRejected) as found:
            read_nbfx(sent, Limits())
        assert (found.value.reason, found.value.where) == (Reason.UNKNOWN_ENCODING, f"byte {at}")


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_with_its_words_spelled_out_it_is_read(path: Path) -> None:
    document = read_nbfx(spell_out(path.read_bytes())[0], Limits())
    assert document.root.name == "Envelope"
    assert document.space == WORDS[0x04]
    assert len(list(every(document.root))) >= 3


def test_the_vector_with_an_xml_beside_it_is_that_xml(conformance: Path) -> None:
    binary = conformance / "nbfx" / "ernw_wcfbin_doc_example.bin"
    root = read_nbfx(spell_out(binary.read_bytes())[0], Limits()).root
    tree = ET.parse(binary.with_suffix(".xml")).getroot()
    assert list(in_order(root)) == [
        (element.tag.rpartition("}")[2], words(element.text)) for element in tree.iter()
    ]


def every(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children or ():
        yield from every(child)


def in_order(root: Element) -> Iterator[tuple[str, list[str]]]:
    for element in every(root):
        assert not isinstance(element.text, bytes)
        yield element.name, words(element.text)


def words(text: str | None) -> list[str]:
    """Return a text without blanks around words, in which the vectors differ."""
    return re.sub(r"\s+", " ", text or "").split()


def spell_out(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Return a document with plain records for those of the dictionary.

    Beside it: the places in it where such a record stood, and the record.
    """
    out, places, at = bytearray(), [], 0
    while at < len(data):
        record = data[at]
        if 0x44 <= record <= 0x5D or 0x0C <= record <= 0x25 or record in {0x0B, 0xAA, 0xAB, 0x42, 0x06, 0x0A}:
            start = at
            head, at = (data[at : at + 1], at + 1)
            if record == 0x0B:
                size = data[at]
                head, at = data[start : at + 1 + size], at + 1 + size
            number, at = multi_byte(data, at)
            places.append((len(out), data[start:at]))
            out += plain(head, WORDS.get(number, f"word{number}"))
        else:
            end = behind(data, at)
            out += data[at:end]
            at = end
    return bytes(out), places


def multi_byte(data: bytes, at: int) -> tuple[int, int]:
    """Return a MultiByteInt31 and the place behind it."""
    number = shift = 0
    while data[at] > 0x7F:
        number |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return number | data[at] << shift, at + 1


def plain(head: bytes, word: str) -> bytes:
    """Return the record without a dictionary for one with it."""
    record = head[0]
    if 0x44 <= record <= 0x5D:
        return bytes([record - 0x44 + 0x5E]) + name(word)
    if 0x0C <= record <= 0x25:
        return bytes([record - 0x0C + 0x26]) + name(word)
    if record in {0xAA, 0xAB}:
        return bytes([0x98 + (record & 1)]) + name(word)
    return {0x0B: b"\x09", 0x42: b"\x40", 0x06: b"\x04", 0x0A: b"\x08"}[record] + head[1:] + name(word)


def behind(data: bytes, at: int) -> int:
    """Return the place behind a record without a dictionary."""
    record = data[at]
    if record == 0x01:
        return at + 1
    if record < 0x80:
        end = at + 2 + data[at + 1]
        return end + 1 + data[end] if record in {0x05, 0x09, 0x41} else end
    kind = record & 0xFE
    if kind in SIZES:
        return at + 1 + SIZES[kind]
    width = {0x98: 1, 0x9A: 2, 0x9E: 1, 0xA0: 2}[kind]
    return at + 1 + width + int.from_bytes(data[at + 1 : at + 1 + width], "little")
