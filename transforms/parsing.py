"""Many values of one form at once: sealed JSON to Arrow, exactly or not at all.

Each parser takes the values of one form, joined by commas, and returns Arrow
arrays of the same length.  It strips what surrounds the values, counts what it
stripped, and leaves the rest to Arrow's own exact conversions.  Anything that
does not add up is a :class:`Misfit`; who it was is found by halving.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from ..tables.columns import TIMESTAMP
from ..tables.types import ARROW, Kind
from .forms import Form
from .sealed import MONEY, OPTION, REFERENCE

Parsed = tuple[pa.Array, ...]
"""One array; of lookups three: id, table, name."""


class Misfit(Exception):
    """Not all values are of the form, or their column cannot hold one exactly."""


_TEXTS: Final = msgspec.json.Decoder(list[str | None])
_BOOLEANS: Final = msgspec.json.Decoder(list[bool | None])
_LISTS: Final = msgspec.json.Decoder(list[list[int] | None])
_LOOKUPS: Final = msgspec.json.Decoder(list[tuple[str, str, str | None] | None])
_NO_LOOKUP: Final = (None, None, None)
_INT64: Final = 2**63
_MIN_MS: Final = -62_135_596_800_000
_MAX_MS: Final = 253_402_300_799_999
_HOUR_MS: Final = 3_600_000
_TWO_SIGNS: Final = (b"--", b"-+", b"+-", b"++")
_DAY_MS: Final = 24 * _HOUR_MS


def parse(form: Form, values: Sequence[Raw]) -> Parsed:
    """Return values of one form as arrays of their length, null where they are null.

    Raises:
        Misfit: Some value is of another form or cannot be held.
    """
    try:
        if form is Form.REFERENCE:
            return _each_once(values)
        return _PARSERS[form](b",".join(values), len(values))
    except (pa.ArrowException, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Misfit from error


def _each_once(values: Sequence[Raw]) -> Parsed:
    """Read lookups, most of which come often: users, owners, currencies."""
    texts = list(map(bytes, values))
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    indexes = pa.array(map(places.__getitem__, texts), pa.int32(), size=len(texts))
    return tuple(array.take(indexes) for array in _lookups(b",".join(places), len(places)))


def misfits(form: Form, values: Sequence[Raw], tries: int = 200) -> list[int]:
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


def milliseconds(joined: bytes, count: int) -> pa.Array:
    r"""Return dates such as ``"\/Date(1506409448000-0700)\/"`` as int64 milliseconds, UTC.

    The rule of offsets is that of :func:`cdsbridge.transforms.numbers.milliseconds`.
    """
    opened = joined.replace(b'"\\/Date(', b"")
    bare = opened.replace(b')\\/"', b"")
    dates = _stripped(joined, opened, 8)
    texts = _split(bare, count)
    if dates != _stripped(opened, bare, 4) or dates + texts.null_count != count:
        raise Misfit
    if bare.translate(None, b"0123456789+-,nul") or any(twice in bare for twice in _TWO_SIGNS):
        raise Misfit
    if b"+" in bare or b"-" in bare:
        texts, shift = _offsets(texts)
        result = pc.add(texts.cast(pa.int64()), shift)
    else:
        result = texts.cast(pa.int64())
    bounds = pc.min_max(result)
    if dates and not (bounds["min"].as_py() >= _MIN_MS and bounds["max"].as_py() <= _MAX_MS):
        raise Misfit
    return result


def _offsets(texts: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Split ``1506409448000-0700`` into the number and the offset in milliseconds."""
    tail = pc.utf8_slice_codeunits(texts, -5)
    negative = pc.starts_with(tail, "-")
    has = pc.and_(pc.greater(pc.utf8_length(texts), 5), pc.or_(negative, pc.starts_with(tail, "+")))
    clock = pc.if_else(has, pc.utf8_slice_codeunits(tail, 1), "0").cast(pa.int64())
    hours = pc.divide(clock, 100)
    minutes = pc.add(pc.multiply(hours, 60), pc.subtract(clock, pc.multiply(hours, 100)))
    shift = pc.multiply(minutes, pc.if_else(negative, -60_000, 60_000))
    return pc.if_else(has, pc.utf8_slice_codeunits(texts, 0, -5), texts), shift


def _labels(joined: bytes, count: int) -> Parsed:
    array = pa.array(_TEXTS.decode(b"[%b]" % joined), pa.string())
    if len(array) != count:
        raise Misfit
    return (array,)


def _texts(joined: bytes, count: int) -> Parsed:
    (array,) = _labels(joined, count)
    if pc.any(pc.starts_with(array, "/Date(")).as_py():
        raise Misfit
    return (array,)


