"""Any context: strategies for round trips through the three encodings.

What a text may hold is the one thing the encodings differ in, so it is a
parameter: characters that XML 1.0 forbids are no well-formed XML (JSON and
binary carry them), and a lone surrogate is lost in XML and refused in binary.
"""

from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from cdsbridge.emulator.dataverse.context import Context
from cdsbridge.emulator.dataverse.scalars import (
    CONTRACTS_7_1,
    Char,
    Duration,
    Enumeration,
    Guid,
    Kind,
    Long,
    Moment,
    Single,
    Sized,
    Uri,
    Width,
)
from cdsbridge.emulator.dataverse.values import (
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

T = TypeVar("T")
INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
_FORBIDDEN = "".join(map(chr, [*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF]))
_TRICKY = (
    "", "0", "1", "true", "null", "/Date(1)/", "NaN", "<a>&amp;]]>", 'a"b\\c', "line\r\nline\t", " lead",
    "\ufeff", "日本語" * 40, "ä" * 86, "x" * 600, "😀" * 300, "\x85\u2028\u2029",
    "0f8fad5b-d9cb-469f-a165-70867728950e",
)  # fmt: skip
_DAY = 864_000_000_000
_TICKS = 3_155_378_976_000_000_000
"""One tick after the last that .NET can hold."""


def texts(*, illegal: bool = False, surrogates: bool = False) -> st.SearchStrategy[str]:
    """Return texts: short ones, and ones on which records and escapes turn.

    Args:
        illegal: Characters that XML 1.0 forbids among them.
        surrogates: Lone surrogates among them.
    """
    characters = st.characters(
        exclude_categories=[] if surrogates else ["Cs"],
        exclude_characters="" if illegal else _FORBIDDEN,
    )
    return st.text(characters, max_size=12) | st.sampled_from(_TRICKY)


def guids() -> st.SearchStrategy[Guid]:
    return st.uuids().map(lambda key: Guid(str(key))) | st.just(Guid("00000000-0000-0000-0000-000000000000"))


def decimals() -> st.SearchStrategy[Decimal]:
    """Return what .NET's decimal holds: 96 bits, 28 places, every zero kept; no negative zero."""

    def made(number: int, places: int) -> Decimal:
        digits = tuple(map(int, str(abs(number))))
        return Decimal((int(number < 0), digits, -places))

    edge = 2**96 - 1
    numbers = st.integers(-(10**12), 10**12) | st.sampled_from([0, edge, -edge, edge // 10])
    return st.builds(made, numbers, st.integers(0, 28) | st.sampled_from([0, 2, 4]))


def moments(*, local: bool = True) -> st.SearchStrategy[Moment]:
    """Return dates of every kind to a tenth of a microsecond.

    Args:
        local: Dates of kind Local among them, which Dataverse does not send.
    """
    ticks = st.integers(_DAY, _TICKS - _DAY) | st.sampled_from([_DAY, 621_355_968_000_000_000, _TICKS - _DAY])
    whole = ticks.map(lambda each: each // 10_000_000 * 10_000_000)
    kinds = [Kind.UTC, Kind.UNSPECIFIED]
    marked = st.builds(Moment, ticks | whole, st.sampled_from(kinds))
    offsets = st.integers(-14 * 60, 14 * 60)
    return marked | st.builds(Moment, ticks, st.just(Kind.LOCAL), offsets) if local else marked


def doubles() -> st.SearchStrategy[float]:
    """Return finite doubles; whole ones often, since binary writes those as whole numbers."""
    return (
        st.floats(allow_nan=False, allow_infinity=False)
        | INT64.map(float)
        | st.sampled_from([0.0, 1.0, 1e18])
    )


def singles() -> st.SearchStrategy[Single]:
    return st.floats(allow_nan=False, allow_infinity=False, width=32).map(Single)


def _sized(width: Width, least: int, most: int) -> st.SearchStrategy[Sized]:
    return st.integers(least, most).map(lambda value: Sized(width, value))


def sized() -> st.SearchStrategy[Sized]:
    return st.one_of(
        _sized(Width.BYTE, 0, 2**8 - 1),
        _sized(Width.SBYTE, -(2**7), 2**7 - 1),
        _sized(Width.INT16, -(2**15), 2**15 - 1),
        _sized(Width.UINT16, 0, 2**16 - 1),
        _sized(Width.UINT32, 0, 2**32 - 1),
        _sized(Width.UINT64, 0, 2**64 - 1),
    )


class Model:
    """Strategies of values that share one strategy of texts.

    Args:
        text: The texts.
        local: Whether dates may be of kind Local.
    """

    def __init__(self, text: st.SearchStrategy[str], *, local: bool = True) -> None:
        self.text = text
        self.moment = moments(local=local)
        self.name = st.sampled_from(["account", "contact", "activityparty", "cr1_projekt"])
        self.key = text | st.sampled_from(["name", "Name", "key", "__type", "Attributes", "null"])
        self.optional_text = st.none() | text
        self.version = st.none() | st.integers(1, 10**9).map(str)
        self.relationship = st.builds(
            Relationship, text, st.sampled_from([None, "Referencing", "Referenced"])
        )
        self.value = self._values()

    def mapping(self, values: st.SearchStrategy[T], most: int = 3) -> st.SearchStrategy[dict[str, T]]:
        return st.dictionaries(self.key, values, max_size=most)

    def simple(self) -> st.SearchStrategy[Value]:
        """Values that hold no others, as columns have them."""
        return st.one_of(
            st.none(),
            self.text,
            st.booleans(),
            INT32,
            INT64.map(Long),
            decimals(),
            doubles(),
            guids(),
            self.moment,
            st.binary(max_size=8) | st.binary(min_size=200, max_size=700),
            INT32.map(Option),
            st.lists(INT32, max_size=4).map(lambda numbers: Options(tuple(numbers))),
            decimals().map(Money),
            st.builds(Managed, st.booleans(), st.booleans(), self.optional_text),
        )

    def reference(self) -> st.SearchStrategy[Reference]:
        keys = self.mapping(self.simple(), 2)
        return st.builds(Reference, guids(), self.name, self.optional_text, keys, self.version)

    def entity(self, values: st.SearchStrategy[Value] | None = None) -> st.SearchStrategy[Entity]:
        """Rows of columns; of any values at all where those are given."""
        columns = self.simple() | self.reference()
        related = st.tuples(self.relationship, self.entities()) if values is not None else st.nothing()
        return st.builds(
            Entity,
            self.name,
            guids(),
            self.mapping(columns if values is None else values),
            self.mapping(self.text, 2),
            self.mapping(self.simple(), 1),
            st.just(()) if values is None else st.lists(related, max_size=1).map(tuple),
            st.sampled_from([None, None, 0, 1, 2]),
            self.version,
        )

    def entities(self, values: st.SearchStrategy[Value] | None = None) -> st.SearchStrategy[Entities]:
        rows = self.entity(values)
        return st.builds(
            Entities,
            st.lists(rows, max_size=2).map(tuple),
            st.none() | self.name,
            st.booleans(),
            self.optional_text,
            self.version,
            st.integers(-1, 5000),
            st.booleans(),
        )

    def array(self) -> st.SearchStrategy[Array]:
        return st.one_of(
            self._array(Element.BOOLEAN, st.booleans()),
            self._array(Element.DATE_TIME, self.moment),
            self._array(Element.DECIMAL, decimals()),
            self._array(Element.DOUBLE, doubles()),
            self._array(Element.ENTITY, self.entity()),
            self._array(Element.GUID, guids()),
            self._array(Element.INT32, INT32),
            self._array(Element.INT64, INT64.map(Long)),
            self._array(Element.OPTION, INT32.map(Option)),
            self._array(Element.REFERENCE, self.reference()),
            self._array(Element.STRING, self.optional_text),
            self._array(Element.OBJECT, self.simple()),
        )

    def _array(self, element: Element, items: st.SearchStrategy[Any]) -> st.SearchStrategy[Array]:
        return st.lists(items, max_size=4).map(lambda held: Array(element, tuple(held)))

    def parameter(self) -> st.SearchStrategy[Value]:
        """Values that only parameters have, and hold no others of any type."""
        pairs = st.lists(st.tuples(self.text, self.text), max_size=2).map(tuple)
        unique = self.mapping(self.text, 2).map(lambda told: TextMap(tuple(told.items())))
        enumeration = st.sampled_from(["Default", "IfRowVersionMatches", "AlwaysOverwrite"])
        numbers = {"Default": 0, "IfRowVersionMatches": 1, "AlwaysOverwrite": 2}
        bmp = st.characters(exclude_categories=["Cs"], exclude_characters=_FORBIDDEN, max_codepoint=0xFFFF)
        columns = st.lists(self.text, max_size=2).map(lambda held: Array(Element.STRING, tuple(held)))
        return st.one_of(
            sized(),
            singles(),
            bmp.map(Char),
            st.integers(0, 999).map(lambda number: Uri(f"https://www.example.com/{number}?a=b&c=d")),
            st.integers(-_TICKS, _TICKS).map(Duration),
            enumeration.map(
                lambda name: Enumeration("ConcurrencyBehavior", name, numbers[name], CONTRACTS_7_1)
            ),
            self.array(),
            st.lists(self.reference(), max_size=2).map(lambda held: References(tuple(held))),
            self.relationship,
            pairs.map(TextPairs),
            unique,
            st.builds(
                lambda every, named: Structure("ColumnSet", {"AllColumns": every, "Columns": named}),
                st.booleans(),
                columns,
            ),
        )

    def _values(self) -> st.SearchStrategy[Value]:
        flat = st.one_of(self.simple(), self.reference(), self.parameter())
        inner = st.one_of(flat, self.entity(), self.entities())
        aliased = st.builds(Aliased, self.name, self.name, self.simple() | self.reference())
        return st.one_of(flat, aliased, self.entity(inner), self.entities(inner))

    def context(self, generations: int = 1) -> st.SearchStrategy[Context]:
        """Contexts with so many others around them at most."""
        parent = st.none() | self.context(generations - 1) if generations else st.none()
        images = self.mapping(self.entity(), 2)
        parameters = self.mapping(self.value, 4)
        ids = "business_unit_id correlation_id initiating_user_id operation_id organization_id"
        flags = "is_in_transaction is_executing_offline is_offline_playback"
        fixed: dict[str, st.SearchStrategy[Any]] = {
            **dict.fromkeys(f"{ids} primary_entity_id user_id".split(), guids()),
            **dict.fromkeys(flags.split(), st.booleans()),
        }
        return st.builds(
            Context,
            depth=st.integers(1, 8),
            initiating_user_agent=self.optional_text,
            initiating_user_azure_id=st.none() | guids(),
            input_parameters=parameters,
            isolation_mode=st.sampled_from([1, 2]),
            message_name=st.sampled_from(["Create", "Update", "cr1_DoIt"]),
            mode=st.sampled_from([0, 1]),
            operation_created_on=self.moment,
            organization_name=self.text,
            output_parameters=parameters,
            owning_extension=st.none() | self.reference(),
            parent=parent,
            post_images=images,
            pre_images=images,
            primary_entity_name=self.name,
            request_id=st.none() | guids(),
            secondary_entity_name=st.just("none"),
            shared_variables=parameters,
            stage=st.sampled_from([10, 20, 30, 40]),
            user_azure_id=st.none() | guids(),
            **fixed,
        )


def contexts(
    *, illegal: bool = False, surrogates: bool = False, local: bool = True, parents: int = 1
) -> st.SearchStrategy[Context]:
    """Return contexts with values of every type.

    Args:
        illegal: Texts may hold characters that XML 1.0 forbids.
        surrogates: Texts may hold lone surrogates.
        local: Dates may be of kind Local.
        parents: Contexts around a context, at most.
    """
    return Model(texts(illegal=illegal, surrogates=surrogates), local=local).context(parents)


def values(
    *, illegal: bool = False, surrogates: bool = False, local: bool = True
) -> st.SearchStrategy[Value]:
    """Return single values of every type; see :func:`contexts`."""
    return Model(texts(illegal=illegal, surrogates=surrogates), local=local).value
