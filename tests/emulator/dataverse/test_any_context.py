"""Any context can be written in each encoding, and XML and binary are one document."""

import base64
import io
import json
import random
import re
import struct
import typing
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdsbridge.emulator.dataverse.binary_writer import BinaryWriter
from cdsbridge.emulator.dataverse.context import Context
from cdsbridge.emulator.dataverse.json_writer import JsonWriter
from cdsbridge.emulator.dataverse.poison import sample
from cdsbridge.emulator.dataverse.scalars import Char, Guid, Long, Single, Uri
from cdsbridge.emulator.dataverse.values import Value
from cdsbridge.emulator.dataverse.wrappers import as_json_string, wrapped_bytes, wrapped_text
from cdsbridge.emulator.dataverse.xml_writer import XmlWriter

from .strategies import contexts, texts, values

thorough = settings(
    max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None
)
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"


@dataclass
class Node:
    """An element with what its content may be compared by."""

    name: str
    kind: str = ""
    nil: bool = False
    texts: list[object] = field(default_factory=list)
    children: "list[Node]" = field(default_factory=list)


class Reader:
    """A plain reader of records, independent of the writer but for this format's description [MC-NBFX]."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0

    def take(self, count: int) -> bytes:
        self.at += count
        assert self.at <= len(self.body)
        return self.body[self.at - count : self.at]

    def unpack(self, form: str) -> float:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return value

    def count(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def string(self) -> str:
        return self.take(self.count()).decode()

    def document(self) -> Node:
        root = self.element(self.take(1)[0], {})
        assert self.at == len(self.body)
        return root

    def element(self, record: int, above: dict[str, str]) -> Node:
        node, scope = self.opened(record, above)
        while True:
            record = self.take(1)[0]
            if record == 0x01:
                return node
            if record == 0x03:
                node.children += self.array(scope)
            elif record < 0x80:
                node.children.append(self.element(record, scope))
            else:
                node.texts.append(self.record(record & ~1))
                if record & 1:
                    return node

    def opened(self, record: int, above: dict[str, str]) -> tuple[Node, dict[str, str]]:
        assert record == 0x40 or 0x5E <= record <= 0x77, hex(record)
        prefix = "" if record == 0x40 else chr(record - 0x5E + 97)
        name, scope = self.string(), dict(above)
        kind, nil = "", False
        while (record := self.body[self.at]) in (0x08, 0x09, 0x2E):
            self.at += 1
            if record == 0x2E:
                attribute = self.string()
                value = self.record(self.take(1)[0])
                kind, nil = (str(value), nil) if attribute == "type" else (kind, value is True)
            else:
                bound = self.string() if record == 0x09 else ""
                scope[bound] = self.string()
        if kind:
            before, _, last = kind.rpartition(":")
            kind = f"{{{scope[before]}}}{last}"
        return Node(f"{{{scope[prefix]}}}{name}", kind, nil), scope

    def array(self, scope: dict[str, str]) -> list[Node]:
        node, _ = self.opened(self.take(1)[0], scope)
        assert self.take(1)[0] == 0x01
        record = self.take(1)[0]
        assert record & 1
        items = [self.record(record & ~1) for _ in range(self.count())]
        return [Node(node.name, texts=[item]) for item in items]

    def record(self, record: int) -> object:
        fixed: dict[int, Callable[[], object]] = {
            0x80: lambda: 0, 0x82: lambda: 1, 0x84: lambda: False, 0x86: lambda: True,
            0x88: lambda: self.unpack("<b"), 0x8A: lambda: self.unpack("<h"), 0x8C: lambda: self.unpack("<i"),
            0x8E: lambda: self.unpack("<q"), 0xB2: lambda: self.unpack("<Q"), 0x90: lambda: self.unpack("<f"),
            0x92: lambda: self.unpack("<d"), 0x94: self.decimal, 0x96: self.date,
            0xB4: lambda: self.take(1) == b"\x01",
        }  # fmt: skip
        if record in fixed:
            return fixed[record]()
        first = max(each for each in (0x98, 0x9E, 0xB6) if each <= record)
        data = self.take(int(self.unpack(("<B", "<H", "<I")[(record - first) // 2])))
        return data if first == 0x9E else data.decode("utf-8" if first == 0x98 else "utf-16-le")

    def decimal(self) -> Decimal:
        _, scale, sign, high, low = struct.unpack("<HBBIQ", self.take(16))
        digits = tuple(map(int, str(high << 64 | low)))
        return Decimal((sign >> 7, digits, -scale))

    def date(self) -> tuple[int, int]:
        bits = int(self.unpack("<Q"))
        return bits >> 62, bits & (1 << 62) - 1


def _read(body: bytes) -> Node:
    """Return the root of a text document, its type marks resolved."""
    stack, bound = [Node("")], []
    for event, told in ET.iterparse(io.BytesIO(body), ("start", "end", "start-ns", "end-ns")):
        if event == "start-ns":
            bound.append(told)
        elif event == "end-ns":
            bound.pop()
        elif event == "start":
            prefix, _, kind = told.get(f"{_INSTANCE}type", "").rpartition(":")
            kind = kind and f"{{{dict(bound)[prefix]}}}{kind}"
            node = Node(told.tag, kind, told.get(f"{_INSTANCE}nil") == "true")
            stack[-1].children.append(node)
            stack.append(node)
        else:
            stack.pop().texts.append(told.text or "")
    return stack[0].children[0]


def _says(records: list[object], text: str) -> bool:
    """Tell whether text records mean what a text says."""
    if len(records) != 1:
        return b"".join(each for each in records if isinstance(each, bytes)) == base64.b64decode(text)
    (record,) = records
    match record:
        case bool():
            return text == ("true" if record else "false")
        case bytes():
            return record == base64.b64decode(text)
        case Decimal():
            return f"{record:f}" == text
        case float():
            return float(text) == record or _as_single(float(text)) == _as_single(record)
        case int():
            return Decimal(text) == record or ("E" in text and _as_single(float(text)) == _as_single(record))
        case tuple():
            return _moment(text) == record
        case _:
            return record == text


def _as_single(value: float) -> bytes:
    return struct.pack("<f", value)


def _moment(text: str) -> tuple[int, int]:
    """Return kind and ticks of a date of XML Schema, as a record holds them."""
    found = re.fullmatch(r"([^.Z+]{19})(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", text)
    assert found, text
    second = datetime.fromisoformat(found[1]) - datetime(1, 1, 1)
    ticks = second // timedelta(seconds=1) * 10_000_000 + int((found[2] or "").ljust(7, "0"))
    if found[3] in (None, "Z"):
        return (1 if found[3] else 0), ticks
    hours, minutes = map(int, found[3][1:].split(":"))
    offset = (hours * 60 + minutes) * 600_000_000
    return 2, ticks + (offset if found[3][0] == "-" else -offset)


def _differ(binary: Node, text: Node) -> str:
    """Return where two documents differ; nothing where they do not."""
    marks = (binary.name, binary.kind, binary.nil, len(binary.children))
    if marks != (text.name, text.kind, text.nil, len(text.children)):
        return f"{marks} is not {text}"
    if not binary.children and not _says(binary.texts, str(text.texts[0])):
        return f"{text.name}: {binary.texts} is not {text.texts}"
    return next(
        filter(None, (_differ(*pair) for pair in zip(binary.children, text.children, strict=True))), ""
    )


@thorough
@given(contexts())
def test_xml_and_binary_are_one_document(context: Context) -> None:
    assert _differ(Reader(BinaryWriter().write(context)).document(), _read(XmlWriter().write(context))) == ""


@thorough
@given(contexts(illegal=True, surrogates=True), st.integers(-12 * 60, 14 * 60))
def test_json_is_json_in_every_zone_and_with_every_text(context: Context, minutes: int) -> None:
    body = JsonWriter(timezone(timedelta(minutes=minutes))).write(context)
    told = json.loads(body)
    assert list(told) == sorted(told)
    assert [each["key"] for each in told["InputParameters"]] == list(context.input_parameters)
    assert told["OrganizationName"] == context.organization_name


@thorough
@given(contexts(illegal=True))
def test_binary_holds_characters_that_xml_forbids(context: Context) -> None:
    root = Reader(BinaryWriter().write(context)).document()
    names = {child.name.partition("}")[2]: child for child in root.children}
    told = "".join(map(str, names["OrganizationName"].texts))
    assert told == context.organization_name


def test_a_lone_surrogate_is_refused_in_binary_and_replaced_in_xml() -> None:
    context = sample(random.Random(1), datetime(2026, 3, 2))
    context = replace(context, organization_name="a\ud800b")
    with pytest.raises(UnicodeEncodeError):
        BinaryWriter().write(context)
    assert "a\ufffdb".encode() in XmlWriter().write(context)


def test_the_strategies_have_every_type_of_value() -> None:
    seen: set[type] = set()

    @settings(
        max_examples=1500,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(values())
    def look(value: object) -> None:
        seen.add(type(value))

    look()
    types = set(typing.get_args(Value)) - {date}
    assert seen >= types | {Guid, Long, Char, Uri, Single}


@given(texts(illegal=True))
def test_a_wrapped_text_is_one_string(text: str) -> None:
    root = Reader(wrapped_text(text.encode())).document()
    assert root.name == "{http://schemas.microsoft.com/2003/10/Serialization/}string"
    assert "".join(map(str, root.texts)) == text
    assert json.loads(as_json_string(text.encode())) == text


@given(st.binary(max_size=2000))
def test_wrapped_bytes_come_back(body: bytes) -> None:
    root = Reader(wrapped_bytes(body)).document()
    assert b"".join(each for each in root.texts if isinstance(each, bytes)) == body
