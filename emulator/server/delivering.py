"""From what an entity keeps to the bytes a receiver gets."""

import struct
from functools import lru_cache
from uuid import UUID

from ..amqp.encode import encode_value
from ..amqp.sections import (
    APPLICATION_PROPERTIES,
    DELIVERY_ANNOTATIONS,
    HEADER,
    MESSAGE_ANNOTATIONS,
    map_entries,
    map_section,
    section,
    section_value,
)
from ..amqp.types import Symbol, UByte, UInt
from ..entities.message import Delivery, StoredMessage


def _key(name: str, constructor: int) -> bytes:
    return encode_value(Symbol(name)) + bytes((constructor,))


_TOKEN_KEY = _key("x-opt-lock-token", 0x98)
_LOCK_TOKEN = b"\x00\x53\x71\xc1\x24\x02" + _TOKEN_KEY
_ENQUEUED = _key("x-opt-enqueued-time", 0x83)
_SEQUENCE = _key("x-opt-sequence-number", 0x81)
_STATE = _key("x-opt-message-state", 0x54)
_LOCKED = _key("x-opt-locked-until", 0x83)
_ORIGINAL = _key("x-opt-enqueue-sequence-number", 0x81)
_SOURCE = encode_value(Symbol("x-opt-deadletter-source"))
_PLAIN = struct.Struct(f">{len(_ENQUEUED)}sq{len(_SEQUENCE)}sq{len(_STATE)}sb")
_UNTIL = struct.Struct(f">{len(_LOCKED)}sq")
_PREFIX = b"\x00\x53\x72"
_SMALL_MAP = struct.Struct(">3sBBB")
_PLAIN_ENTRIES, _LOCKED_ENTRIES = 6, 8
_PLAIN_SIZE, _LOCKED_SIZE = _PLAIN.size + 1, _PLAIN.size + _UNTIL.size + 1


def tag_of(token: UUID) -> bytes:
    """Return the delivery tag of a lock token: its bytes in the order .NET gives a Guid."""
    raw = token.bytes
    return raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]


def encode_delivery(delivery: Delivery) -> bytes:
    """Return the message as a receiver gets it, lock token and lock end included.

    A delivery without a token gets neither.
    """
    if delivery.token is None:
        return encode_stored(delivery.message)
    message = delivery.message
    content = message.content
    annotations = _PLAIN.pack(
        _ENQUEUED, int(message.enqueued_at * 1000), _SEQUENCE, message.sequence_number, _STATE, message.state
    ) + _UNTIL.pack(_LOCKED, int(delivery.locked_until * 1000))
    return b"".join(
        (
            _header(content.durable, content.priority, _time_to_live(message), message.delivery_count),
            _lock_token(delivery.token, content.delivery_annotations),
            _annotations(_LOCKED_ENTRIES, _LOCKED_SIZE, annotations, message),
            content.properties,
            _application(message),
            content.body,
        )
    )


def encode_stored(message: StoredMessage) -> bytes:
    """Return a message as it is peeked or received and deleted: without a lock."""
    content = message.content
    annotations = _PLAIN.pack(
        _ENQUEUED, int(message.enqueued_at * 1000), _SEQUENCE, message.sequence_number, _STATE, message.state
    )
    return b"".join(
        (
            _header(content.durable, content.priority, _time_to_live(message), message.delivery_count),
            content.delivery_annotations,
            _annotations(_PLAIN_ENTRIES, _PLAIN_SIZE, annotations, message),
            content.properties,
            _application(message),
            content.body,
        )
    )


def _lock_token(token: UUID, senders: bytes) -> bytes:
    """Return the delivery annotations: the lock token, and the sender's if there are any."""
    if not senders:
        return _LOCK_TOKEN + token.bytes
    return map_section(DELIVERY_ANNOTATIONS, *_joined(2, _TOKEN_KEY + token.bytes, senders))


@lru_cache(maxsize=4096)
def _header(durable: bool, priority: int, time_to_live: int | None, delivery_count: int) -> bytes:
    """Return a header with its delivery count, which the .NET client insists on."""
    milliseconds = None if time_to_live is None else UInt(min(time_to_live, 0xFFFFFFFF))
    return section(HEADER, [durable, UByte(priority), milliseconds, None, UInt(delivery_count)])


def _time_to_live(message: StoredMessage) -> int | None:
    """Return the time to live in milliseconds, as the entity has it, else as the sender has it."""
    if message.expires_at is not None:
        return round((message.expires_at - message.enqueued_at) * 1000)
    return None if message.content.ttl is None else round(message.content.ttl * 1000)


def _annotations(count: int, size: int, ours: bytes, message: StoredMessage) -> bytes:
    senders = message.content.annotations
    if message.enqueued_number:
        origin = _ORIGINAL + struct.pack(">q", message.enqueued_number)
        count, size, ours = count + 2, size + len(origin), ours + origin
    if message.dead_letter_source:
        source = _SOURCE + encode_value(message.dead_letter_source)
        return map_section(MESSAGE_ANNOTATIONS, *_joined(count + 2, ours + source, senders))
    if not senders:
        return _SMALL_MAP.pack(_PREFIX, 0xC1, size, count) + ours
    return map_section(MESSAGE_ANNOTATIONS, *_joined(count, ours, senders))


def _joined(count: int, ours: bytes, senders: bytes) -> tuple[int, bytes]:
    more, entries = map_entries(senders)
    return count + more, ours + entries


def _application(message: StoredMessage) -> bytes:
    senders = message.content.application
    if not message.dead_letter:
        return senders
    properties = section_value(senders)
    known = properties if isinstance(properties, dict) else {}
    return section(APPLICATION_PROPERTIES, {**known, **message.dead_letter})
