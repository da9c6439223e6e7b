"""A context with its values left sealed: the quick decoding of the form the serializer writes.

DataContractJsonSerializer writes every member, compactly and in one order.
A body of that form is decoded without building what no row needs: values stay
byte spans, parent contexts are skipped.  The decoding is then written out
again; the same length means that every byte was accounted for, so no member
stood twice and none was unknown.  Any other body is not refused, only read
the slow and thorough way.
"""

from collections.abc import Sequence
from keyword import iskeyword
from typing import Final, Generic, TypeVar

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
S = TypeVar("S", bound=Struct)


class Pair(Struct, gc=False):
    """A key and its sealed value."""

    key: str
    value: Raw


class SealedRecord(Struct, gc=False, kw_only=True):
    """An entity: a Target, or an image; its pairs are sealed as a whole."""

    Attributes: Raw
    EntityState: Optional = UNSET
    FormattedValues: Raw
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
    """A lookup that is a Target."""

    Id: str
    KeyAttributes: Optional = UNSET
    LogicalName: str | None
    Name: str | UnsetType | None = UNSET
    RowVersion: Optional = UNSET


class SealedStep(Struct, gc=False, kw_only=True):
    """The step that a message was registered by."""

    Id: str
    KeyAttributes: Optional = UNSET
    LogicalName: Optional = UNSET
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
    IsExecutingOffline: bool | UnsetType = UNSET
    IsInTransaction: bool | UnsetType = UNSET
    IsOfflinePlayback: bool | UnsetType = UNSET
    IsolationMode: int | UnsetType = UNSET
    MessageName: str
    Mode: int
    OperationCreatedOn: Raw
    OperationId: str
    OrganizationId: Optional = UNSET
    OrganizationName: str | None
    OutputParameters: Optional = UNSET
    OwningExtension: SealedStep
    ParentContext: Optional = UNSET
    PostEntityImages: list[Pair]
    PreEntityImages: list[Pair]
    PrimaryEntityId: str
    PrimaryEntityName: str
    RequestId: Optional = UNSET
    SecondaryEntityName: Optional = UNSET
    SharedVariables: Optional = UNSET
    Stage: int | UnsetType = UNSET
    UserAzureActiveDirectoryObjectId: Optional = UNSET
    UserId: str | None


_ENCODER: Final = msgspec.json.Encoder()
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MOST_LEARNT: Final = 32


class _Shape(Generic[S]):
    """Decodes objects of one kind; learns members that later servers add, to keep them sealed."""

    def __init__(self, kind: type[S]) -> None:
        self._kind = kind
        self._learnt: list[str] = []
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, sealed: Sequence[bytes]) -> list[S]:
        """Return the objects; none if any cannot be decoded."""
        try:
            return [self._decoder.decode(each) for each in sealed]
        except _BROKEN:
            return []

    def decode_lines(self, lines: bytes) -> list[S]:
        """Return the objects of lines; none if any cannot be decoded."""
        try:
            return self._decoder.decode_lines(lines)
        except _BROKEN:
            return []

    def learn(self, sealed: bytes) -> bool:
        """Learn the members of an object; tell whether any was new."""
        known = {field.encode_name for field in msgspec.structs.fields(self._kind)} | set(self._learnt)
        new = [name for name in _OBJECT.decode(sealed) if name not in known and name.isidentifier()]
        new = [name for name in new if not name.startswith("_") and not iskeyword(name)]
        if not new or len(self._learnt) + len(new) > _MOST_LEARNT:
            return False
        self._learnt += new
        members = [(name, Optional, UNSET) for name in self._learnt]
        grown = msgspec.defstruct(self._kind.__name__, members, bases=(self._kind,), kw_only=True, gc=False)
        self._decoder = msgspec.json.Decoder(grown)
        return True


_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])


class Opener:
    """Opens what is of the familiar form, many at once; not for two threads at once.

    Every method returns ``None`` in place of what is of another form.
    """

    def __init__(self) -> None:
        self._again = bytearray()
        self._contexts = _Shape(SealedContext)
        self._records = _Shape(SealedRecord)
        self._references = _Shape(SealedReference)

    def contexts(self, bodies: Sequence[bytes], lines: bytes) -> Sequence[SealedContext | None]:
        """Return the contexts in bodies.

        A body of several lines leaves a line break unaccounted for, and is opened by itself.

        Args:
            bodies: The bodies.
            lines: The same, with a line break between.
        """
        opened = self._contexts.decode_lines(lines)
        if len(opened) == len(bodies) and self._accounted(opened, sum(map(len, bodies))):
            return opened
        return self._open(self._contexts, bodies, 0)

    def records(self, sealed: Sequence[bytes]) -> Sequence[SealedRecord | None]:
        """Return the entities in parameters that begin as ``ENTITY``."""
        return self._open(self._records, sealed, len(ENTITY) - len(b"{"))

    def references(self, sealed: Sequence[bytes]) -> Sequence[SealedReference | None]:
        """Return the lookups in parameters that begin as ``REFERENCE``."""
        return self._open(self._references, sealed, len(REFERENCE) - len(b'{"Id":'))

    def images(self, sealed: Sequence[bytes]) -> Sequence[SealedRecord | None]:
        """Return the entities in images, where no type is written."""
        return self._open(self._records, sealed, 0)

    def _open(self, shape: _Shape[S], sealed: Sequence[bytes], typed: int) -> Sequence[S | None]:
        """Decode all, or one by one if any fails or leaves bytes unaccounted for.

        Encoding never makes text longer, so a sum that is right is right for
        every one.  ``typed`` bytes of each are the type, which is not encoded.
        """
        if not sealed:
            return []
        opened = shape.decode(sealed)
        if opened and self._accounted(opened, sum(map(len, sealed)) - typed * len(sealed)):
            return opened
        if len(sealed) > 1:
            return [one for each in sealed for one in self._open(shape, (each,), typed)]
        if opened and shape.learn(sealed[0]):
            return self._open(shape, sealed, typed)
        return [None]

    def _accounted(self, opened: Sequence[Struct], length: int) -> bool:
        """Tell whether objects are written in so many bytes."""
        _ENCODER.encode_into(opened, self._again)
        commas_and_brackets = len(opened) + 1
        return len(self._again) == length + commas_and_brackets
