"""A context with its values left sealed: the quick decoding of the form the serializer writes.

DataContractJsonSerializer writes every member, compactly and in one order.
A body of that form is decoded without building what no row needs: values stay
byte spans, parent contexts are skipped.  The decoding is then written out
again; the same length means that every byte was accounted for, so no member
stood twice and none was unknown.  Any other body is not refused, only read
the slow and thorough way.
"""

from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

ENTITY: Final = b'{"__type":"Entity:http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts",'
REFERENCE: Final = (
    b'{"__type":"EntityReference:http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts","Id":'
)
OPTION: Final = (
    b'{"__type":"OptionSetValue:http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts","Value":'
)
MONEY: Final = b'{"__type":"Money:http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts","Value":'
"""How typed values begin; the serializer writes ``__type`` first and escapes every slash."""

Optional = Raw | UnsetType


class Pair(Struct, gc=False):
    """A key and its sealed value."""

    key: str
    value: Raw


class Label(Struct, gc=False):
    """A key and the text a person would see for its value, sealed."""

    key: str
    value: Raw


class SealedRecord(Struct, gc=False, kw_only=True):
    """An entity: a Target, or an image."""

    Attributes: list[Pair]
    EntityState: Optional = UNSET
    FormattedValues: list[Label]
    HasLazyFileAttribute: Optional = UNSET
    Id: str
    KeyAttributes: Optional = UNSET
    LazyFileAttributeKey: Optional = UNSET
    LazyFileAttributeValue: Optional = UNSET
    LazyFileSizeAttributeKey: Optional = UNSET
    LazyFileSizeAttributeValue: Optional = UNSET
    LogicalName: str
    RelatedEntities: Optional = UNSET
    RowVersion: Optional = UNSET


class SealedReference(Struct, gc=False, kw_only=True):
    """A lookup that is a Target, or the step that sent the message."""

    Id: str
    KeyAttributes: Optional = UNSET
    LogicalName: str | None
    Name: Optional = UNSET
    RowVersion: Optional = UNSET


class SealedContext(Struct, gc=False, kw_only=True):
    """An execution context; members that no row needs are sealed too."""

    BusinessUnitId: Optional = UNSET
    CorrelationId: str | None
    Depth: int
    InitiatingUserAgent: Optional = UNSET
    InitiatingUserAzureActiveDirectoryObjectId: Optional = UNSET
    InitiatingUserId: str | None
    InputParameters: list[Pair]
    IsExecutingOffline: Optional = UNSET
    IsInTransaction: Optional = UNSET
    IsOfflinePlayback: Optional = UNSET
    IsolationMode: Optional = UNSET
    MessageName: str
    Mode: int
    OperationCreatedOn: Raw
    OperationId: str
    OrganizationId: Optional = UNSET
    OrganizationName: str | None
    OutputParameters: Optional = UNSET
    OwningExtension: SealedReference
    ParentContext: Optional = UNSET
    PostEntityImages: list[Pair]
    PreEntityImages: list[Pair]
    PrimaryEntityId: str
    PrimaryEntityName: str
    RequestId: Optional = UNSET
    SecondaryEntityName: Optional = UNSET
    SharedVariables: Optional = UNSET
    Stage: Optional = UNSET
    UserAzureActiveDirectoryObjectId: Optional = UNSET
    UserId: str | None


class Unfamiliar(Exception):
    """A body is not of the form the serializer writes; it may be sound all the same."""


_CONTEXT: Final = msgspec.json.Decoder(SealedContext)
_RECORD: Final = msgspec.json.Decoder(SealedRecord)
_REFERENCE: Final = msgspec.json.Decoder(SealedReference)
_ENCODER: Final = msgspec.json.Encoder()
_TYPED_ENTITY: Final = len(ENTITY) - 1
_TYPED_REFERENCE: Final = len(REFERENCE) - len(b'{"Id":')
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Opener:
    """Opens what is of the familiar form; not for two threads at once.

    Every method raises :class:`Unfamiliar` for anything else.
    """

    def __init__(self) -> None:
        self._again = bytearray()

    def context(self, body: bytes) -> SealedContext:
        """Return the context in a body."""
        try:
            context = _CONTEXT.decode(body)
        except _BROKEN as error:
            raise Unfamiliar from error
        self._check(context, len(body))
        return context

    def target(self, sealed: bytes) -> SealedRecord | SealedReference:
        """Return the entity or lookup in a parameter."""
        try:
            if sealed.startswith(ENTITY):
                record = _RECORD.decode(sealed)
                self._check(record, len(sealed) - _TYPED_ENTITY)
                return record
            if sealed.startswith(REFERENCE):
                reference = _REFERENCE.decode(sealed)
                self._check(reference, len(sealed) - _TYPED_REFERENCE)
                return reference
        except _BROKEN as error:
            raise Unfamiliar from error
        raise Unfamiliar

    def record(self, sealed: bytes) -> SealedRecord:
        """Return the entity in a parameter."""
        record = self.target(sealed)
        if not isinstance(record, SealedRecord):
            raise Unfamiliar
        return record

    def image(self, sealed: bytes) -> SealedRecord:
        """Return the entity in an image, which has no type written."""
        try:
            image = _RECORD.decode(sealed)
        except _BROKEN as error:
            raise Unfamiliar from error
        self._check(image, len(sealed))
        return image

    def _check(self, opened: Struct, length: int) -> None:
        _ENCODER.encode_into(opened, self._again)
        if len(self._again) != length:
            raise Unfamiliar
