"""Who spoke last: of many sayings about the same thing, the one of the highest rank."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NONE: Final = -1
"""No rank, no row."""


@dataclass(frozen=True, slots=True)
class Sayings:
    """What rows say, in parallel arrays.

    Attributes:
        row: Number of the row that says it.
        slot: What it is about.
        rank: Place of its order among all orders, from 0.
    """

    row: Numbers
    slot: Numbers
    rank: Numbers

    @classmethod
    def of(cls, said: Iterable[tuple[int, int, int]]) -> Self:
        """Return triples of row, slot and rank as arrays."""
        array = np.array(list(said), dtype=np.int64).reshape(-1, 3)
        return cls(array[:, 0], array[:, 1], array[:, 2])

    @classmethod
    def flagged(cls, flags: Flags, ranks: Numbers, first: int) -> Self:
        """Return what a matrix of rows and slots says, rows numbered from ``first``."""
        rows, slots = np.nonzero(flags)
        return cls(rows + first, slots, ranks[rows])

    def where(self, taken: Flags) -> "Sayings":
        """Return some of them."""
        return Sayings(self.row[taken], self.slot[taken], self.rank[taken])


def joined(*parts: Sayings) -> Sayings:
    """Return all of several."""
    row, slot, rank = (np.concatenate([getattr(part, name) for part in parts]) for name in Sayings.__slots__)
    return Sayings(row, slot, rank)


@dataclass(frozen=True, slots=True)
class Latest:
    """What counts, keys x slots; ``NONE`` where nothing is said.

    Attributes:
        rank: The highest rank.
        row: The row that has it; of several the one with the lowest number.
    """

    rank: Numbers
    row: Numbers


def latest(said: Sayings, key_of_row: Numbers, shape: tuple[int, int]) -> Latest:
    """Return what counts of what is said.

    Args:
        said: In any order, repetitions included.
        key_of_row: The key each row belongs to.
        shape: Numbers of keys and of slots.
    """
    ranks, rows = np.full(shape, NONE, dtype=np.int64), np.full(shape, NONE, dtype=np.int64)
    at = key_of_row[said.row] * shape[1] + said.slot
    order = np.lexsort((-said.row, said.rank, at))
    at = at[order]
    last = np.ones(len(at), dtype=np.bool_)
    last[:-1] = at[1:] != at[:-1]
    ranks.flat[at[last]] = said.rank[order][last]
    rows.flat[at[last]] = said.row[order][last]
    return Latest(ranks, rows)
