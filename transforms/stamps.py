"""Dates as .NET writes them in JSON, many at once."""

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ..tables.columns import TIMESTAMP
from .stripping import Misfit, joined, split, stripped

_MIN_MS: Final = -62_135_596_800_000
_MAX_MS: Final = 253_402_300_799_999
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_OFFSET: Final = re.compile(rb'[0-9]([+-][0-9]{4})\)\\/"')
_TWO_SIGNS: Final = (b"--", b"-+", b"+-", b"++")


def instants(values: pa.Array) -> tuple[pa.Array]:
    """Return dates, given as JSON text, as instants."""
    return (pc.multiply(milliseconds(joined(values), len(values)), 1000).cast(TIMESTAMP),)


def days(values: pa.Array) -> tuple[pa.Array]:
    """Return dates, given as JSON text, as days; midnight may be an hour off, as in ``numbers.day``."""
    shifted = pc.add(milliseconds(joined(values), len(values)), _HOUR_MS - _MIN_MS)
    whole = pc.divide(shifted, _DAY_MS)
    rest = pc.subtract(shifted, pc.multiply(whole, _DAY_MS))
    if pc.any(pc.greater(rest, 2 * _HOUR_MS)).as_py():
        raise Misfit
    whole = pc.add(whole, _MIN_MS // _DAY_MS)
    if pc.any(pc.greater(whole, _MAX_MS // _DAY_MS)).as_py():
        raise Misfit
    return (whole.cast(pa.int32()).cast(pa.date32()),)


def milliseconds(text: bytes, count: int) -> pa.Array:
    r"""Return dates such as ``"\/Date(1506409448000-0700)\/"`` as int64 milliseconds, UTC.

    The rule of offsets is that of :func:`cdsbridge.transforms.numbers.milliseconds`.

    Args:
        text: The dates, or null, with commas between.
        count: How many they are.

    Raises:
        Misfit: Some value is no date of the years 1 to 9999.
        pa.ArrowException: Likewise.
    """
    opened = text.replace(b'"\\/Date(', b"")
    dates = stripped(text, opened, 8)
    offset = _first_offset(opened)
    bare = opened.replace(offset + b')\\/"', b"")
    if dates != stripped(opened, bare, len(offset) + 4):
        offset, bare = b"", opened.replace(b')\\/"', b"")
        if dates != stripped(opened, bare, 4):
            raise Misfit
    texts = split(bare, count)
    if dates + texts.null_count != count:
        raise Misfit
    if bare.translate(None, b"0123456789+-,nul") or any(twice in bare for twice in _TWO_SIGNS):
        raise Misfit
    if offset:
        result = pc.add(texts.cast(pa.int64()), _shift(offset))
    elif b"+" in bare or b"-" in bare:
        texts, shift = _offsets(texts)
        result = pc.add(texts.cast(pa.int64()), shift)
    else:
        result = texts.cast(pa.int64())
    bounds = pc.min_max(result)
    if dates and not (bounds["min"].as_py() >= _MIN_MS and bounds["max"].as_py() <= _MAX_MS):
        raise Misfit
    return result


def _first_offset(opened: bytes) -> bytes:
    """Return the offset of the first date, ``-0700``; it is most often that of all."""
    found = _OFFSET.search(opened)
    return found[1] if found else b""


def _shift(offset: bytes) -> int:
    shift = (int(offset[1:3]) * 60 + int(offset[3:])) * 60_000
    return -shift if offset.startswith(b"-") else shift


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
