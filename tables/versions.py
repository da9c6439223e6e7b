"""The versions of a row's columns: when each was last said, kept beside the row as JSON.

``{"<order>": ["name", ...], ...}``: each order of events with the columns that
owe it their value.  Three names begin with an asterisk, which no column does:
``*create`` is the latest create, ``*delete`` a delete that still matters, and
``*cut`` the latest truncated message or the reading that answered one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from .latest import Numbers, Sayings

CREATE: Final = "*create"
DELETE: Final = "*delete"
CUT: Final = "*cut"
MARKS: Final = frozenset({CREATE, DELETE, CUT})

_groups: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_names: Final = msgspec.json.Decoder(list[str]).decode
_encode: Final = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of some rows, read as far as rows have no list of names in common.

    Attributes:
        rows: For each list of names in each row, the number of the row.
        orders: The order it goes with.
        lists: Which list it is.
        names: The distinct lists.
    """

    rows: Sequence[int]
    orders: Sequence[str]
    lists: Sequence[int]
    names: Sequence[Sequence[str]]

    def sayings(self, slots: Mapping[str, int], rank: Mapping[str, int]) -> Sayings:
        """Return them as what rows say.

        Args:
            slots: Number of each name.
            rank: Place of each order.
        """
        if not self.rows:
            return Sayings.of(())
        numbers = [np.array([slots[name] for name in names], dtype=np.int64) for names in self.names]
        lengths = np.array([len(numbers[each]) for each in self.lists], dtype=np.int64)
        ranks = np.array([rank[order] for order in self.orders], dtype=np.int64)
        return Sayings(
            np.repeat(np.array(self.rows, dtype=np.int64), lengths),
            np.concatenate([numbers[each] for each in self.lists]),
            np.repeat(ranks, lengths),
        )


def parse(texts: Iterable[str | None]) -> Versions:
    """Return the versions of many rows.

    Raises:
        msgspec.DecodeError: A text was not written by :func:`spelled`.
    """
    rows: list[int] = []
    orders: list[str] = []
    lists: list[int] = []
    known: dict[bytes, int] = {}
    for row, text in enumerate(texts):
        for order, names in _groups(text).items() if text else ():
            rows.append(row)
            orders.append(order)
            lists.append(known.setdefault(bytes(names), len(known)))
    return Versions(rows, orders, lists, [_names(text) for text in known])


def spelled(said: Sayings, count: int, slots: Mapping[str, int], orders: Sequence[str]) -> Iterator[str]:
    """Yield the versions of rows as text: one text for one meaning.

    >>> said = Sayings.of([(0, 1, 1), (0, 2, 0), (0, 0, 1)])
    >>> list(spelled(said, 2, {"a": 0, "b": 1, "c": 2}, ["1", "2"]))
    ['{"1":["c"],"2":["a","b"]}', '{}']

    Args:
        said: By row, slot and rank, in any order, each once.
        count: Number of rows.
        slots: Number of each name.
        orders: The order of each rank.
    """
    names = sorted(slots, key=lambda name: slots[name])
    alphabetical = np.empty(len(names), dtype=np.int64)
    alphabetical[np.array([slots[name] for name in sorted(names)], dtype=np.int64)] = np.arange(len(names))
    at = np.lexsort((alphabetical[said.slot], said.rank, said.row))
    rows, ranks, numbers = said.row[at], said.rank[at], said.slot[at]
    starts = np.nonzero(np.append(True, (rows[1:] != rows[:-1]) | (ranks[1:] != ranks[:-1])))[0]
    lists = _Lists(names)
    parts: list[list[str]] = [[] for _ in range(count)]
    if len(rows):
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
            order = _encode(orders[ranks[start]]).decode()
            parts[rows[start]].append(f"{order}:{lists.text(numbers[start:end])}")
    for each in parts:
        yield f"{{{','.join(each)}}}"


class _Lists:
    """Spells lists of names, each distinct one once."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._known: dict[bytes, str] = {}

    def text(self, numbers: Numbers) -> str:
        key = numbers.tobytes()
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _encode([self._names[each] for each in numbers.tolist()]).decode()
        return found
