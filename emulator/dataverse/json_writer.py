"""Contexts as JSON, in the dialect of .NET's DataContractJsonSerializer.

Members in alphabetical order; ``__type`` first, and only where the static type
is ``object``; ``/`` escaped; dates as ``/Date(ms)/``; collections as arrays of
key and value; characters outside the basic plane as surrogate pairs, other
text as raw UTF-8; decimals with all their zeros.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from .context import Context
from .scalars import Char, Duration, Enumeration, Guid, Long, Moment, Single, Sized, Uri
from .values import (
    Aliased,
    Array,
    Element,
    Entities,
    Entity,
    Managed,
    Money,
    Option,
    Options,
    Reference,
    References,
    Relationship,
    Structure,
    TextMap,
    TextPairs,
    Value,
)
from .zones import double, json_date

_SHORT: Final = {'"': '\\"', "\\": "\\\\", "/": "\\/"}
_CONTROLS: Final = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_ESCAPED: Final = re.compile(
    '[\x00-\x1f"\\\\/\x85\u2028\u2029\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]'
)
_CONTRACTS: Final = ":http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts"
_PAIR_TYPE: Final = "KeyValuePairOfstringstring:#System.Collections.Generic"
_ROLES: Final = {None: "null", "Referencing": "0", "Referenced": "1"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _escape_short(match: re.Match[str]) -> str:
    return _CONTROLS.get(match.group()) or _escape(match)


def quote(text: str) -> str:
    r"""Return a JSON string as the serializer escapes it.

    >>> print(quote('a/b "c"\n'))
    "a\/b \"c\"\u000a"
    """
    return f'"{_ESCAPED.sub(_escape, text)}"' if _ESCAPED.search(text) else f'"{text}"'


def quote_short(text: str) -> str:
    r"""Return a JSON string as newer versions of the serializer escape it.

    >>> print(quote_short('a/b "c"\n'))
    "a\/b \"c\"\n"
    """
    return f'"{_ESCAPED.sub(_escape_short, text)}"'


@lru_cache(4096)
def _key(name: str, quote: Callable[[str], str]) -> str:
    return f'{{"key":{quote(name)},"value":'


class JsonWriter:
    r"""Writes contexts as ``application/json``.

    Args:
        zone: Time zone of the server, which shows in unmarked dates.
        short_escapes: Whether to write ``\n`` for ``\u000a``, and its like, as
            newer versions of .NET do.
    """

    content_type = "application/json"

    def __init__(self, zone: tzinfo = UTC, *, short_escapes: bool = False) -> None:
        self._zone = zone
        self._quote: Final = quote_short if short_escapes else quote
        text = self._quote
        self._writers: Mapping[type, Callable[[Any], str]] = {
            type(None): lambda _: "null",
            bool: _bool,
            int: str,
            Long: str,
            Sized: lambda value: str(value.value),
            float: double,
            Single: lambda value: double(value, 7),
            Decimal: lambda value: f"{value:f}",
            str: text,
            Char: text,
            Uri: text,
            Guid: lambda value: f'"{value}"',
            datetime: self._date,
            date: self._date,
            Moment: self._date,
            Duration: lambda value: f'"{value.text}"',
            Enumeration: lambda value: str(value.number),
            bytes: lambda value: f"[{','.join(map(str, value))}]",
            Option: lambda value: _option(value.value),
            Options: lambda value: f"[{','.join(map(_option, value.values))}]",
            Money: lambda value: f'{{{_mark("Money")}"Value":{value.value:f}}}',
            Managed: self._managed,
            Aliased: self._aliased,
            Reference: lambda value: self._reference(value, _mark("EntityReference")),
            References: lambda value: self._items(value.items),
            Relationship: lambda value: self._relationship(value, _mark("Relationship")),
            TextPairs: self._text_pairs,
            TextMap: self._text_pairs,
            Entity: lambda value: self._entity(value, _mark("Entity")),
            Entities: lambda value: self._entities(value, _mark("EntityCollection")),
            Array: lambda value: self._items(value.items),
            Structure: lambda value: self._structure(value, _mark(value.name)),
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

    def _date(self, value: date | Moment) -> str:
        return json_date(value if isinstance(value, Moment) else Moment.of(value), self._zone)

    def _text(self, value: str | None) -> str:
        return "null" if value is None else self._quote(value)

    def _items(self, items: Iterable[Value]) -> str:
        return f"[{','.join([self.value(item) for item in items])}]"

    def _collection(self, items: Mapping[str, Value]) -> str:
        writers, text = self._writers, self._quote
        pairs = [f"{_key(key, text)}{writers[type(value)](value)}}}" for key, value in items.items()]
        return f"[{','.join(pairs)}]"

    def _images(self, images: Mapping[str, Entity | None]) -> str:
        pairs = [
            f"{_key(alias, self._quote)}{'null' if image is None else self._entity(image)}}}"
            for alias, image in images.items()
        ]
        return f"[{','.join(pairs)}]"

    def _entity(self, entity: Entity, mark: str = "") -> str:
        text = self._quote
        labels = ",".join(
            [f"{_key(key, text)}{text(label)}}}" for key, label in entity.formatted_values.items()]
        )
        related = ",".join(
            [
                f'{{"key":{self._relationship(relationship)},"value":{self._entities(entities)}}}'
                for relationship, entities in entity.related
            ]
        )
        return (
            f'{{{mark}"Attributes":{self._collection(entity.attributes)},'
            f'"EntityState":{"null" if entity.state is None else entity.state},'
            f'"FormattedValues":[{labels}],"Id":"{entity.id}",'
            f'"KeyAttributes":{self._collection(entity.key_attributes)},'
            f'"LogicalName":{self._text(entity.logical_name)},"RelatedEntities":[{related}],'
            f'"RowVersion":{self._text(entity.row_version)}}}'
        )

    def _entities(self, value: Entities, mark: str = "") -> str:
        return (
            f'{{{mark}"Entities":[{",".join([self._entity(item) for item in value.items])}],'
            f'"EntityName":{self._text(value.logical_name)},'
            f'"MinActiveRowVersion":{self._text(value.min_version)},"MoreRecords":{_bool(value.more)},'
            f'"PagingCookie":{self._text(value.cookie)},"TotalRecordCount":{value.total},'
            f'"TotalRecordCountLimitExceeded":{_bool(value.total_exceeded)}}}'
        )

    def _reference(self, value: Reference, mark: str = "") -> str:
        return (
            f'{{{mark}"Id":"{value.id}","KeyAttributes":{self._collection(value.key_attributes)},'
            f'"LogicalName":{self._text(value.logical_name)},"Name":{self._text(value.name)},'
            f'"RowVersion":{self._text(value.row_version)}}}'
        )

    def _relationship(self, value: Relationship, mark: str = "") -> str:
        name = self._text(value.schema_name)
        return f'{{{mark}"PrimaryEntityRole":{_ROLES[value.role]},"SchemaName":{name}}}'

    def _managed(self, value: Managed) -> str:
        return (
            f'{{{_mark("BooleanManagedProperty")}"CanBeChanged":{_bool(value.can_be_changed)},'
            f'"ManagedPropertyLogicalName":{self._text(value.property_name)},"Value":{_bool(value.value)}}}'
        )

    def _aliased(self, value: Aliased) -> str:
        return (
            f'{{{_mark("AliasedValue")}"AttributeLogicalName":{self._text(value.column)},'
            f'"EntityLogicalName":{self._text(value.logical_name)},"NeedFormatting":false,"ReturnType":0,'
            f'"Value":{self.value(value.value)}}}'
        )

    def _structure(self, value: Structure, mark: str = "") -> str:
        members = [f"{self._quote(name)}:{self._member(member)}" for name, member in value.members.items()]
        return f"{{{mark if members else mark[:-1]}{','.join(members)}}}"

    def _member(self, value: Value) -> str:
        if isinstance(value, Array) and value.element is not Element.OBJECT:
            return f"[{','.join([self._member(item) for item in value.items])}]"
        return self._structure(value) if isinstance(value, Structure) else self.value(value)

    def _text_pairs(self, value: TextPairs | TextMap) -> str:
        text = self._quote
        pairs = [
            f'{{"__type":"{_PAIR_TYPE}","key":{text(key)},"value":{text(item)}}}' for key, item in value.items
        ]
        return f"[{','.join(pairs)}]"

    def _context(self, context: Context) -> str:
        members = (f'"{name}":{text}' for name, text in self._members(context) if text is not None)
        return f"{{{','.join(members)}}}"

    def _members(self, context: Context) -> Iterable[tuple[str, str | None]]:
        text = self._quote
        agent, extension = context.initiating_user_agent, context.owning_extension
        yield "BusinessUnitId", f'"{context.business_unit_id}"'
        yield "CorrelationId", f'"{context.correlation_id}"'
        yield "Depth", str(context.depth)
        yield "InitiatingUserAgent", None if agent is None else text(agent)
        yield "InitiatingUserAzureActiveDirectoryObjectId", _optional(context.initiating_user_azure_id)
        yield "InitiatingUserId", f'"{context.initiating_user_id}"'
        yield "InputParameters", self._collection(context.input_parameters)
        yield "IsExecutingOffline", _bool(context.is_executing_offline)
        yield "IsInTransaction", _bool(context.is_in_transaction)
        yield "IsOfflinePlayback", _bool(context.is_offline_playback)
        yield "IsolationMode", str(context.isolation_mode)
        yield "MessageName", text(context.message_name)
        yield "Mode", str(context.mode)
        yield "OperationCreatedOn", self._date(context.operation_created_on)
        yield "OperationId", f'"{context.operation_id}"'
        yield "OrganizationId", f'"{context.organization_id}"'
        yield "OrganizationName", text(context.organization_name)
        yield "OutputParameters", self._collection(context.output_parameters)
        yield "OwningExtension", "null" if extension is None else self._reference(extension)
        yield "ParentContext", "null" if context.parent is None else self._context(context.parent)
        yield "PostEntityImages", self._images(context.post_images)
        yield "PreEntityImages", self._images(context.pre_images)
        yield "PrimaryEntityId", f'"{context.primary_entity_id}"'
        yield "PrimaryEntityName", text(context.primary_entity_name)
        yield "RequestId", _optional(context.request_id) or "null"
        yield "SecondaryEntityName", text(context.secondary_entity_name)
        yield "SharedVariables", self._collection(context.shared_variables)
        yield "Stage", str(context.stage)
        yield "UserAzureActiveDirectoryObjectId", _optional(context.user_azure_id)
        yield "UserId", f'"{context.user_id}"'


@lru_cache(256)
def _mark(name: str) -> str:
    return f'"__type":"{name}{_CONTRACTS}",'


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _optional(value: Guid | None) -> str | None:
    return None if value is None else f'"{value}"'


def _option(value: int) -> str:
    return f'{{{_mark("OptionSetValue")}"Value":{value}}}'
