"""Many values of one form at once: sealed JSON to Arrow, exactly or not at all.

Each parser checks what surrounds every single value, strips it, and leaves the
rest to Arrow's own exact conversions.  A value that does not fit makes all of
them a :class:`Misfit`; which one it was is found by halving.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ..tables.types import ARROW, SCALE, Kind
from .contexts import NO_ID
from .forms import Form
from .numbers import is_date
from .sealed import MONEY, OPTION, REFERENCE
from .stamps import days, instants
from .stripping import Misfit, inside, joined
from .texts import texts

Parsed = tuple[pa.Array, ...]
"""One array; of lookups three: id, table, name."""


_TEXTS: Final = msgspec.json.Decoder(list[str | None])
_CHOICE: Final = re.escape(OPTION) + rb"(?:0|-?[1-9][0-9]{0,18})\}"
_CHOICES: Final = re.compile(rb"\[%b(?:,%b)*\]" % (_CHOICE, _CHOICE)).fullmatch
_BOOLEANS: Final = msgspec.json.Decoder(list[bool | None])
_ID_BEGINS: Final = len(REFERENCE) + len(b'"')
_ID_ENDS: Final = _ID_BEGINS + len(NO_ID)
_ID: Final = r"^[0-9a-fA-F-]{36}$"
_LONGEST: Final = 2**31 - 1
_INT64: Final = 2**63


def parse(form: Form, values: pa.Array) -> Parsed:
    """Return values of one form as arrays of their length, null where they are null.

    Args:
        form: The form.
        values: JSON text of each value, binary; at least one.

    Raises:
        Misfit: Some value is of another form or cannot be held.
    """
    try:
        if form in _OFTEN_THE_SAME:
            coded = values.dictionary_encode()
            return tuple(array.take(coded.indices) for array in _PARSERS[form](coded.dictionary))
        return _PARSERS[form](values)
    except (pa.ArrowException, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Misfit from error


def misfits(form: Form, values: pa.Array, tries: int = 200) -> list[int]:
    """Return the indexes of the values that make :func:`parse` fail.

    Halves the values until single ones fail.  After that many tries it names
    all that are left: a message named too often is only read more slowly.
    """
    found: list[int] = []
    open_spans = [(0, len(values))]
    while open_spans:
        start, end = open_spans.pop()
        tries -= 1
        try:
            if tries > 0:
                parse(form, values[start:end])
                continue
        except Misfit:
            pass
        if end - start == 1 or tries <= 0:
            found.extend(range(start, end))
        else:
            middle = (start + end) // 2
            open_spans += [(start, middle), (middle, end)]
    return found


def _labels(values: pa.Array) -> Parsed:
    return (texts(values),)


def _texts(values: pa.Array) -> Parsed:
    """Return texts; one that looks like a date is a date, unless metadata tells otherwise."""
    (array,) = _labels(values)
    doubtful = pc.starts_with(array, "/Date(")
    if pc.any(doubtful).as_py() and any(map(is_date, array.filter(doubtful).to_pylist())):
        raise Misfit
    return (array,)


def _plain(kind: Kind) -> Callable[[pa.Array], Parsed]:
    def numbers(values: pa.Array) -> Parsed:
        return (_exactly(inside(values, b"", b""), kind),)

    return numbers


def _doubles(values: pa.Array) -> Parsed:
    array = inside(values, b"", b"").cast(pa.float64())
    if pc.any(pc.is_inf(array)).as_py():
        raise Misfit
    return (array,)


def _wrapped(beginning: bytes, kind: Kind) -> Callable[[pa.Array], Parsed]:
    def numbers(values: pa.Array) -> Parsed:
        return (_exactly(inside(values, beginning, b"}"), kind),)

    return numbers


def _booleans(values: pa.Array) -> Parsed:
    array = pa.array(_BOOLEANS.decode(b"[%b]" % joined(values)), pa.bool_())
    if len(array) != len(values):
        raise Misfit
    return (array,)


def _lists(values: pa.Array) -> Parsed:
    found: list[str | None] = []
    for each in values.to_pylist():
        if each not in {b"null", b"[]"}:
            if _CHOICES(each) is None:
                raise Misfit
            codes = each.replace(b"[" + OPTION, b"").replace(b"}," + OPTION, b";").replace(b"}]", b"")
            if any(not -_INT64 <= int(code) < _INT64 for code in codes.split(b";")):
                raise Misfit
            found.append(codes.decode())
        else:
            found.append(None)
    return (pa.array(found, pa.string()),)


def _lookups(values: pa.Array) -> Parsed:
    """Return ids, tables and names; what follows the id is mostly the same, and read once."""
    held = pc.if_else(pc.equal(values, b"null"), None, values)
    ids = pc.binary_slice(held, _ID_BEGINS, _ID_ENDS)
    rests = pc.binary_slice(held, _ID_ENDS, _LONGEST)
    whole = pc.and_(pc.match_substring_regex(ids, _ID), pc.starts_with(rests, b'"'))
    known = pc.and_(pc.starts_with(held, REFERENCE + b'"'), whole)
    if not pc.all(known).as_py():
        return _lookups_one_by_one(values)
    coded = rests.dictionary_encode()
    start = REFERENCE + b'"' + NO_ID.encode()
    _, tables, names = _lookups_one_by_one(pc.binary_join_element_wise(start, coded.dictionary, b""))
    return ids.cast(pa.string()), tables.take(coded.indices), names.take(coded.indices)


def _lookups_one_by_one(values: pa.Array) -> Parsed:
    found = [None if each == b"null" else _lookup(each) for each in values.to_pylist()]
    names = _TEXTS.decode(b"[%b]" % b",".join([each.Name for each in found if each]))
    called = iter(names)
    return (
        pa.array([each and each.Id for each in found], pa.string()),
        pa.array([each and each.LogicalName for each in found], pa.string()),
        pa.array([each and next(called) for each in found], pa.string()),
    )


class _Lookup(msgspec.Struct, gc=False):
    """A lookup without alternate key and row version, its name sealed."""

    Id: str
    KeyAttributes: tuple[()]
    LogicalName: str
    Name: msgspec.Raw
    RowVersion: None


def _lookup(sealed: bytes) -> _Lookup:
    lookup = _LOOKUP.decode(sealed)
    typed = len(REFERENCE) - len(b'{"Id":')
    if not sealed.startswith(REFERENCE) or len(_ENCODER.encode(lookup)) + typed != len(sealed):
        raise Misfit
    return lookup


_LOOKUP: Final = msgspec.json.Decoder(_Lookup)
_ENCODER: Final = msgspec.json.Encoder()


def _exactly(texts: pa.Array, kind: Kind) -> pa.Array:
    """Return numbers of a kind, converted by Arrow.

    Arrow's conversion to decimals wraps around silently for some numbers that
    are too long for the column; such, and those with an exponent, do not get there.
    """
    if kind in SCALE:
        exponent = pc.or_(pc.match_substring(texts, "e"), pc.match_substring(texts, "E"))
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        if longest > 38 - SCALE[kind] or pc.any(exponent).as_py():
            raise Misfit
    return texts.cast(ARROW[kind])


_PARSERS: Final[Mapping[Form, Callable[[pa.Array], Parsed]]] = {
    Form.TEXT: _texts,
    Form.INSTANT: instants,
    Form.DATE: days,
    Form.INTEGER: _plain(Kind.INTEGER),
    Form.DECIMAL: _plain(Kind.DECIMAL),
    Form.DOUBLE: _doubles,
    Form.MONEY: _wrapped(MONEY, Kind.MONEY),
    Form.BOOLEAN: _booleans,
    Form.OPTION: _wrapped(OPTION, Kind.CHOICE),
    Form.OPTIONS: _lists,
    Form.REFERENCE: _lookups,
    Form.LABEL: _labels,
}
_OFTEN_THE_SAME: Final = frozenset({Form.BOOLEAN, Form.OPTION, Form.OPTIONS, Form.REFERENCE, Form.LABEL})
