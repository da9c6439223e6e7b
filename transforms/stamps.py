"""Dates as .NET writes them in JSON, many at once."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from ..tables.columns import TIMESTAMP
from .stripping import Misfit, inside, joined

_MIN_MS: Final = -62_135_596_800_000
_MAX_MS: Final = 253_402_300_799_999
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_BEGINNING: Final = b'"\\/Date('
_END: Final = b')\\/"'


def instants(values: pa.Array) -> tuple[pa.Array]:
    """Return dates, given as JSON text, as instants."""
    return (pc.multiply(milliseconds(values), 1000).cast(TIMESTAMP),)


def days(values: pa.Array) -> tuple[pa.Array]:
    """Return dates, given as JSON text, as days; midnight may be an hour off, as in ``numbers.day``."""
    shifted = pc.add(milliseconds(values), _HOUR_MS - _MIN_MS)
    whole = pc.divide(shifted, _DAY_MS)
    rest = pc.subtract(shifted, pc.multiply(whole, _DAY_MS))
    if pc.any(pc.greater(rest, 2 * _HOUR_MS)).as_py():
        raise Misfit
    whole = pc.add(whole, _MIN_MS // _DAY_MS)
    if pc.any(pc.greater(whole, _MAX_MS // _DAY_MS)).as_py():
        raise Misfit
    return (whole.cast(pa.int32()).cast(pa.date32()),)


def milliseconds(values: pa.Array) -> pa.Array:
    r"""Return dates such as ``"\/Date(1506409448000-0700)\/"`` as int64 milliseconds, UTC.

    The rule of offsets is that of :func:`cdsbridge.transforms.numbers.milliseconds`.

    Args:
        values: JSON text of dates, or null, binary.

    Raises:
        Misfit: Some value is no date of the years 1 to 9999.
        pa.ArrowException: Likewise.
    """
    texts = inside(values, _BEGINNING, _END)
    tail = pc.utf8_slice_codeunits(texts, -5)
    west, east = pc.starts_with(tail, "-"), pc.starts_with(tail, "+")
    has_offset = pc.and_(pc.greater(pc.binary_length(texts), 5), pc.or_(west, east)).fill_null(False)
    if pc.any(has_offset).as_py():
        texts, shift = _apart(texts, tail, has_offset, west)
        result = pc.add(_whole(texts), shift)
    else:
        result = _whole(texts)
    bounds = pc.min_max(result)
    least, most = bounds["min"].as_py(), bounds["max"].as_py()
    if least is not None and not (least >= _MIN_MS and most <= _MAX_MS):
        raise Misfit
    return result


def _apart(
    texts: pa.Array, tail: pa.Array, has_offset: pa.Array, west: pa.Array
) -> tuple[pa.Array, pa.Array]:
    """Take ``1506409448000-0700`` apart into the number and the offset in milliseconds."""
    clock = pc.if_else(has_offset, pc.utf8_slice_codeunits(tail, 1), "0")
    if b"-" in joined(clock.cast(pa.binary())):
        raise Misfit
    told = _whole(clock)
    hours = pc.divide(told, 100)
    minutes = pc.add(pc.multiply(hours, 60), pc.subtract(told, pc.multiply(hours, 100)))
    shift = pc.multiply(minutes, pc.if_else(west, -60_000, 60_000))
    return pc.if_else(has_offset, pc.utf8_slice_codeunits(texts, 0, -5), texts), shift


def _whole(texts: pa.Array) -> pa.Array:
    """Return whole numbers, of decimal digits only."""
    if joined(texts.fill_null("").cast(pa.binary())).translate(None, b"0123456789-,"):
        raise Misfit
    return texts.cast(pa.int64())
