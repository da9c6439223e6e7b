"""Lists of keys and values, many at once: JSON text to columns of keys and values.

The serializer writes attributes as ``[{"key":"a","value":1},{"key":"b","value":2}]``.
Cut at ``},{"key":"`` and ``","value":`` such text falls into keys and values
without being parsed.  A value that itself holds pairs is cut in pieces too;
its pieces are no values of any form, so whoever reads them finds out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .grid import Numbers

_BETWEEN: Final = b'},{"key":"'
_MIDDLE: Final = b'","value":'
_START: Final = b'[{"key":"'
_END: Final = b"}]"
_AFTER: Final = len(_START)
_BEFORE: Final = len(_END)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Some pieces of text, left where they stand until they are taken.

    Attributes:
        everything: Binary; more than these pieces.
        places: Where they stand in it.
    """

    everything: pa.Array
    places: Numbers

    def __len__(self) -> int:
        return len(self.places)

    def at(self, index: int) -> bytes:
        """Return one piece."""
        found: bytes = self.everything[int(self.places[index])].as_py()
        return found

    def take(self, chosen: Numbers) -> pa.Array:
        """Return some pieces as a binary array."""
        return self.everything.take(pa.array(self.places[chosen]))

    def among(self, chosen: Numbers) -> "Pieces":
        """Return some of the pieces, left where they are."""
        return Pieces(self.everything, self.places[chosen])

    def array(self) -> pa.Array:
        """Return all pieces as a binary array."""
        return self.everything.take(pa.array(self.places))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Keys and values of many lists, list after list.

    Attributes:
        lists: Index of its list, for each pair.
        keys: Index into ``names``, for each pair.
        names: The different keys, as written between their quotes.
        values: JSON text of the values.
        broken: Indexes of lists that hold something else than pairs.
    """

    lists: Numbers
    keys: Numbers
    names: tuple[str, ...]
    values: Pieces
    broken: Numbers


def inside(sealed: bytes, start: int, end: int) -> bytes | None:
    """Return what is between the ends of a list of pairs; ``None`` if it has other ends.

    Args:
        sealed: JSON text.
        start: Where the list begins in it.
        end: Where it ends.

    >>> inside(b'[{"key":"a","value":1}]', 0, 23), inside(b"[]", 0, 2), inside(b"null", 0, 4)
    (b'a","value":1', b'', None)
    """
    if sealed.startswith(_START, start, end) and sealed.endswith(_END, start, end):
        return sealed[start + _AFTER : end - _BEFORE]
    return b"" if sealed[start:end] == b"[]" else None


def read_pairs(lists: Sequence[bytes]) -> Pairs:
    """Return the pairs of lists, each given as :func:`inside` returned it, none empty."""
    if not lists:
        nothing = np.empty(0, np.int64)
        return Pairs(nothing, nothing, (), Pieces(pa.array([], pa.binary()), nothing), nothing)
    pieces = pc.split_pattern(one_binary(_BETWEEN.join(lists)), _BETWEEN).flatten()
    owners = _owners(lists, pieces)
    halves = pc.split_pattern(pieces, _MIDDLE, max_splits=1)
    whole = np.asarray(pc.equal(pc.list_value_length(halves), 2))
    broken = np.unique(owners[~whole])
    flat = halves.flatten()
    if len(broken):
        ends = halves.offsets.to_numpy()[:-1][whole]
        owners = owners[whole]
    else:
        ends = np.arange(0, len(flat), 2)
    keys = flat.take(pa.array(ends)).dictionary_encode()
    names = tuple(name.decode() for name in keys.dictionary.to_pylist())
    return Pairs(owners, keys.indices.to_numpy(), names, Pieces(flat, ends + 1), broken)


def one_binary(data: bytes) -> pa.Array:
    """Return bytes as a binary array of one value, without copying them.

    Raises:
        OverflowError: There are 2 GiB of them or more.
    """
    ends = (0).to_bytes(4, "little") + len(data).to_bytes(4, "little", signed=True)
    return pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(ends), pa.py_buffer(data)])


def _owners(lists: Sequence[bytes], pieces: pa.Array) -> Numbers:
    """Return the list that each piece was cut from, by where it began."""
    offsets = np.frombuffer(pieces.buffers()[1], np.int32)[pieces.offset :][: len(pieces)]
    begins = offsets.astype(np.int64) + len(_BETWEEN) * np.arange(len(pieces))
    lengths = np.fromiter(map(len, lists), np.int64, len(lists)) + len(_BETWEEN)
    firsts = np.searchsorted(begins, np.cumsum(lengths) - lengths)
    return np.repeat(np.arange(len(lists)), np.diff(np.append(firsts, len(pieces))))
