"""A context with its values left sealed: the quick decoding of the form the serializer writes.

DataContractJsonSerializer writes every member, compactly and in one order.
A body of that form is decoded without building what no row needs: values stay
byte spans, parent contexts are skipped.  The decoding is then written out
again; the same length means that every byte was accounted for, so no member
stood twice and none was unknown.  Any other body is not refused, only read
the slow and thorough way.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

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
Form = TypeVar("Form", bound=Struct)


class Pair(Struct, gc=False):
    """A key and its sealed value, or its sealed label."""

    key: str
    value: Raw


class SealedRecord(Struct, gc=False, kw_only=True):
    """An entity: a Target, or an image."""

    Attributes: list[Pair]
    EntityState: Optional = UNSET
    FormattedValues: list[Pair]
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


_CONTEXT: Final = msgspec.json.Decoder(SealedContext)
_RECORD: Final = msgspec.json.Decoder(SealedRecord)
_REFERENCE: Final = msgspec.json.Decoder(SealedReference)
_ENCODER: Final = msgspec.json.Encoder()
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Opener:
    """Opens what is of the familiar form, many at once; not for two threads at once.

    Every method returns ``None`` in place of what is of another form.
    """

    def __init__(self) -> None:
        self._again = bytearray()

    def contexts(self, bodies: Sequence[bytes]) -> Sequence[SealedContext | None]:
        """Return the contexts in bodies."""
        return self._open(_CONTEXT, bodies, 0)

    def records(self, sealed: Sequence[bytes]) -> Sequence[SealedRecord | None]:
        """Return the entities in parameters that begin as ``ENTITY``."""
        return self._open(_RECORD, sealed, len(ENTITY) - len(b"{"))

    def references(self, sealed: Sequence[bytes]) -> Sequence[SealedReference | None]:
        """Return the lookups in parameters that begin as ``REFERENCE``."""
        return self._open(_REFERENCE, sealed, len(REFERENCE) - len(b'{"Id":'))

    def images(self, sealed: Sequence[bytes]) -> Sequence[SealedRecord | None]:
        """Return the entities in images, where no type is written."""
        return self._open(_RECORD, sealed, 0)

    def _open(
        self, decoder: "msgspec.json.Decoder[Form]", sealed: Sequence[bytes], typed: int
    ) -> "Sequence[Form | None]":
        """Decode all, or one by one if any fails or leaves bytes unaccounted for.

        Encoding never makes text longer, so a sum that is right is right for
        every one.  ``typed`` bytes of each are the type, which is not encoded.
        """
        if sealed:
            try:
                opened = [decoder.decode(each) for each in sealed]
            except _BROKEN:
                opened = []
            _ENCODER.encode_into(opened, self._again)
            commas_and_brackets = len(sealed) + 1
            if len(self._again) == sum(map(len, sealed)) - typed * len(sealed) + commas_and_brackets:
                return opened
        if len(sealed) < 2:
            return [None] * len(sealed)
        return [one for each in sealed for one in self._open(decoder, (each,), typed)]
