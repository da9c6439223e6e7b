"""What the SDK received, reduced to an envelope and to what settling needs."""

import functools
import json
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from azure.core.settings import settings
from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.amqp import AmqpMessageBodyType

from ..model.envelope import Envelope


class Received(NamedTuple):
    """A message as it was received.

    Attributes:
        envelope: What we keep of it.
        delivery: Delivery id and tag on its link, where the SDK tells them.
        message: The SDK's message, where there is one.
    """

    envelope: Envelope
    delivery: tuple[int, bytes] | None
    message: ServiceBusReceivedMessage | None


def leave_transfers_unbuilt(receiver: ServiceBusReceiver) -> bool:
    """Let a receiver hand out AMQP transfers instead of message objects, where this SDK can; tell whether.

    Building the objects takes a fifth of the time of receiving, and we take
    them apart at once.
    """
    inner: Any = receiver
    if settings.tracing_enabled() or not isinstance(
        getattr(inner, "_build_received_message", None), functools.partial
    ):
        return False
    inner._build_received_message = _unbuilt  # noqa: SLF001 - looked for above; else the message objects
    return True


def from_transfer(transfer: tuple[Any, Any], entity: str, received_at: int) -> Received:
    """Return what we keep of an AMQP transfer frame and the message sections in it.

    The lock token is the delivery tag, a .NET GUID.
    """
    frame, message = transfer
    tag = bytes(frame[2])
    notes = message.message_annotations or {}
    properties = message.properties
    known = properties is not None
    envelope = Envelope(
        body=_body_of(message),
        entity=entity,
        sequence_number=notes.get(b"x-opt-sequence-number") or 0,
        enqueued_at=1000 * int(notes.get(b"x-opt-enqueued-time") or 0),
        received_at=received_at,
        message_id=_text(properties.message_id) if known else "",
        correlation_id=_text(properties.correlation_id) if known else "",
        content_type=_text(properties.content_type) if known else "",
        properties=_properties(message.application_properties),
        delivery_count=(message.header.delivery_count or 0) if message.header is not None else 0,
        lock_token=tag[3::-1] + tag[5:3:-1] + tag[7:5:-1] + tag[8:],
        locked_until=1000 * int(notes.get(b"x-opt-locked-until") or 0),
    )
    return Received(envelope, (frame[1], frame[2]), None)


def from_message(message: ServiceBusReceivedMessage, entity: str, received_at: int) -> Received:
    """Return what we keep of a message object of the SDK.

    Args:
        message: As received in peek-lock mode.
        entity: Path of the entity, as configured.
        received_at: Microseconds since 1970 UTC.
    """
    raw = message.raw_amqp_message
    notes: Any = raw.annotations or {}
    properties: Any = raw.properties
    known = properties is not None
    token = message.lock_token
    envelope = Envelope(
        body=_body(message),
        entity=entity,
        sequence_number=message.sequence_number or 0,
        enqueued_at=1000 * int(notes.get(b"x-opt-enqueued-time") or 0),
        received_at=received_at,
        message_id=_text(properties.message_id) if known else "",
        correlation_id=_text(properties.correlation_id) if known else "",
        content_type=_text(properties.content_type) if known else "",
        properties=_properties(raw.application_properties),
        delivery_count=message.delivery_count or 0,
        lock_token=None if token is None else getattr(token, "bytes", None),
        locked_until=1000 * int(notes.get(b"x-opt-locked-until") or 0),
    )
    number, tag = getattr(message, "_delivery_id", None), getattr(message, "_delivery_tag", None)
    return Received(envelope, None if number is None or tag is None else (number, tag), message)


def now_us() -> int:
    """Return the time, microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def _unbuilt(transfer: tuple[Any, Any]) -> tuple[Any, Any]:
    return transfer


def _properties(sent: Any) -> dict[str, Any]:
    return {
        _name(key): value.decode("utf-8", "replace") if type(value) is bytes else _plain(value)
        for key, value in (sent or {}).items()
    }


def _body_of(message: Any) -> bytes:
    if message.data is not None:
        parts = list(message.data)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
    return plain_body(message.value if message.sequence is None else message.sequence)


def _body(message: ServiceBusReceivedMessage) -> bytes:
    body = message.body
    if message.body_type is AmqpMessageBodyType.DATA:
        parts = list(body)
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)
    return plain_body(list(body) if message.body_type is AmqpMessageBodyType.SEQUENCE else body)


def plain_body(body: Any) -> bytes:
    """Return the bytes of a value or sequence body ([AMQP] 3.2.7 and 3.2.8).

    Text becomes UTF-8, the pieces of a sequence follow one another.  What is
    neither text nor bytes becomes JSON, so that quarantine shows what came.

    >>> plain_body("{}"), plain_body([["{", b"}"]]), plain_body({b"a": 1})
    (b'{}', b'{}', b'{"a":1}')
    """
    pieces = list(_pieces(body))
    if all(isinstance(piece, bytes) for piece in pieces):
        return b"".join(pieces)
    return json.dumps(_readable(body), default=str, separators=(",", ":")).encode()


def _pieces(body: Any) -> Iterator[Any]:
    """Yield the text and bytes of a body as bytes, and anything else as it is."""
    if isinstance(body, list):
        for item in body:
            yield from _pieces(item)
    elif isinstance(body, str):
        yield body.encode("utf-8", "surrogatepass")
    elif body is not None:
        yield bytes(body) if isinstance(body, (bytearray, memoryview)) else body


def _readable(body: Any) -> Any:
    """Return a body with text for every bytes in it."""
    if isinstance(body, dict):
        return {str(_readable(key)): _readable(value) for key, value in body.items()}
    if isinstance(body, (list, tuple)):
        return [_readable(item) for item in body]
    return body.decode("utf-8", "backslashreplace") if isinstance(body, bytes) else body


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
