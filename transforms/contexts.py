"""A message taken apart: what every encoding decodes to, before it becomes rows.

A decoder turns bytes into a :class:`Context`; :mod:`cdsbridge.transforms.rows`
turns that into rows.  Values keep what their encoding told and no more: a date
in JSON is a text until a column's kind is known, one in XML is an instant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from ..tables.types import Kind

NO_ID = "00000000-0000-0000-0000-000000000000"
"""The GUID that stands for none."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as its text, so that no digit is lost.

    Attributes:
        text: As the encoding has it, or as JSON would.
        kind: INTEGER, DECIMAL or DOUBLE where the encoding tells; JSON does not.
    """

    text: str
    kind: Kind | None = None


class PlainText(str):
    """A text that reads as a date of .NET in JSON, from an encoding that says it is none."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time, or a wall clock that Dataverse means as UTC.

    Attributes:
        ticks: Units of 100 nanoseconds since 1970 UTC.
    """

    ticks: int


@dataclass(frozen=True, slots=True)
class Money:
    """An amount as its text."""

    text: str


@dataclass(frozen=True, slots=True)
class Option:
    """The code of a choice."""

    code: int


@dataclass(frozen=True, slots=True)
class Options:
    """The codes of a multi-select choice, in the order sent."""

    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A lookup.

    Attributes:
        id: GUID text; all zeros where ``keys`` names the row instead.
        table: Logical name of the row's table.
        name: Its primary name, where the sender filled it.
        keys: The alternate key as JSON text, or the empty string.
    """

    id: str
    table: str | None
    name: str | None
    keys: str = ""


@dataclass(frozen=True, slots=True)
class Binary:
    """The bytes of an image."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Empty:
    """An empty list: of choices, parties or bytes, JSON does not say which."""


@dataclass(frozen=True, slots=True)
class Relationship:
    """A relationship between tables.

    Attributes:
        name: Its schema name.
        role: 0 where the target refers, 1 where it is referred to, ``None`` between two tables
            (https://learn.microsoft.com/dotnet/api/microsoft.xrm.sdk.entityrole).
    """

    name: str
    role: int | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value of a type that has no column.

    Attributes:
        json: The value as JSON text, digits as sent.
    """

    json: str


@dataclass(frozen=True, slots=True)
class Record:
    """An entity: a row, or the part of it that was sent.

    Attributes:
        table: Logical name, or the empty string.
        id: GUID text, all zeros, or the empty string.
        attributes: Key, as sent, to value; ``None`` means set to null.
        labels: Key to the text a person would see for the value.
    """

    table: str
    id: str
    attributes: Mapping[str, "Value"] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Records:
    """A list of entities.

    Attributes:
        records: The entities.
        table: The table they are all of, or the empty string.
        spelling: The same as JSON text, when it is asked for.
    """

    records: tuple[Record, ...]
    table: str
    spelling: "Spelling"


@dataclass(frozen=True, slots=True)
class References:
    """A list of lookups.

    Attributes:
        references: The lookups.
        spelling: The same as JSON text, when it is asked for.
    """

    references: tuple[Reference, ...]
    spelling: "Spelling"


class Spelling(Protocol):
    """The JSON text of a value, made when it is wanted."""

    def __call__(self) -> str:
        """Return the text.

        Raises:
            MessageRejected: ``too-large``: it nests too deep.
        """


def _no_list() -> str:
    return "[]"


Value: TypeAlias = (
    bool
    | str
    | Number
    | Instant
    | Money
    | Option
    | Options
    | Reference
    | References
    | Relationship
    | Binary
    | Empty
    | Unknown
    | Records
    | None
)
"""What an attribute or a parameter may hold."""


@dataclass(frozen=True, slots=True)
class Context:
    """The execution context of one event: what rows are made of.

    Attributes:
        message: Name of the message (``Update``).
        table: PrimaryEntityName, lower case; empty for none.
        id: PrimaryEntityId, lower case; empty for none.
        created_on: OperationCreatedOn, microseconds since 1970 UTC.
        asynchronous: The platform's asynchronous service sent it.
        depth: Nesting of plug-in calls.
        operation_id: The job that sent it; empty for none.
        step_id: The step registered for it (OwningExtension); empty for none.
        correlation_id, user_id, initiating_user_id, organization: As sent.
        inputs: The input parameters a row is made of; empty for events.
        created_ids: Ids in the output parameters of a Create or CreateMultiple.
        pre_images: Of a delete, those that count: alias and record, in order.
        post_images: Of a message about one row, the same.
        parameters: All input parameters, when they are asked for.
        outputs: All output parameters, likewise.
        bare: Parameters, images and parent are all empty, as the sender leaves
            them when the message would be too large.
    """

    message: str
    table: str
    id: str
    created_on: int | None
    asynchronous: bool = False
    depth: int | None = None
    operation_id: str = ""
    step_id: str = ""
    correlation_id: str | None = None
    user_id: str | None = None
    initiating_user_id: str | None = None
    organization: str | None = None
    inputs: Mapping[str, Value] = field(default_factory=dict)
    created_ids: tuple[str, ...] = ()
    pre_images: tuple[tuple[str, Record], ...] = ()
    post_images: tuple[tuple[str, Record], ...] = ()
    parameters: Spelling = _no_list
    outputs: Spelling = _no_list
    bare: bool = False
