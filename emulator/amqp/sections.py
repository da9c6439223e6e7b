"""The sections of a message, told apart without decoding them.

A message is a row of described values (AMQP 1.0 part 3, section 3.2).  The
broker reads a few fields and passes the bytes on, so sections stay bytes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from .decode import decode_value, value_end
from .encode import encode_map, encode_value
from .errors import DecodeError
from .types import Value

HEADER = 0x70
DELIVERY_ANNOTATIONS = 0x71
MESSAGE_ANNOTATIONS = 0x72
PROPERTIES = 0x73
APPLICATION_PROPERTIES = 0x74
DATA = 0x75
SEQUENCE = 0x76
VALUE = 0x77
FOOTER = 0x78

BATCH_FORMAT = 0x80013700
"""Message format of a Service Bus batch: every data section holds one whole message."""

_NAMES = {
    "amqp:header:list": HEADER,
    "amqp:delivery-annotations:map": DELIVERY_ANNOTATIONS,
    "amqp:message-annotations:map": MESSAGE_ANNOTATIONS,
    "amqp:properties:list": PROPERTIES,
    "amqp:application-properties:map": APPLICATION_PROPERTIES,
    "amqp:data:binary": DATA,
    "amqp:amqp-sequence:list": SEQUENCE,
    "amqp:amqp-value:*": VALUE,
    "amqp:footer:map": FOOTER,
}


class Sections(NamedTuple):
    """A message cut into its sections, each with its descriptor, empty where absent.

    Attributes:
        header: Durability, priority, time to live, delivery count.
        delivery_annotations: Annotations for the next hop only.
        message_annotations: Annotations that travel with the message.
        properties: The standard properties.
        application_properties: The sender's own properties.
        body: Every body section, and the footer.
    """

    header: bytes
    delivery_annotations: bytes
    message_annotations: bytes
    properties: bytes
    application_properties: bytes
    body: bytes


def split_sections(message: bytes) -> Sections:
    """Cut an encoded message into its sections.

    The sections may stand in any order: the Python client writes delivery
    annotations last.

    Raises:
        DecodeError: The message is not a row of sections, or has one twice.
    """
    found, body, kinds = [b"", b"", b"", b"", b""], [], []
    position, size = 0, len(message)
    while position < size:
        if message[position : position + 2] != b"\x00\x53":
            return split_sections(_with_short_descriptors(message))
        end = section_end(message, position)
        code = message[position + 2]
        if code >= DATA:
            body.append(message[position:end])
            kinds.append(code)
        elif found[code - HEADER]:
            raise DecodeError(f"section 0x{code:02x} stands twice")
        else:
            found[code - HEADER] = message[position:end]
        position = end
    if len(kinds) > 1:
        _check_body(kinds)
    return Sections._make((*found, b"".join(body)))


def section_end(message: bytes, position: int) -> int:
    """Return the position behind a section with a short descriptor.

    Raises:
        DecodeError: The section is not complete or is not one of a message.
    """
    try:
        if not HEADER <= message[position + 2] <= FOOTER:
            raise DecodeError(f"0x{message[position + 2]:02x} is no section of a message")
        code = message[position + 3]
        if code in {0xD0, 0xD1, 0xB0}:
            end = position + 8 + int.from_bytes(message[position + 4 : position + 8], "big")
        elif code in {0xC0, 0xC1, 0xA0}:
            end = position + 5 + message[position + 4]
        else:
            return value_end(message, position + 3)
    except IndexError as error:
        raise DecodeError("the message ends within a section") from error
    if end > len(message):
        raise DecodeError(f"the message ends {end - len(message)} bytes before its last section does")
    return end


def _check_body(kinds: list[int]) -> None:
    *rest, last = kinds
    sections = rest if last == FOOTER else kinds
    if len(set(sections)) > 1 or FOOTER in sections or (VALUE in sections and len(sections) > 1):
        raise DecodeError("the body is neither data sections, nor sequences, nor one value")


def _with_short_descriptors(message: bytes) -> bytes:
    """Write every descriptor as small ulong; clients skip two bytes blindly."""
    parts, position = [], 0
    while position < len(message):
        if message[position] != 0:
            raise DecodeError(f"0x{message[position]:02x} at byte {position} begins no section")
        descriptor, start = decode_value(message, position + 1)
        code = _NAMES.get(descriptor, -1) if isinstance(descriptor, str) else descriptor
        if not isinstance(code, int) or not HEADER <= code <= FOOTER:
            raise DecodeError(f"{descriptor!r} is no section of a message")
        position = value_end(message, start)
        parts.append(bytes((0, 0x53, code)) + message[start:position])
    return b"".join(parts)


def section_value(section: bytes) -> Value:
    """Decode the value of one section; ``None`` for an absent one.

    Raises:
        DecodeError: The bytes are not a section.
    """
    return decode_value(section, 3)[0] if section else None


def data_values(message: bytes) -> list[bytes]:
    """Return what the data sections of a message hold, whatever stands beside them.

    Raises:
        DecodeError: The message is not a row of sections, or its body is not data.
    """
    values, position = [], 0
    while position < len(message):
        if message[position : position + 2] != b"\x00\x53":
            return data_values(_with_short_descriptors(message))
        end = section_end(message, position)
        kind, code = message[position + 2], message[position + 3]
        if kind == DATA and code in {0xA0, 0xB0}:
            values.append(message[position + (5 if code == 0xA0 else 8) : end])
        elif DATA <= kind <= VALUE:
            raise DecodeError("the body of the message is not data sections")
        position = end
    return values


def list_fields(section: bytes, wanted: Sequence[int]) -> list[Value]:
    """Decode some fields of a section that is a list, passing over the others.

    Args:
        section: The section, with its descriptor; empty when absent.
        wanted: Indexes of the fields, ascending.

    Returns:
        One value for each index; ``None`` where the list is shorter.

    Raises:
        DecodeError: The section is not a list.
    """
    values: list[Value] = [None] * len(wanted)
    if not section or section[3] == 0x45:
        return values
    if section[3] not in {0xC0, 0xD0}:
        raise DecodeError("a section that should be a list is not")
    try:
        _read_fields(section, wanted, values)
    except IndexError as error:
        raise DecodeError("a section ends before its last field") from error
    return values


def _read_fields(section: bytes, wanted: Sequence[int], values: list[Value]) -> None:
    small = section[3] == 0xC0
    count = section[5] if small else int.from_bytes(section[8:12], "big")
    position, index = (6 if small else 12), 0
    for slot, field in enumerate(wanted):
        if field >= count:
            break
        while index < field:
            index += 1
            position = position + 1 if section[position] == 0x40 else value_end(section, position)
        values[slot], position = decode_value(section, position)
        index += 1


def map_entries(section: bytes) -> tuple[int, bytes]:
    """Return the entries of a section that is a map, still encoded.

    Returns:
        Keys and values counted together, and their bytes.

    Raises:
        DecodeError: The section is not a map.
    """
    if not section:
        return 0, b""
    if section[3] == 0xC1 and len(section) > 5:
        return section[5], section[6:]
    if section[3] == 0xD1 and len(section) > 11:
        return int.from_bytes(section[8:12], "big"), section[12:]
    raise DecodeError("a section that should be a map is not")


def map_section(code: int, count: int, entries: bytes) -> bytes:
    """Return a section that is a map of entries already encoded."""
    return bytes((0, 0x53, code)) + encode_map(count, entries)


def section(code: int, value: Value) -> bytes:
    """Return a section that holds a value.

    Raises:
        EncodeError: The value is of no AMQP type.
    """
    return bytes((0, 0x53, code)) + encode_value(value)
