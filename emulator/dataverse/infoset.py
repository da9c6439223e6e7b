"""Contexts as XML elements, told to a sink that writes text or records.

One walk for both XML forms, so that they cannot differ in meaning.  Names,
namespaces and order are those of .NET's DataContractSerializer: members in
alphabetical order, ``i:type`` only where the static type is ``object``, a
namespace declared on the first element that needs it, under the first letter
that is free there.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from .context import Context
from .contracts import ARRAYS, CONTRACTS_9_0, ELEMENTS, GENERIC, contract
from .scalars import (
    CONTRACTS,
    CONTRACTS_7_1,
    Char,
    Duration,
    Enumeration,
    Guid,
    Long,
    Moment,
    Single,
    Sized,
    Uri,
)
from .sink import Sink
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

_ANY: Final = "KeyValuePairOfstringanyType"
_STATES: Final = ("Unchanged", "Created", "Changed")
_LETTERS: Final = "abcdefghjklmnopqrstuvwxyz"
_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
_RUNS: Final = frozenset(
    {Element.BOOLEAN, Element.DATE_TIME, Element.DECIMAL, Element.DOUBLE, Element.INT32, Element.INT64}
)


class Infoset:
    """Tells a sink the elements of one context.

    Args:
        sink: Takes them.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._scopes: list[list[tuple[str, str]]] = []
        self._prefixes: dict[str, str] = {}
        self._bodies: Mapping[type, Callable[[Any], None]] = {
            bool: sink.boolean,
            int: sink.number,
            Long: sink.number,
            Sized: lambda value: sink.number(value.value),
            float: sink.double,
            Single: sink.single,
            Decimal: sink.decimal,
            str: sink.text,
            Guid: sink.text,
            Uri: sink.text,
            Char: lambda value: sink.number(ord(value)),
            datetime: lambda value: sink.date(Moment.of(value)),
            date: lambda value: sink.date(Moment.of(value)),
            Moment: sink.date,
            Duration: lambda value: sink.text(value.text),
            Enumeration: lambda value: sink.text(value.name),
            bytes: sink.data,
            Option: lambda value: self._member("Value", value.value),
            Options: self._options,
            Money: lambda value: self._member("Value", value.value),
            Managed: self._managed,
            Aliased: self._aliased,
            Reference: self._reference,
            References: lambda value: self._each("EntityReference", value.items),
            Relationship: self._relationship,
            TextPairs: lambda value: self._texts(
                value.items, "KeyValuePairOfstringstring", GENERIC, "key value"
            ),
            TextMap: lambda value: self._texts(value.items, "KeyValueOfstringstring", ARRAYS, "Key Value"),
            Entity: self._entity,
            Entities: self._entities,
            Array: self._array,
            Structure: self._structure,
        }

    def write(self, context: Context) -> None:
        """Tell the whole document.

        Raises:
            KeyError: A value is of a type the model does not have.
        """
        self._sink.start("", "RemoteExecutionContext")
        self._scopes.append([])
        self._bind("", CONTRACTS)
        self._bind("i", _INSTANCE)
        self._context(context)
        self._end()

    def _start(self, name: str, uri: str = CONTRACTS) -> None:
        self._sink.start(self._prefixes[uri], name)
        self._scopes.append([])

    def _end(self) -> None:
        for _, uri in self._scopes.pop():
            del self._prefixes[uri]
        self._sink.end()

    def _bind(self, prefix: str, uri: str) -> None:
        self._scopes[-1].append((prefix, uri))
        self._prefixes[uri] = prefix
        self._sink.declare(prefix, uri)

    def _free(self) -> str:
        taken = self._prefixes.values()
        return next(letter for letter in _LETTERS if letter not in taken)

    def _need(self, uri: str) -> None:
        if uri not in self._prefixes:
            self._bind(self._free(), uri)

    def _kind(self, name: str, uri: str) -> None:
        prefix = self._prefixes.get(uri)
        if prefix is None:
            prefix = self._free()
            self._sink.kind(prefix, name)
            self._bind(prefix, uri)
        else:
            self._sink.kind(prefix, name)

    def _member(self, name: str, value: Value) -> None:
        """A member, or an item, whose type the contract says."""
        self._start(name)
        if value is None:
            self._sink.nil()
        else:
            self._bodies[type(value)](value)
        self._end()

    def _any(self, name: str, uri: str, value: Value) -> None:
        """A member, or an item, of type ``object``."""
        self._start(name, uri)
        if value is None:
            self._sink.nil()
        else:
            self._kind(*contract(value))
            self._bodies[type(value)](value)
        self._end()

    def _collection(self, name: str, items: Mapping[str, Value], uri: str = CONTRACTS) -> None:
        self._start(name)
        self._need(uri)
        self._need(GENERIC)
        for key, value in items.items():
            self._start(_ANY, uri)
            self._text("key", GENERIC, key)
            self._any("value", GENERIC, value)
            self._end()
        self._end()

    def _text(self, name: str, uri: str, value: str) -> None:
        self._start(name, uri)
        self._sink.text(value)
        self._end()

    def _texts(self, items: tuple[tuple[str, str], ...], item: str, uri: str, names: str) -> None:
        key, value = names.split()
        for name, text in items:
            self._start(item, uri)
            self._text(key, uri, name)
            self._text(value, uri, text)
            self._end()

    def _each(self, name: str, items: tuple[Value, ...], uri: str = CONTRACTS) -> None:
        for item in items:
            self._start(name, uri)
            if item is None:
                self._sink.nil()
            else:
                self._bodies[type(item)](item)
            self._end()

    def _options(self, value: Options) -> None:
        for number in value.values:
            self._start("OptionSetValue", CONTRACTS_9_0)
            self._member("Value", number)
            self._end()

    def _managed(self, value: Managed) -> None:
        self._member("CanBeChanged", value.can_be_changed)
        self._member("ManagedPropertyLogicalName", value.property_name)
        self._member("Value", value.value)

    def _aliased(self, value: Aliased) -> None:
        self._member("AttributeLogicalName", value.column)
        self._member("EntityLogicalName", value.logical_name)
        self._member("NeedFormatting", False)
        self._member("ReturnType", 0)
        self._any("Value", CONTRACTS, value.value)

    def _reference(self, value: Reference) -> None:
        self._member("Id", value.id)
        self._collection("KeyAttributes", value.key_attributes, CONTRACTS_7_1)
        self._member("LogicalName", value.logical_name)
        self._member("Name", value.name)
        self._member("RowVersion", value.row_version)

    def _relationship(self, value: Relationship) -> None:
        self._member("PrimaryEntityRole", value.role)
        self._member("SchemaName", value.schema_name)

    def _entity(self, value: Entity) -> None:
        self._collection("Attributes", value.attributes)
        self._member("EntityState", None if value.state is None else _STATES[value.state])
        self._start("FormattedValues")
        self._need(GENERIC)
        for key, label in value.formatted_values.items():
            self._start("KeyValuePairOfstringstring")
            self._text("key", GENERIC, key)
            self._text("value", GENERIC, label)
            self._end()
        self._end()
        self._member("Id", value.id)
        self._collection("KeyAttributes", value.key_attributes, CONTRACTS_7_1)
        self._member("LogicalName", value.logical_name)
        self._start("RelatedEntities")
        self._need(GENERIC)
        for relationship, entities in value.related:
            self._pair("KeyValuePairOfRelationshipEntityCollectionX_PsK4FkN", relationship, entities)
        self._end()
        self._member("RowVersion", value.row_version)

    def _pair(self, item: str, key: Value, value: Value) -> None:
        self._start(item)
        self._each("key", (key,), GENERIC)
        self._each("value", (value,), GENERIC)
        self._end()

    def _entities(self, value: Entities) -> None:
        self._start("Entities")
        self._each("Entity", value.items)
        self._end()
        self._member("EntityName", value.logical_name)
        self._member("MinActiveRowVersion", value.min_version)
        self._member("MoreRecords", value.more)
        self._member("PagingCookie", value.cookie)
        self._member("TotalRecordCount", value.total)
        self._member("TotalRecordCountLimitExceeded", value.total_exceeded)

    def _array(self, value: Array) -> None:
        name, uri = ELEMENTS[value.element]
        self._need(uri)
        if value.element in _RUNS:
            items = tuple([Moment.of(item) if isinstance(item, date) else item for item in value.items])
            self._sink.run(self._prefixes[uri], name, value.element, items)
        elif value.element is Element.OBJECT:
            for item in value.items:
                self._any(name, uri, item)
        else:
            self._each(name, value.items, uri)

    def _structure(self, value: Structure) -> None:
        for name, member in value.members.items():
            self._member(name, member)

    def _images(self, name: str, images: Mapping[str, Entity]) -> None:
        self._start(name)
        self._need(GENERIC)
        for alias, image in images.items():
            self._pair("KeyValuePairOfstringEntitygUGIFE1S", alias, image)
        self._end()

    def _context(self, context: Context) -> None:
        member = self._member
        member("BusinessUnitId", context.business_unit_id)
        member("CorrelationId", context.correlation_id)
        member("Depth", context.depth)
        if context.initiating_user_agent is not None:
            member("InitiatingUserAgent", context.initiating_user_agent)
        if context.initiating_user_azure_id is not None:
            member("InitiatingUserAzureActiveDirectoryObjectId", context.initiating_user_azure_id)
        member("InitiatingUserId", context.initiating_user_id)
        self._collection("InputParameters", context.input_parameters)
        member("IsExecutingOffline", context.is_executing_offline)
        member("IsInTransaction", context.is_in_transaction)
        member("IsOfflinePlayback", context.is_offline_playback)
        member("IsolationMode", context.isolation_mode)
        member("MessageName", context.message_name)
        member("Mode", context.mode)
        member("OperationCreatedOn", context.operation_created_on)
        member("OperationId", context.operation_id)
        member("OrganizationId", context.organization_id)
        member("OrganizationName", context.organization_name)
        self._collection("OutputParameters", context.output_parameters)
        member("OwningExtension", context.owning_extension)
        self._parent(context.parent)
        self._images("PostEntityImages", context.post_images)
        self._images("PreEntityImages", context.pre_images)
        member("PrimaryEntityId", context.primary_entity_id)
        member("PrimaryEntityName", context.primary_entity_name)
        member("RequestId", context.request_id)
        member("SecondaryEntityName", context.secondary_entity_name)
        self._collection("SharedVariables", context.shared_variables)
        member("Stage", context.stage)
        if context.user_azure_id is not None:
            member("UserAzureActiveDirectoryObjectId", context.user_azure_id)
        member("UserId", context.user_id)

    def _parent(self, parent: Context | None) -> None:
        self._start("ParentContext")
        if parent is None:
            self._sink.nil()
        else:
            self._context(parent)
        self._end()
