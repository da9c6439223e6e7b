"""Ways to spoil a message, each drawn from a random number generator and nothing else."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

from mutation_tokens import DATES, LENGTHS, NUMBERS, RECORDS, TEXTS, TOKENS

Mutation = Callable[[bytes, Random, Sequence[bytes]], bytes]
"""Body, chance and other bodies to a spoilt body."""

MOST = 300_000
"""Bytes of a spoilt body, at most."""

JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|[{}\[\],:]|true|false|null')
XML_TOKEN = re.compile(rb"<[^>]*>|[^<]+")


def flip(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Turn one bit round."""
    at = chance.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :]


def insert(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(body) + 1)
    return body[:at] + chance.randbytes(chance.choice((1, 1, 2, 4, 9))) + body[at:]


def delete(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    at, size = span(body, chance)
    return body[:at] + body[at + size :]


def double(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Repeat a piece, seldom many times."""
    at, size = span(body, chance)
    times = chance.choice((2, 2, 2, 3, 50))
    return body[:at] + body[at : at + size] * times + body[at + size :]


def truncate(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    return body[: chance.randrange(len(body))]


def splice(body: bytes, chance: Random, others: Sequence[bytes]) -> bytes:
    """Go on with another body."""
    other = chance.choice(others)
    return body[: chance.randrange(len(body) + 1)] + other[chance.randrange(len(other) + 1) :]


def transplant(body: bytes, chance: Random, others: Sequence[bytes]) -> bytes:
    """Put a piece of another body over one of this."""
    other = chance.choice(others) or b" "
    (at, size), (start, length) = span(body, chance), span(other, chance)
    return body[:at] + other[start : start + length] + body[at + size :]


def token(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Put an interesting token somewhere, or in place of something."""
    at = chance.randrange(len(body) + 1)
    behind = at + chance.choice((0, 0, 1, 4))
    return body[:at] + chance.choice(TOKENS) + body[behind:]


def length(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Change what may be a length: of binary XML, the byte behind a record."""
    places = [at for at in range(len(body) - 1) if body[at] in LONG_RECORDS] or [0]
    at = chance.choice(places) + 1
    new = chance.choice(LENGTHS) if chance.random() < 0.5 else chance.randbytes(1)
    return body[:at] + new + body[at + chance.choice((1, len(new))) :]


LONG_RECORDS = frozenset(
    {*range(0x98, 0xA4), 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xBB, 0x40, 0x41, 0x03, 0x08, 0x09}
)


def record(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Put another record type in place of what may be one."""
    places = [at for at, byte in enumerate(body) if byte >= 0x80 or byte in {0x01, 0x40, 0x5E, 0x2E}] or [0]
    at = chance.choice(places)
    return body[:at] + bytes([chance.choice(RECORDS)]) + body[at + 1 :]


def nest(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Nest deep, in the way of some encoding."""
    levels = chance.choice((30, 119, 121, 1_000, 20_000))
    opening, closing = chance.choice(NESTS)
    at = chance.randrange(len(body) + 1)
    return body[:at] + opening * levels + closing * levels * chance.randrange(2) + body[at:]


NESTS = (
    (b"[", b"]"),
    (b'{"a":', b"}"),
    (b"<a>", b"</a>"),
    (b"\x40\x01a", b"\x01"),
    (b"\x5e\x01a", b"\x01"),
    (b"(", b")"),
)


def grow(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Repeat a small piece thousands of times."""
    at, size = span(body, chance)
    return body[:at] + body[at : at + min(size, 40)] * chance.choice((500, 5_000)) + body[at:]


def json_tokens(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Change a token of JSON into another: of this body, or out of the blue."""
    return with_piece(JSON_TOKEN, NEW_JSON, body, chance)


def json_values(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Change a single value of JSON; what comes out is JSON, or nearly."""
    return with_piece(JSON_VALUE, NEW_JSON, body, chance)


def json_names(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Give a member or a pair the name of another."""
    return with_piece(JSON_NAME, (b'"key":"Id"', b'"key":"modifiedon"', b'"Value":'), body, chance)


def json_tree(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Remove, repeat or move a part of JSON."""
    try:
        tree = json.loads(body)
        places = list(containers(tree))
        place, other = chance.choice(places), chance.choice(places)
        at, other_at = chance.choice(names_of(place)), chance.choice(names_of(other))
        part = json.loads(json.dumps(other[other_at]))
        if chance.random() < 0.3:
            del place[at]
        elif isinstance(place, list) and chance.random() < 0.5:
            place.insert(at, part)
        else:
            place[at] = part
        return json.dumps(tree, separators=(",", ":")).encode()
    except (ValueError, RecursionError, IndexError):
        return body


def containers(tree: Any) -> Iterator[Any]:
    """Yield every list and object that is not empty."""
    if isinstance(tree, (list, dict)) and tree:
        yield tree
        for each in tree if isinstance(tree, list) else tree.values():
            yield from containers(each)


def names_of(place: Any) -> list[Any]:
    return list(place) if isinstance(place, dict) else list(range(len(place)))


def xml_tokens(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Change a tag or a text of XML."""
    return with_piece(XML_TOKEN, TOKENS, body, chance)


def xml_texts(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Change a text of XML."""
    return with_piece(XML_TEXT, NEW_TEXTS, body, chance)


def xml_leaves(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Remove, repeat or move an element that holds a text."""
    return with_piece(XML_LEAF, (b"", b"<a/>", b"<!-- a --><?b c?>"), body, chance)


def xml_types(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Say another type."""
    return with_piece(XML_TYPE, XML_TYPES, body, chance)


def text_records(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Put another text in place of one of binary XML; all lengths stay right."""
    return with_piece(BINARY_TEXT, TEXT_RECORDS, body, chance)


def names(body: bytes, chance: Random, _: Sequence[bytes]) -> bytes:
    """Give an element of binary XML the name of another."""
    return with_piece(BINARY_NAME, (b"\x40\x01a", b"\x5e\x05value", b"\x5e\x03key"), body, chance)


def with_piece(pattern: re.Pattern[bytes], new: Sequence[bytes], body: bytes, chance: Random) -> bytes:
    found = list(pattern.finditer(body))
    if not found:
        return body
    one, other = chance.choice(found), chance.choice(found)
    piece = chance.choice((b"", one[0] + one[0], other[0], other[0], *(chance.choice(new) for _ in range(6))))
    return body[: one.start()] + piece + body[one.end() :]


JSON_VALUE = re.compile(rb'(?<=[:\[,])(?:"(?:[^"\\]|\\.)*"(?!:)|-?[0-9][0-9.eE+-]*|true|false|null)')
JSON_NAME = re.compile(rb'"key":"[^"\\]*"|"[A-Za-z_]+":')
XML_TEXT = re.compile(rb"(?<=>)[^<>]+(?=</)")
XML_LEAF = re.compile(rb"<([A-Za-z:]+)[^<>]*>[^<>]*</\1>")
XML_TYPE = re.compile(rb'i:(?:type|nil)="[^"]*"')
XML_TYPES = tuple(
    b'i:type="%s"' % each
    for each in (
        *(
            b"b:int",
            b"b:string",
            b"b:decimal",
            b"b:dateTime",
            b"b:boolean",
            b"b:base64Binary",
            b"b:guid",
            b"b:float",
        ),
        *(
            b"b:char",
            b"b:duration",
            b"Entity",
            b"EntityReference",
            b"EntityCollection",
            b"Money",
            b"OptionSetValue",
        ),
        *(
            b"b:ArrayOfint",
            b"b:OptionSetValueCollection",
            b"AliasedValue",
            b"Relationship",
            b"nosuch:int",
            b"b:",
            b"",
        ),
    )
)
NEW_TEXTS = tuple(each for each in TOKENS if b"<" not in each)
BINARY_TEXT = re.compile(
    rb"\x99([\x01-\x30])[\x20-\x7e]{1,48}?(?=[\x01\x40\x5e])|[\x81\x83\x85\x87\xa9](?=[\x01\x40])"
)
BINARY_NAME = re.compile(rb"[\x40\x5e-\x60][\x03-\x20][A-Za-z]{3,32}")
TEXT_RECORDS = (
    *(b"\x81", b"\x83", b"\x85", b"\x87", b"\xa9", b"\x89\xff", b"\x8b\x00\x80", b"\x8d\xff\xff\xff\x7f"),
    *(
        b"\x8f" + b"\xff" * 8,
        b"\x91\x00\x00\xc0\x7f",
        b"\x93" + b"\x00" * 6 + b"\xf0\x7f",
        b"\xb5\x01",
        b"\xb5\x02",
    ),
    *(b"\x95\x00\x00\x1c\x80" + b"\xff" * 12, b"\x95\x00\x00\x1d\x01" + b"\xff" * 12, b"\x97" + b"\xff" * 8),
    *(
        b"\x97" + b"\x00" * 8,
        b"\x97" + b"\x00" * 7 + b"\x40",
        b"\x9f\x03abc",
        b"\xa1\x03\x00abc",
        b"\xa3\x01\x00\x00\x00a",
    ),
    *(b"\xad" + b"\x01" * 16, b"\xaf" + b"\x00" * 7 + b"\x80", b"\xb1" + b"\x07" * 16, b"\xb3" + b"\xff" * 8),
    *(
        b"\xb7\x02\x3d\xd8",
        b"\xb7\x03\x00\x00\x00",
        b"\xb9\x02\x00a\x00",
        b"\x9b\x01\x00a",
        b"\x9d\x01\x00\x00\x00a",
    ),
    *(
        b"\x98\x01a\x99\x01b",
        b"\x9e\x03abc\x9f\x03def",
        b"\x02\x01c\x99\x01d",
        b"\x01",
        b"\xab\x02",
        b"\xbd\x00\x00\x02",
    ),
    *(b"\x99%c%s" % (len(each), each) for each in TOKENS if len(each) < 128),
)


NEW_JSON = (
    *(each.encode() for each in NUMBERS if each.isascii()),
    *(b'"%s"' % each.encode() for each in DATES),
    *(each.encode() for each in TEXTS if each.isascii() and each[:1] in '{["tn'),
    *(b'"%s"' % each.encode() for each in TEXTS if each.isascii() and each.isalpha()),
)


def span(body: bytes, chance: Random) -> tuple[int, int]:
    at = chance.randrange(len(body) + 1)
    return at, chance.choice((1, 1, 2, 5, 20, 200))


BYTES: Sequence[Mutation] = (
    flip,
    flip,
    insert,
    delete,
    double,
    truncate,
    splice,
    transplant,
    token,
    token,
    nest,
    grow,
)
JSON: Sequence[Mutation] = (json_tokens, *[json_values] * 12, *[json_names] * 6, *[json_tree] * 12)
XML: Sequence[Mutation] = (xml_tokens, *[xml_texts] * 10, *[xml_leaves] * 8, *[xml_types] * 8)
BINARY: Sequence[Mutation] = (length, length, record, record, *[text_records] * 14, *[names] * 6)
MUTATIONS: Mapping[str, Sequence[Mutation]] = {
    "json": (*BYTES, *JSON),
    "xml": (*BYTES, *XML),
    "binary": (*BYTES, *BINARY),
    "wrapped": (*BYTES, *BINARY, json_tokens, json_values, xml_texts, xml_leaves),
}


def spoilt(kind: str, body: bytes, chance: Random, others: Sequence[bytes]) -> bytes:
    """Return a body with one to five mutations."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5))):
        body = chance.choice(MUTATIONS[kind])(body or b" ", chance, others)[:MOST]
    return body
