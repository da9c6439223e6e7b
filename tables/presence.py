"""What each change says about which column.

A change says something about the columns in its ``_changed``, nulls included,
and about those it has a value of, which an image brought.  A label or the table
of a lookup stands *beside* its column: it comes and goes with that column, and
is told from a column of its own by not being in ``_changed``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .extras import members, owner
from .names import VARIANT, label_name, target_name

Flags = npt.NDArray[np.bool_]

_names: Final = msgspec.json.Decoder(list[str]).decode
_CHOICES: Final = r"^-?\d+(;-?\d+)*$"


@dataclass(frozen=True, slots=True)
class Presence:
    """What some rows say.

    Attributes:
        slots: Names of the columns anything is said about.
        stems: Index of a slot that may stand beside another, to that other's.
        own: rows x slots: the row says what the column is.
        beside: rows x slots: the row has a value that goes with its stem.
        extras: Row to the members of its ``_extra``, where it has some.
    """

    slots: tuple[str, ...]
    stems: Mapping[int, int]
    own: Flags
    beside: Flags
    extras: Mapping[int, Mapping[str, msgspec.Raw]]


def presence(changes: pa.Table, data: Sequence[str], others: Iterable[str]) -> Presence:
    """Return what changes say.

    Args:
        changes: Rows of a history; columns of nothing but nulls may be absent.
        data: The table's columns that are not system columns.
        others: Further names that versions are kept of.
    """
    sent, codes = _sent(changes)
    extras = {row: members(text) for row, text in _filled(changes, "_extra")}
    kept = {owner(key) for found in extras.values() for key in found}
    slots = tuple(dict.fromkeys((*data, *sorted({*kept, *others, *(n for names in sent for n in names)}))))
    index = {name: at for at, name in enumerate(slots)}
    own = _flags(sent, index)[codes]
    there = np.zeros_like(own)
    for name in data:
        if name in changes.column_names:
            there[:, index[name]] = changes.column(name).is_valid().to_numpy()
    for row, found in extras.items():
        own[row, [index[owner(key)] for key in found]] = True
    beside = np.zeros_like(own)
    stems = _stems(index)
    for slot in sorted(range(len(slots)), key=lambda at: len(slots[at])):
        unsaid = there[:, slot] & ~own[:, slot]
        if slot in stems and unsaid.any():
            goes = own[:, stems[slot]] & _labelled(changes, slots[slot], slots[stems[slot]])
            beside[:, slot] = unsaid & goes
            unsaid &= ~goes
        own[:, slot] |= unsaid
    return Presence(slots, stems, own, beside, extras)


def stem(name: str) -> tuple[str, ...]:
    """Return the columns beside which one of that name may stand.

    >>> stem("ownerid_entitytype"), stem("statuscodename"), stem("x__text"), stem("a")
    (('ownerid',), ('statuscode',), ('x',), ())
    """
    suffixes = (target_name(""), label_name(""), VARIANT)
    return tuple(name.removesuffix(suffix) for suffix in suffixes if name.endswith(suffix) and name != suffix)


def _sent(changes: pa.Table) -> tuple[list[list[str]], npt.NDArray[np.int64]]:
    """Return the distinct lists of sent columns, and for each row which it has."""
    coded = changes.column("_changed").combine_chunks().dictionary_encode()
    texts = [*coded.dictionary.to_pylist(), None]
    codes = pc.fill_null(coded.indices.cast(pa.int64()), len(texts) - 1)
    return [_names(text) if text else [] for text in texts], codes.to_numpy(zero_copy_only=False)


def _flags(sent: Sequence[Sequence[str]], index: Mapping[str, int]) -> Flags:
    flags = np.zeros((len(sent), len(index)), dtype=np.bool_)
    for row, names in enumerate(sent):
        flags[row, [index[name] for name in names]] = True
    return flags


def _filled(rows: pa.Table, name: str) -> Iterable[tuple[int, str]]:
    if name not in rows.column_names or rows.column(name).null_count == rows.num_rows:
        return ()
    column = rows.column(name)
    valid = np.nonzero(column.is_valid().to_numpy())[0]
    return zip(valid.tolist(), column.drop_null().to_pylist(), strict=True)


def _stems(index: Mapping[str, int]) -> dict[int, int]:
    return {at: index[each] for name, at in index.items() for each in stem(name) if each in index}


def _labelled(changes: pa.Table, name: str, stem_name: str) -> Any:
    """Tell of which rows the column can have a companion of that name, as its values are.

    Labels stand beside choices, yes/no columns and lookups.  Of columns of
    other types, ``domain`` and ``domainname`` are two columns.
    """
    if not name.endswith(label_name("")) or name == target_name(stem_name):
        return True
    points = target_name(stem_name)
    lookup: Any = changes.column(points).is_valid().to_numpy() if points in changes.column_names else False
    if stem_name not in changes.column_names:
        return lookup
    column = changes.column(stem_name)
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return True
    if not pa.types.is_string(column.type):
        return False
    choices = pc.fill_null(pc.match_substring_regex(column, _CHOICES), fill_value=False)
    return lookup | choices.to_numpy()
