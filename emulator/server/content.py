"""From the bytes a sender gave to what an entity keeps."""

from functools import lru_cache
from typing import NamedTuple
from uuid import uuid4

from ..amqp.errors import DecodeError
from ..amqp.sections import (
    DELIVERY_ANNOTATIONS,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    data_values,
    list_fields,
    section,
    section_value,
    split_sections,
)
from ..amqp.types import Timestamp, Value
from ..entities.message import Content

_MESSAGE_ID, _GROUP_ID = 0, 10
_SCHEDULED = "x-opt-scheduled-enqueue-time"
_MAPS = b"\xc1\xd1"
_BROKER_ANNOTATIONS = frozenset(
    {
        "x-opt-enqueued-time",
        "x-opt-sequence-number",
        "x-opt-locked-until",
        "x-opt-message-state",
        "x-opt-lock-token",
        "x-opt-deadletter-source",
        "x-opt-enqueue-sequence-number",
    }
)


class _Header(NamedTuple):
    durable: bool
    priority: int
    ttl: float | None


def read_content(message: bytes) -> Content:
    """Read one message.

    Raises:
        DecodeError: The bytes are not a message.
    """
    parts = split_sections(message)
    header = _header(parts.header)
    message_id, group_id = list_fields(parts.properties, (_MESSAGE_ID, _GROUP_ID))
    properties = parts.properties
    if message_id is None:
        message_id = uuid4().hex
        properties = _with_message_id(properties, message_id)
    for map_like in (parts.message_annotations, parts.delivery_annotations):
        if map_like and map_like[3] not in _MAPS:
            raise DecodeError("annotations of the message are not a map")
    annotations, scheduled_at = parts.message_annotations, None
    if b"x-opt-" in annotations:
        annotations, scheduled_at = _annotations(annotations)
    return Content(
        properties=properties,
        application=parts.application_properties,
        body=parts.body,
        annotations=annotations,
        message_id=_identity(message_id),
        ttl=header.ttl,
        durable=header.durable,
        priority=header.priority,
        scheduled_at=scheduled_at,
        session_id=group_id if isinstance(group_id, str) else None,
        delivery_annotations=_delivery_annotations(parts.delivery_annotations),
    )


def _delivery_annotations(encoded: bytes) -> bytes:
    """Return the sender's delivery annotations without a lock token, as of a message that is sent on."""
    if b"x-opt-" not in encoded:
        return encoded
    annotations = section_value(encoded)
    if not isinstance(annotations, dict):
        raise DecodeError("the delivery annotations are not a map")
    kept = {key: value for key, value in annotations.items() if key not in _BROKER_ANNOTATIONS}
    return section(DELIVERY_ANNOTATIONS, kept) if kept else b""


def read_batch(payload: bytes) -> list[Content]:
    """Read the messages of a batch: one in every data section.

    Raises:
        DecodeError: The payload is not a batch of messages.
    """
    return [read_content(message) for message in data_values(payload)]


@lru_cache(maxsize=1024)
def _header(header: bytes) -> _Header:
    fields = section_value(header)
    if fields is not None and not isinstance(fields, list):
        raise DecodeError("the header of the message is not a list")
    durable, priority, ttl = ((fields or []) + [None, None, None])[:3]
    return _Header(
        durable=durable is True,
        priority=priority if isinstance(priority, int) else 4,
        ttl=ttl / 1000 if isinstance(ttl, int) else None,
    )


def _identity(message_id: Value) -> str:
    if isinstance(message_id, str):
        return message_id
    return message_id.hex() if isinstance(message_id, bytes) else str(message_id)


def _with_message_id(properties: bytes, message_id: str) -> bytes:
    fields = section_value(properties)
    rest = fields[1:] if isinstance(fields, list) else []
    return section(PROPERTIES, [message_id, *rest])


def _annotations(encoded: bytes) -> tuple[bytes, float | None]:
    """Return the sender's annotations without the broker's own, and the scheduled time in seconds."""
    annotations = section_value(encoded)
    if not isinstance(annotations, dict):
        raise DecodeError("the message annotations are not a map")
    scheduled = annotations.get(_SCHEDULED)
    scheduled_at = scheduled / 1000 if isinstance(scheduled, Timestamp) else None
    kept = {key: value for key, value in annotations.items() if key not in _BROKER_ANNOTATIONS}
    if len(kept) == len(annotations):
        return encoded, scheduled_at
    return section(MESSAGE_ANNOTATIONS, kept) if kept else b"", scheduled_at
