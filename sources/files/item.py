"""One message as JSON: our own form, that of Service Bus Explorer, or a bare body.

``docs/files.md`` describes them.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from ...model.batch import FlattenedBatch
from ...model.envelope import Envelope, MicroBatch
from ...model.properties import Scalar, plain_properties, typed_properties
from ...model.verdict import Outcome, Reason, Verdict

_ORIGIN: Final = "cdsbridge:origin"
"""Property of an envelope on its way: file and line."""
_FAULT: Final = "cdsbridge:fault"
"""Property of an envelope that stands for a line that is no message: what is wrong with it."""
_KEPT: Final = 1024 * 1024
"""Bytes of such a line that are kept."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")

Text = str | None
Instant = str | int | None


class _Item(msgspec.Struct):
    """What either form may have; what else stands there is passed over."""

    body: msgspec.Raw | UnsetType = UNSET
    body_base64: str | UnsetType = UNSET
    entity: Text = None
    sequence_number: int | None = None
    sequence_number_net: int | None = msgspec.field(default=None, name="sequenceNumber")
    enqueued_at: Instant = None
    enqueued_at_net: Instant = msgspec.field(default=None, name="enqueuedTimeUtc")
    message_id: Text = None
    message_id_net: Text = msgspec.field(default=None, name="messageId")
    correlation_id: Text = None
    correlation_id_net: Text = msgspec.field(default=None, name="correlationId")
    content_type: Text = None
    content_type_net: Text = msgspec.field(default=None, name="contentType")
    delivery_count: int | None = None
    delivery_count_net: int | None = msgspec.field(default=None, name="deliveryCount")
    properties: dict[str, Any] | list[dict[str, Any]] | None = None
    message_name: msgspec.Raw | UnsetType = msgspec.field(default=UNSET, name="MessageName")


_decoder: Final = msgspec.json.Decoder(_Item)


def envelope_of(text: bytes, path: Path, line: int, entity: str, received_at: int) -> Envelope:
    """Return the message that a JSON text holds; one that says what is wrong, where it holds none.

    A context of Dataverse by itself is a message with nothing but a body.

    Args:
        text: A JSON value.
        path: The file it stands in.
        line: The line, from 1.
        entity: Where a message is said to come from that does not say it.
        received_at: Microseconds since 1970 UTC.
    """
    try:
        return _envelope(_decoder.decode(text), text, path, line, entity, received_at)
    except (ValueError, RecursionError) as error:
        return unreadable(text, path, line, f"is no message: {error or 'nested too deep'}", received_at)


def unreadable(text: bytes, path: Path, line: int, sentence: str, received_at: int) -> Envelope:
    """Return an envelope for what is no message: it will be rejected with this sentence."""
    properties = {_ORIGIN: f"{path}:{line}", _FAULT: sentence}
    return Envelope(text[:_KEPT], str(path), line, received_at=received_at, properties=properties)


def at_line(properties: Mapping[str, Scalar], path: Path, line: int) -> dict[str, Scalar]:
    """Return properties with where the message stands, for :func:`with_origins`."""
    return {**properties, _ORIGIN: f"{path}:{line}"}


def item_of(envelope: Envelope) -> bytes:
    """Return a message as a JSON text of one line, in our own form."""
    item: dict[str, object] = {
        "entity": envelope.entity,
        "sequence_number": envelope.sequence_number,
        "enqueued_at": f"{_EPOCH + timedelta(microseconds=envelope.enqueued_at):%Y-%m-%dT%H:%M:%S.%fZ}",
        "message_id": envelope.message_id,
        "correlation_id": envelope.correlation_id,
        "content_type": envelope.content_type,
        "delivery_count": envelope.delivery_count,
        "properties": plain_properties(envelope.properties),
    }
    try:
        item["body"] = envelope.body.decode("utf-8")
    except UnicodeDecodeError:
        item["body_base64"] = base64.b64encode(envelope.body).decode("ascii")
    return msgspec.json.encode(item)


def with_origins(flat: FlattenedBatch) -> FlattenedBatch:
    """Return a batch whose rejected messages say where in which file they stand."""
    envelopes = flat.batch.envelopes
    if not any(_ORIGIN in envelope.properties for envelope in envelopes):
        return flat
    verdicts = map(_told, envelopes, flat.verdicts)
    clean = tuple(map(_without_origin, envelopes))
    return replace(flat, batch=MicroBatch(flat.batch.entity, clean), verdicts=tuple(verdicts))


def _told(envelope: Envelope, verdict: Verdict) -> Verdict:
    if verdict.outcome is not Outcome.REJECTED:
        return verdict
    origin, fault = (str(envelope.properties.get(key) or "") for key in (_ORIGIN, _FAULT))
    if fault:
        return Verdict.rejected(Reason.UNDECODABLE, f"{origin} {fault}", verdict.where)
    return msgspec.structs.replace(verdict, sentence=f"{origin}: {verdict.sentence}")


def _without_origin(envelope: Envelope) -> Envelope:
    kept = {key: value for key, value in envelope.properties.items() if key not in {_ORIGIN, _FAULT}}
    return msgspec.structs.replace(envelope, properties=kept)


def _envelope(item: _Item, text: bytes, path: Path, line: int, entity: str, received_at: int) -> Envelope:
    number = _either(item.sequence_number, item.sequence_number_net)
    return Envelope(
        body=_body(item, text),
        entity=item.entity or entity,
        sequence_number=line if number is None else number,
        enqueued_at=_instant(item.enqueued_at if item.enqueued_at is not None else item.enqueued_at_net),
        received_at=received_at,
        message_id=item.message_id or item.message_id_net or "",
        correlation_id=item.correlation_id or item.correlation_id_net or "",
        content_type=item.content_type or item.content_type_net or "",
        properties=at_line(_properties(item.properties), path, line),
        delivery_count=_either(item.delivery_count, item.delivery_count_net) or 0,
    )


def _body(item: _Item, text: bytes) -> bytes:
    if not isinstance(item.body_base64, UnsetType):
        try:
            return base64.b64decode(item.body_base64, validate=True)
        except binascii.Error as error:
            raise ValueError(f"body_base64 is not base64: {error}") from None
    if isinstance(item.body, UnsetType):
        if isinstance(item.message_name, UnsetType):
            raise ValueError("it has neither body nor body_base64")  # noqa: TRY004 - of the text
        return text
    raw = bytes(item.body)
    if raw == b"null":
        raise ValueError("its body is null")
    return msgspec.json.decode(raw, type=str).encode() if raw.startswith(b'"') else raw


def _properties(given: dict[str, Any] | list[dict[str, Any]] | None) -> Mapping[str, Scalar]:
    if isinstance(given, list):
        given = {
            str(pair.get("key", pair.get("Key"))): pair.get("value", pair.get("Value")) for pair in given
        }
    return typed_properties(given or {})


def _instant(given: Instant) -> int:
    """Return microseconds since 1970 UTC; a text without a zone is UTC.

    >>> _instant("2021-08-13T07:49:14.7043957Z"), _instant(None)
    (1628840954704395, 0)
    """
    if not isinstance(given, str):
        return given or 0
    at = datetime.fromisoformat(given)
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


def _either(ours: T | None, theirs: T | None) -> T | None:
    return theirs if ours is None else ours
