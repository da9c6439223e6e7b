"""JSON strings, many at once: most need no more than their quotes taken off."""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .stripping import Misfit, joined

_TEXTS: Final = msgspec.json.Decoder(list[str | None])
_QUOTE: Final = ord('"')
_BACKSLASH: Final = ord("\\")
_BLANK: Final = ord(" ")
_FEW: Final = 16
_SAMPLE: Final = 64
_WORTHWHILE: Final = 0.5


def texts(values: pa.Array) -> pa.Array:
    r"""Return JSON strings as texts, and null as null.

    Args:
        values: Binary, pieces of valid JSON.

    Raises:
        Misfit: Some value is no string.
        pa.ArrowInvalid: Some text is not UTF-8.
        msgspec.MsgspecError: Some string is broken.

    >>> texts(pa.array([b'"a"', b'"b\\/c"', b'"\\u00e9"', b"null"])).to_pylist()
    ['a', 'b/c', 'é', None]
    """
    if len(values) < _FEW:
        return _decoded(values)
    easy = are_plain(values)
    if easy.all():
        return pc.binary_slice(values, 1, -1).cast(pa.string())
    hard = np.flatnonzero(~easy)
    found = pc.binary_slice(values, 1, -1).cast(pa.string())  # of hard ones not the text, nor kept
    return pc.replace_with_mask(found, pa.array(~easy), _with_escapes(values.take(pa.array(hard))))


def _with_escapes(values: pa.Array) -> pa.Array:
    """Return strings with escapes; where most escape nothing but slashes, those are read without decoding."""
    some = pc.replace_substring(values.slice(0, _SAMPLE), b"\\/", b"/")
    if are_plain(some).mean() < _WORTHWHILE:
        return _decoded(values)
    unescaped = pc.replace_substring(values, b"\\/", b"/")
    easy = are_plain(unescaped)
    if not easy.any():
        return _decoded(values)
    found = pc.if_else(pa.array(easy), pc.binary_slice(unescaped, 1, -1), None).cast(pa.string())
    if easy.all():
        return found
    hard = np.flatnonzero(~easy)
    return pc.replace_with_mask(found, pa.array(~easy), _decoded(values.take(pa.array(hard))))


def are_plain(values: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell of each value whether it is a string without escapes: quotes at its ends and nowhere else.

    Args:
        values: Binary.
    """
    offsets = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)[: offsets[-1]]
    lengths = np.diff(offsets)
    marks = offsets[0] + np.flatnonzero((data[offsets[0] :] == _QUOTE) | (data[offsets[0] :] == _BACKSLASH))
    counts = np.diff(np.searchsorted(marks, offsets))
    plain = (counts == 2) & (lengths >= 2)
    whole = np.flatnonzero(plain)
    quoted = (data[offsets[whole]] == _QUOTE) & (data[offsets[whole + 1] - 1] == _QUOTE)
    plain[whole] = quoted
    return np.asarray(plain)


def _decoded(values: pa.Array) -> pa.Array:
    array = pa.array(_TEXTS.decode(b"[%b]" % joined(values)), pa.string())
    if len(array) != len(values):
        raise Misfit
    return array
