"""Requests and responses: whole small messages, as ``$cbs`` and ``$management`` exchange them."""

from collections.abc import Mapping
from typing import NamedTuple

from .errors import DecodeError
from .sections import (
    APPLICATION_PROPERTIES,
    PROPERTIES,
    VALUE,
    list_fields,
    section,
    section_value,
    split_sections,
)
from .types import Value

_MESSAGE_ID, _REPLY_TO = 0, 4
_NO_FIELD = None


class Request(NamedTuple):
    """A message that asks for something.

    Attributes:
        message_id: The id a response refers to, in the type the client chose.
        reply_to: The address of the client's receiver, empty when not told.
        properties: The application properties.
        body: The value of the body, ``None`` without one.
    """

    message_id: Value
    reply_to: str
    properties: Mapping[Value, Value]
    body: Value


def decode_request(message: bytes) -> Request:
    """Read a request.

    Raises:
        DecodeError: The message is not AMQP.
    """
    parts = split_sections(message)
    message_id, reply_to = list_fields(parts.properties, (_MESSAGE_ID, _REPLY_TO))
    properties = section_value(parts.application_properties)
    if properties is not None and not isinstance(properties, dict):
        raise DecodeError("the application properties of the request are not a map")
    body = section_value(parts.body) if parts.body else None
    return Request(message_id, reply_to if isinstance(reply_to, str) else "", properties or {}, body)


def encode_response(correlation_id: Value, properties: dict[Value, Value], body: Value) -> bytes:
    """Return the message that answers a request.

    Args:
        correlation_id: The request's message id, unchanged in type.
        properties: Application properties: status code, description.
        body: The value of the body.

    Raises:
        EncodeError: A value is of no AMQP type.
    """
    fields: list[Value] = [_NO_FIELD] * 5 + [correlation_id]
    return section(PROPERTIES, fields) + section(APPLICATION_PROPERTIES, properties) + section(VALUE, body)
