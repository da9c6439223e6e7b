"""What Dataverse sends and which columns that becomes, as a page: made from the tables in the code.

For each kind of column a sample goes through the same rules that messages go
through, so the page cannot say what is not so.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from ..tables.columns import FLATTENED, history_name
from ..tables.metadata import ATTRIBUTE_TYPES
from ..tables.names import EVENT_TABLE, PARTY_TABLE
from ..tables.types import ARROW, ColumnTypes, Kind
from .cells import cells
from .changes import Change, Said
from .contexts import Binary, Instant, Money, Number, Option, Options, Record, Records, Reference, Value
from .messages import MEANINGS, PAIRING, PARTY_ROLES

_COLUMN: Final = "x"
_GUID: Final = "11111111-1111-4111-8111-111111111111"


class _Sample(NamedTuple):
    """A value of a kind, and how the encodings write it."""

    value: Value
    label: str | None
    json: str
    xml: str
    note: str = ""


_SAMPLES: Final[dict[Kind, _Sample]] = {
    Kind.TEXT: _Sample("a", None, '`"a"`', "`string`, `guid`, `duration`, `anyURI`"),
    Kind.INTEGER: _Sample(Number("5"), None, "`5`", "`int`, `long`, `short`, `byte`, unsigned ones"),
    Kind.DECIMAL: _Sample(Number("1.50"), None, "`1.50`", "`decimal`", "also a JSON number without metadata"),
    Kind.MONEY: _Sample(
        Money("1.50"),
        None,
        '`{"__type":"Money:…","Value":1.50}`',
        "`Money`",
        "its base and currency are columns of their own: `x_base`, `transactioncurrencyid`, `exchangerate`",
    ),
    Kind.DOUBLE: _Sample(Number("0.1"), None, "`0.1`", "`double`, `float`"),
    Kind.BOOLEAN: _Sample(
        True, "Yes", "`true`, managed properties as objects", "`boolean`, `BooleanManagedProperty`"
    ),
    Kind.INSTANT: _Sample(
        Instant(0),
        None,
        r'`"\/Date(1722582039000)\/"`, with an offset where unmarked',
        "`dateTime`",
        "UTC; JSON has milliseconds, XML 100 nanoseconds, the column microseconds",
    ),
    Kind.DATE: _Sample(
        Instant(0), None, r'`"\/Date(-57600000-0800)\/"`', "`dateTime` at midnight", "by metadata"
    ),
    Kind.CHOICE: _Sample(
        Option(3),
        "Three",
        '`{"__type":"OptionSetValue:…","Value":3}`',
        "`OptionSetValue`",
        "label where sent",
    ),
    Kind.CHOICES: _Sample(
        Options((1, 3)),
        "One; Three",
        "array of `OptionSetValue`",
        "`OptionSetValueCollection`",
        "codes and labels joined, `1;3` and `One; Three`",
    ),
    Kind.LOOKUP: _Sample(
        Reference(_GUID, "account", "A"),
        None,
        '`{"__type":"EntityReference:…","Id":…,"LogicalName":…,"Name":…}`',
        "`EntityReference`",
        "an alternate key without id stands in `_extra`",
    ),
    Kind.BINARY: _Sample(
        Binary(b"\x01"), None, "array of numbers", "`base64Binary`", "only with `flatten.binaries: true`"
    ),
    Kind.PARTIES: _Sample(
        Records((Record("activityparty", _GUID),), PARTY_TABLE, lambda: "[]"),
        None,
        "`EntityCollection`, or array of `Entity`",
        "`EntityCollection`, `ArrayOfEntity`",
        f"rows of `{history_name(PARTY_TABLE)}`, one a party",
    ),
}

_ELSEWHERE: Final = """\
An aliased value is taken for the value in it; its column is `alias.column`.

What has no column of its own (an unknown type, an entity, a list of lookups) stands in
`_extra` under the attribute's name, as JSON. So does a value that its column cannot hold
exactly, such as a decimal of 28 decimals or half a surrogate pair: the column is null then,
and its name is in `_changed`."""

_SOURCES: Final = """\
Per column the later source wins: pre image (of deletes only), target, post image.
`_changed` names the columns that were sent, those set to null included."""


def columns_page() -> str:
    """Return the page, in Markdown."""
    return "\n".join([*_attributes(), *_elsewhere(), *_messages(), *_parties(), *_system(), ""])


def _attributes() -> Iterator[str]:
    yield "# What Dataverse sends, and which columns you get"
    yield ""
    yield "This page is made from the code: `make docs` writes it, and a test compares it."
    yield ""
    yield "## Attributes"
    yield ""
    yield f"An attribute `{_COLUMN}` of a row becomes these columns of the table's history."
    yield ""
    yield "| Dataverse type | in JSON | type in XML and binary | columns | note |"
    yield "|---|---|---|---|---|"
    for kind in Kind:
        sample = _SAMPLES[kind]
        names = ", ".join(name for name, known in ATTRIBUTE_TYPES.items() if known is kind)
        if kind is Kind.DATE:
            names = "DateTime, DateOnly"
        yield f"| {names} | {sample.json} | {sample.xml} | {_columns(kind)} | {sample.note} |"
    yield ""


def _columns(kind: Kind) -> str:
    sample = _SAMPLES[kind]
    types = ColumnTypes({"t": {_COLUMN: kind}})
    change = Change("t", _GUID, "update", 0, {_COLUMN: Said(sample.value, sample.label)})
    found = cells(change, types, binaries=True).found
    return ", ".join(f"`{cell.column}` {ARROW[cell.kind]}" for cell in found) or "none"


def _elsewhere() -> Iterator[str]:
    yield from _ELSEWHERE.splitlines()
    yield ""


def _messages() -> Iterator[str]:
    yield "## Messages"
    yield ""
    yield "| message | rows |"
    yield "|---|---|"
    for message, meaning in MEANINGS.items():
        many = (
            "one row for each of `Targets`" if meaning.target == "Targets" else f"one row, `{meaning.target}`"
        )
        parts = [f"{meaning.op}: {many}"]
        parts += [f"`{parameter}` is column `{column}`" for parameter, column in meaning.columns.items()]
        if meaning.content:
            parts.append(f"with the columns of `{meaning.content}`")
        if meaning.loser:
            parts.append(f"and the row `{meaning.loser}`, with `merged` and `masterid`")
        yield f"| {message} | {'; '.join(parts)} |"
    for message, op in PAIRING.items():
        yield f"| {message} | {op}: one row for each pair, in the intersect table of the relationship |"
    yield f"| any other | one row of `{history_name(EVENT_TABLE)}`, with `parameters` and `outputs` as JSON |"
    yield ""
    yield from _SOURCES.splitlines()
    yield ""


def _parties() -> Iterator[str]:
    yield "## Party lists"
    yield ""
    yield "| column | `participationtypemask` |"
    yield "|---|---|"
    for column, role in PARTY_ROLES.items():
        yield f"| `{column}` | {role} |"
    yield ""


def _system() -> Iterator[str]:
    yield "## Columns of every history table"
    yield ""
    yield "| column | type |"
    yield "|---|---|"
    for name, kind in FLATTENED.items():
        yield f"| `{name}` | {kind} |"
