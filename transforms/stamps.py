"""Dates as .NET writes them in JSON, many at once."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..tables.columns import TIMESTAMP
from .grid import Numbers
from .stripping import Misfit, inside, joined

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

_MIN_MS: Final = -62_135_596_800_000
_MAX_MS: Final = 253_402_300_799_999
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_BEGINNING: Final = b'"\\/Date('
_END: Final = b')\\/"'
_FIRST: Final = np.frombuffer(_BEGINNING, np.uint8)
_LAST: Final = np.frombuffer(_END, np.uint8)
_POWERS: Final = 10 ** np.arange(13, -1, -1, dtype=np.int64)
_NULL: Final = np.frombuffer(b"null", np.uint8)
_AROUND: Final = len(_BEGINNING + _END)
_SHIFTED: Final = {
    **{_AROUND + digits: False for digits in range(9, 15)},
    **{_AROUND + digits + len("+0000"): True for digits in range(10, 15)},
}
"""Length of a date, sign included, to whether an offset is in it; where it might be either, the shorter."""


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
    result, rest = _of_usual_length(values)
    if not len(rest):
        return result
    others = _of_any_length(values.take(pa.array(rest)))
    place = np.arange(len(values))
    place[rest] = len(values) + np.arange(len(rest))
    return pa.concat_arrays([result, others]).take(pa.array(place))


def _of_any_length(values: pa.Array) -> pa.Array:
    """Return dates as milliseconds, with the means Arrow has for texts."""
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


def _of_usual_length(values: pa.Array) -> tuple[pa.Array, Numbers]:
    """Read dates of 9 to 14 digits, with or without an offset, as columns of digits.

    These are nearly all of the years 1 to 5138.

    Returns:
        Milliseconds, null for ``null``; and the indexes of the values that are
        written otherwise, whose milliseconds mean nothing.
    """
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)
    lengths = np.diff(offsets)
    result = np.zeros(len(values), np.int64)
    read, null = np.zeros(len(values), np.bool_), np.zeros(len(values), np.bool_)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        texts = data[offsets[rows][:, None] + np.arange(length)]
        if length == len(_NULL):
            null[rows] = (texts == _NULL).all(axis=1)
        elif length in _SHIFTED:
            found, fits = _read_digits(texts, _SHIFTED[length])
            result[rows], read[rows] = found, fits
    return pa.array(result, mask=null), np.flatnonzero(~(read | null))


def _read_digits(texts: Bytes, shifted: bool) -> tuple[Numbers, Flags]:
    """Return the milliseconds of dates of one length, and which of them are dates."""
    width = texts.shape[1]
    tail = width - len(_END)
    fits = (texts[:, : len(_BEGINNING)] == _FIRST).all(axis=1) & (texts[:, tail:] == _LAST).all(axis=1)
    digits = texts[:, len(_BEGINNING) : tail] - np.uint8(ord("0"))
    number = digits[:, :-5] if shifted else digits
    negative = texts[:, len(_BEGINNING)] == ord("-")
    number[negative, 0] = 0
    fits &= (number <= 9).all(axis=1)
    result = number @ _POWERS[-number.shape[1] :]
    result[negative] *= -1
    if shifted:
        clock, sign = digits[:, -4:], texts[:, tail - 5]
        fits &= (clock <= 9).all(axis=1) & ((sign == ord("+")) | (sign == ord("-")))
        minutes = 60 * (clock[:, :2] @ _POWERS[-2:]) + clock[:, 2:] @ _POWERS[-2:]
        result += np.where(sign == ord("+"), 60_000, -60_000) * minutes
    return result, fits


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
