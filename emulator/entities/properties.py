"""The properties of a message as filters see them, and back to sections."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ..amqp.decimals import bytes_of, decimal_of
from ..amqp.sections import (
    APPLICATION_PROPERTIES,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    list_fields,
    section,
    section_value,
)
from ..amqp.types import Decimal as EncodedDecimal
from ..amqp.types import Described, Symbol, Timestamp
from ..amqp.types import Value as AmqpValue
from ..filters.message import Properties
from ..filters.values import Value, in_utc
from .message import Content, StoredMessage

_FIELDS: Final = {
    "MessageId": 0,
    "To": 2,
    "Label": 3,
    "ReplyTo": 4,
    "CorrelationId": 5,
    "ContentType": 6,
    "SessionId": 10,
    "ReplyToSessionId": 12,
}
_COUNT: Final = 13
_SCHEDULED: Final = "x-opt-scheduled-enqueue-time"
_ANNOTATIONS: Final = {"PartitionKey": "x-opt-partition-key", "ScheduledEnqueueTimeUtc": _SCHEDULED}
_TIMESPAN: Final = "com.microsoft:timespan"
_DATETIME_OFFSET: Final = "com.microsoft:datetime-offset"
_TICKS_TO_1970: Final = 621_355_968_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN: Final[Mapping[type, Callable[[Any], Value]]] = {
    bool: bool,
    int: int,
    float: float,
    str: str,
    bytes: bytes,
    UUID: lambda value: value,
}
_RULE_NAME: Final = "RuleName"


class MessageProperties:
    """What filters see of a message; nothing is decoded before they look.

    Args:
        message: The message, as the topic accepted it.
    """

    def __init__(self, message: StoredMessage) -> None:
        self._message = message
        self._encoded: dict[str, AmqpValue] | None = None
        self._user: dict[str, Value] = {}

    def view(self) -> Properties:
        """The properties, for a filter to see or an action to change."""
        if self._encoded is None:
            known = section_value(self._message.content.application)
            entries = known.items() if isinstance(known, dict) else ()
            self._encoded = {str(name): value for name, value in entries}
            self._user = {name: value_of(value) for name, value in self._encoded.items()}
        return Properties(self._system, self._user)

    def _system(self) -> Mapping[str, Value]:
        message, content = self._message, self._message.content
        fields = list_fields(content.properties, tuple(_FIELDS.values()))
        values = {name: _text(value) for name, value in zip(_FIELDS, fields, strict=True)}
        annotations = section_value(content.annotations)
        known = annotations if isinstance(annotations, dict) else {}
        return values | {
            "PartitionKey": _text(known.get("x-opt-partition-key")),
            "ScheduledEnqueueTimeUtc": _time(content.scheduled_at),
            "TimeToLive": None if content.ttl is None else timedelta(seconds=content.ttl),
            "DeliveryCount": message.delivery_count,
            "EnqueuedSequenceNumber": message.enqueued_number or message.sequence_number,
            "EnqueuedTimeUtc": _time(message.enqueued_at),
            "ExpiresAtUtc": _time(message.expires_at),
            "SequenceNumber": message.sequence_number,
            "Size": content.size,
            "State": message.state.name.capitalize(),
        }

    def changed(self, view: Properties, rule: str) -> Content:
        """The content after the action of a rule, the rule's name among its properties."""
        view.set_value(_RULE_NAME, rule)
        content = replace(self._message.content, application=self._application(view))
        fields = {_FIELDS[name]: value for name, value in view.changed.items() if name in _FIELDS}
        if fields:
            content = _with_fields(content, fields)
        annotations = {
            _ANNOTATIONS[name]: value for name, value in view.changed.items() if name in _ANNOTATIONS
        }
        if annotations:
            content = _with_annotations(content, annotations)
        if "TimeToLive" in view.changed:
            ttl = view.changed["TimeToLive"]
            content = replace(content, ttl=ttl.total_seconds() if isinstance(ttl, timedelta) else None)
        return content

    def _application(self, view: Properties) -> bytes:
        """The sender's properties; those that were not touched keep their AMQP type."""
        encoded: dict[AmqpValue, AmqpValue] = {}
        kept = self._encoded or {}
        for name, value in view.user.items():
            untouched = name in self._user and self._user[name] is value
            encoded[name] = kept[name] if untouched else amqp_value(value)
        return section(APPLICATION_PROPERTIES, encoded) if encoded else b""


def _with_fields(content: Content, changed: Mapping[int, Value]) -> Content:
    known = section_value(content.properties)
    fields = [*(known if isinstance(known, list) else []), *([None] * _COUNT)][:_COUNT]
    for place, value in changed.items():
        fields[place] = value
    content = replace(content, properties=section(PROPERTIES, fields))
    if _FIELDS["MessageId"] in changed:
        content = replace(content, message_id=str(changed[_FIELDS["MessageId"]] or ""))
    if _FIELDS["SessionId"] in changed:
        session = changed[_FIELDS["SessionId"]]
        content = replace(content, session_id=session if isinstance(session, str) else None)
    return content


def _with_annotations(content: Content, changed: Mapping[str, Value]) -> Content:
    known = section_value(content.annotations)
    annotations: dict[AmqpValue, AmqpValue] = dict(known) if isinstance(known, dict) else {}
    for name, value in changed.items():
        if value is None:
            annotations.pop(name, None)
        else:
            annotations[Symbol(name)] = amqp_value(value)
    encoded = section(MESSAGE_ANNOTATIONS, annotations) if annotations else b""
    if _SCHEDULED in changed:
        when = changed[_SCHEDULED]
        content = replace(content, scheduled_at=when.timestamp() if isinstance(when, datetime) else None)
    return replace(content, annotations=encoded)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else _EPOCH + timedelta(seconds=seconds)


def _text(value: AmqpValue) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def value_of(value: AmqpValue) -> Value:
    """The value a filter compares, of an AMQP value; ``None`` for what it cannot hold."""
    if isinstance(value, Timestamp):
        return _moment(int(value) * 1000)
    if isinstance(value, EncodedDecimal):
        return decimal_of(value)
    if isinstance(value, Described):
        return _described(str(value.descriptor), value.value)
    return next((plain(value) for kind, plain in _PLAIN.items() if isinstance(value, kind)), None)


def _described(descriptor: str, value: Any) -> Value:
    if descriptor == _TIMESPAN and isinstance(value, int):
        return timedelta(microseconds=value // 10)
    if descriptor == _DATETIME_OFFSET and isinstance(value, int):
        return _moment((value - _TICKS_TO_1970) // 10)
    return value if isinstance(value, str) else None


def _moment(microseconds: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def amqp_value(value: Value) -> AmqpValue:
    """The AMQP value of a value of a filter."""
    value = in_utc(value)
    if isinstance(value, datetime):
        return Timestamp((value - _EPOCH) // timedelta(milliseconds=1))
    if isinstance(value, timedelta):
        return Described(Symbol(_TIMESPAN), value // timedelta(microseconds=1) * 10)
    return EncodedDecimal(bytes_of(value)) if isinstance(value, Decimal) else value
