"""The SDK's received message, reduced to an envelope."""

import time
from functools import lru_cache
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from ..model.envelope import Envelope


def to_envelope(message: ServiceBusReceivedMessage, entity: str, received_at: int) -> Envelope:
    """Return what we keep of a message.

    Args:
        message: As the SDK received it, in peek-lock mode.
        entity: Path of the entity, as configured.
        received_at: Microseconds since 1970 UTC.
    """
    raw = message.raw_amqp_message
    annotations: Any = raw.annotations or {}
    properties: Any = raw.properties
    known = properties is not None
    token = message.lock_token
    return Envelope(
        body=_body(message),
        entity=entity,
        sequence_number=message.sequence_number or 0,
        enqueued_at=1000 * int(annotations.get(b"x-opt-enqueued-time") or 0),
        received_at=received_at,
        message_id=_text(properties.message_id) if known else "",
        correlation_id=_text(properties.correlation_id) if known else "",
        content_type=_text(properties.content_type) if known else "",
        properties={
            _name(key): value.decode("utf-8", "replace") if type(value) is bytes else _plain(value)
            for key, value in (raw.application_properties or {}).items()
        },
        delivery_count=message.delivery_count or 0,
        lock_token=None if token is None else getattr(token, "bytes", None),
        locked_until=1000 * int(annotations.get(b"x-opt-locked-until") or 0),
    )


def now_us() -> int:
    """Return the time, microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def _body(message: ServiceBusReceivedMessage) -> bytes:
    body = message.body
    if message.body_type is AmqpMessageBodyType.DATA:
        parts = list(body)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
    if isinstance(body, bytes):
        return body
    return str(body).encode()


@lru_cache(maxsize=1024)
def _name(key: str | bytes) -> str:
    """Return a property's name as text; Dataverse sends the same few on every message."""
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else key


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _plain(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool | None) else str(value)