def _instants(joined: bytes, count: int) -> Parsed:
    return (pc.multiply(milliseconds(joined, count), 1000).cast(TIMESTAMP),)


def _dates(joined: bytes, count: int) -> Parsed:
    shifted = pc.add(milliseconds(joined, count), _HOUR_MS - _MIN_MS)
    days = pc.divide(shifted, _DAY_MS)
    rest = pc.subtract(shifted, pc.multiply(days, _DAY_MS))
    if pc.any(pc.greater(rest, 2 * _HOUR_MS)).as_py():
        raise Misfit
    return (pc.add(days, _MIN_MS // _DAY_MS).cast(pa.int32()).cast(pa.date32()),)


def _plain(kind: Kind) -> Callable[[bytes, int], Parsed]:
    def numbers(joined: bytes, count: int) -> Parsed:
        return (_split(joined, count).cast(ARROW[kind]),)

    return numbers


def _doubles(joined: bytes, count: int) -> Parsed:
    array = _split(joined, count).cast(pa.float64())
    if not pc.all(pc.is_finite(array)).as_py() and array.null_count != count:
        raise Misfit
    return (array,)


def _wrapped(beginning: bytes, kind: Kind) -> Callable[[bytes, int], Parsed]:
    def numbers(joined: bytes, count: int) -> Parsed:
        opened = joined.replace(beginning, b"")
        bare = opened.replace(b"}", b"")
        array = _split(bare, count).cast(ARROW[kind])
        wrapped = _stripped(joined, opened, len(beginning))
        if wrapped != _stripped(opened, bare, 1) or wrapped + array.null_count != count:
            raise Misfit
        return (array,)

    return numbers


def _booleans(joined: bytes, count: int) -> Parsed:
    array = pa.array(_BOOLEANS.decode(b"[%b]" % joined), pa.bool_())
    if len(array) != count:
        raise Misfit
    return (array,)


def _lists(joined: bytes, count: int) -> Parsed:
    opened = joined.replace(OPTION, b"")
    bare = opened.replace(b"}", b"")
    lists = _LISTS.decode(b"[%b]" % bare)
    codes = [code for each in lists if each for code in each]
    wrapped = _stripped(joined, opened, len(OPTION))
    if len(lists) != count or not wrapped == _stripped(opened, bare, 1) == len(codes):
        raise Misfit
    if any(not -_INT64 <= code < _INT64 for code in codes):
        raise Misfit
    return (pa.array([";".join(map(str, each)) if each else None for each in lists], pa.string()),)


def _lookups(joined: bytes, count: int) -> Parsed:
    wrapped, rest = -1, joined
    for piece, put in _LOOKUP_PIECES:
        shorter = rest.replace(piece, put)
        stripped = _stripped(rest, shorter, len(piece) - len(put))
        if wrapped not in {-1, stripped}:
            raise Misfit
        wrapped, rest = stripped, shorter
    lookups = _LOOKUPS.decode(b"[%b]" % rest)
    if len(lookups) != count or wrapped + lookups.count(None) != count:
        raise Misfit
    columns = zip(*[each or _NO_LOOKUP for each in lookups], strict=True)
    return tuple(pa.array(column, pa.string()) for column in columns)


_LOOKUP_PIECES: Final = (
    (REFERENCE, b"["),
    (b'"KeyAttributes":[],"LogicalName":', b""),
    (b'"Name":', b""),
    (b',"RowVersion":null}', b"]"),
)


def _stripped(before: bytes, after: bytes, size: int) -> int:
    return (len(before) - len(after)) // size


def _split(joined: bytes, count: int) -> pa.Array:
    texts = pc.split_pattern(pa.array([joined.decode()], pa.string()), ",").flatten()
    if len(texts) != count:
        raise Misfit
    return pc.if_else(pc.equal(texts, "null"), None, texts)


_PARSERS: Final[Mapping[Form, Callable[[bytes, int], Parsed]]] = {
    Form.TEXT: _texts,
    Form.INSTANT: _instants,
    Form.DATE: _dates,
    Form.INTEGER: _plain(Kind.INTEGER),
    Form.DECIMAL: _plain(Kind.DECIMAL),
    Form.DOUBLE: _doubles,
    Form.MONEY: _wrapped(MONEY, Kind.MONEY),
    Form.BOOLEAN: _booleans,
    Form.OPTION: _wrapped(OPTION, Kind.CHOICE),
    Form.OPTIONS: _lists,
    Form.LABEL: _labels,
}
