"""Contexts as JSON, in the dialect of .NET's DataContractJsonSerializer.

Members in alphabetical order; ``__type`` first, and only where the static type
is ``object``; ``/`` escaped; dates as ``/Date(ms)/``; collections as arrays of
key and value; characters outside the basic plane as surrogate pairs, other
text as raw UTF-8; decimals with all their zeros.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from .values import (
    Context,
    Entity,
    Guid,
    Long,
    Money,
    Option,
    Options,
    Reference,
    References,
    Relationship,
    TextPairs,
    Value,
    wall_clock,
)

_SHORT: Final = {'"': '\\"', "\\": "\\\\", "/": "\\/"}
_ESCAPED: Final = re.compile(
    '[\x00-\x1f"\\\\/\x85\u2028\u2029\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]'
)
_EPOCH: Final = datetime(1970, 1, 1)
_EPOCH_UTC: Final = _EPOCH.replace(tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MINUTE: Final = timedelta(minutes=1)
_CONTRACTS: Final = ":http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts"
_PAIR_TYPE: Final = "KeyValuePairOfstringstring:#System.Collections.Generic"


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def quote(text: str) -> str:
    r"""Return a JSON string as the serializer escapes it.

    >>> print(quote('a/b "c"\n'))
    "a\/b \"c\"\u000a"
    """
    return f'"{_ESCAPED.sub(_escape, text)}"' if _ESCAPED.search(text) else f'"{text}"'


@lru_cache(4096)
def _key(name: str) -> str:
    return f'{{"key":{quote(name)},"value":'


def double(value: float) -> str:
    """Return a double as .NET's round-trip format does: 15 digits, else 17.

    >>> double(5.0), double(1e18), double(0.1), double(2 / 3)
    ('5', '1E+18', '0.1', '0.66666666666666663')
    """
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "INF" if value > 0 else "-INF"
    text = f"{value:.15g}"
    return (text if float(text) == value else f"{value:.17g}").upper()


def shift(wall: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """Return what is subtracted from an unmarked wall clock, and the offset written beside it.

    The serializer takes the wall clock for the server's local time, but looks
    the written offset up as if the wall clock were UTC.  The two differ for
    some hours around a daylight saving change; a reader cannot know.
    """
    subtracted = wall.replace(tzinfo=zone).utcoffset() or timedelta()
    written = wall.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()
    return subtracted, written


def _elapsed(span: timedelta) -> int:
    return span // _MILLISECOND if span >= timedelta() else -(-span // _MILLISECOND)


class JsonWriter:
    """Writes contexts as ``application/json``.

    Args:
        zone: Time zone of the server, which shows in unmarked dates.
    """

    content_type = "application/json"

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._writers: Mapping[type, Callable[[Any], str]] = {
            type(None): lambda _: "null",
            bool: _bool,
            int: str,
            Long: str,
            float: double,
            Decimal: lambda value: f"{value:f}",
            str: quote,
            Guid: lambda value: f'"{value}"',
            datetime: self._date,
            date: self._date,
            bytes: lambda value: f"[{','.join(map(str, value))}]",
            Option: lambda value: _option(value.value),
            Options: lambda value: f"[{','.join(map(_option, value.values))}]",
            Money: lambda value: f'{{"__type":"Money{_CONTRACTS}","Value":{value.value:f}}}',
            Reference: _typed_reference,
            References: lambda value: f"[{','.join(map(_typed_reference, value.items))}]",
            Relationship: _relationship,
            TextPairs: _text_pairs,
            Entity: lambda value: self._entity(value, f'"__type":"Entity{_CONTRACTS}",'),
        }

    def write(self, context: Context) -> bytes:
        """Return the body of a message that carries this context.

        A lone surrogate is escaped, so every Python string can be written.

        Raises:
            KeyError: A value is of a type the model does not have.
        """
        return self._context(context).encode()

    def value(self, value: Value) -> str:
        """Return the JSON text of one value where its static type is ``object``."""
        return self._writers[type(value)](value)

    def _date(self, value: date) -> str:
        if isinstance(value, datetime) and value.tzinfo:
            return f'"\\/Date({_elapsed(value - _EPOCH_UTC)})\\/"'
        wall = wall_clock(value)
        subtracted, written = shift(wall, self._zone)
        minutes = round(written / _MINUTE)
        sign = "-" if minutes < 0 else "+"
        hours, minutes = divmod(abs(minutes), 60)
        return f'"\\/Date({_elapsed(wall - subtracted - _EPOCH)}{sign}{hours:02d}{minutes:02d})\\/"'

    def _collection(self, items: Mapping[str, Value]) -> str:
        writers = self._writers
        return (
            f"[{','.join([f'{_key(key)}{writers[type(value)](value)}}}' for key, value in items.items()])}]"
        )

    def _images(self, images: Mapping[str, Entity]) -> str:
        return f"[{','.join([f'{_key(alias)}{self._entity(image)}}}' for alias, image in images.items()])}]"

    def _entity(self, entity: Entity, mark: str = "") -> str:
        labels = ",".join([f"{_key(key)}{quote(text)}}}" for key, text in entity.formatted_values.items()])
        return (
            f'{{{mark}"Attributes":{self._collection(entity.attributes)},"EntityState":null,'
            f'"FormattedValues":[{labels}],"Id":"{entity.id}","KeyAttributes":[],'
            f'"LogicalName":{quote(entity.logical_name)},"RelatedEntities":[],"RowVersion":null}}'
        )

    def _context(self, context: Context) -> str:
        request = "null" if context.request_id is None else f'"{context.request_id}"'
        parent = "null" if context.parent is None else self._context(context.parent)
        return (
            f'{{"BusinessUnitId":"{context.business_unit_id}","CorrelationId":"{context.correlation_id}",'
            f'"Depth":{context.depth},"InitiatingUserAgent":{quote(context.initiating_user_agent)},'
            f'"InitiatingUserAzureActiveDirectoryObjectId":"{context.initiating_user_azure_id}",'
            f'"InitiatingUserId":"{context.initiating_user_id}",'
            f'"InputParameters":{self._collection(context.input_parameters)},'
            f'"IsExecutingOffline":false,"IsInTransaction":{_bool(context.is_in_transaction)},'
            f'"IsOfflinePlayback":false,"IsolationMode":{context.isolation_mode},'
            f'"MessageName":{quote(context.message_name)},"Mode":{context.mode},'
            f'"OperationCreatedOn":{self._date(context.operation_created_on)},'
            f'"OperationId":"{context.operation_id}","OrganizationId":"{context.organization_id}",'
            f'"OrganizationName":{quote(context.organization_name)},'
            f'"OutputParameters":{self._collection(context.output_parameters)},'
            f'"OwningExtension":{{{_reference(context.owning_extension)}}},"ParentContext":{parent},'
            f'"PostEntityImages":{self._images(context.post_images)},'
            f'"PreEntityImages":{self._images(context.pre_images)},'
            f'"PrimaryEntityId":"{context.primary_entity_id}",'
            f'"PrimaryEntityName":{quote(context.primary_entity_name)},"RequestId":{request},'
            f'"SecondaryEntityName":{quote(context.secondary_entity_name)},'
            f'"SharedVariables":{self._collection(context.shared_variables)},"Stage":{context.stage},'
            f'"UserAzureActiveDirectoryObjectId":"{context.user_azure_id}","UserId":"{context.user_id}"}}'
        )


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _option(value: int) -> str:
    return f'{{"__type":"OptionSetValue{_CONTRACTS}","Value":{value}}}'


def _reference(value: Reference) -> str:
    name = "null" if value.name is None else quote(value.name)
    return (
        f'"Id":"{value.id}","KeyAttributes":[],"LogicalName":{quote(value.logical_name)},'
        f'"Name":{name},"RowVersion":null'
    )


def _typed_reference(value: Reference) -> str:
    return f'{{"__type":"EntityReference{_CONTRACTS}",{_reference(value)}}}'


def _relationship(value: Relationship) -> str:
    name = quote(value.schema_name)
    return f'{{"__type":"Relationship{_CONTRACTS}","PrimaryEntityRole":null,"SchemaName":{name}}}'


def _text_pairs(value: TextPairs) -> str:
    pairs = [
        f'{{"__type":"{_PAIR_TYPE}","key":{quote(key)},"value":{quote(text)}}}' for key, text in value.items
    ]
    return f"[{','.join(pairs)}]"
