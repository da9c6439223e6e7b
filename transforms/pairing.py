"""Associate and Disassociate to changes of the intersect table: one row per pair.

Both rows of a pair may be the target; the pair is the same.  Dataverse does
not send the key of the intersect row, so ``Id`` is made of what identifies a
pair: the relationship and both keys.
Source: https://learn.microsoft.com/power-apps/developer/data-platform/define-custom-relationships
"""

from hashlib import blake2b
from typing import Final
from uuid import UUID

from ..tables.names import column_name
from ..tables.types import ColumnTypes, Intersect
from . import numbers
from .changes import Change, Said, created_on
from .contexts import NO_ID, Context, Reference, References, Relationship
from .messages import PAIRING

_REFERENCED: Final = 1

End = tuple[str, str]
"""Table and key of one row of a pair."""


def pair_changes(context: Context, types: ColumnTypes) -> list[Change]:
    """Return the pairs a message makes or ends; none where it does not name them.

    Raises:
        MessageRejected: ``not-a-context``: it has no place in time.
    """
    target, relationship, related = (
        context.inputs.get(name) for name in ("Target", "Relationship", "RelatedEntities")
    )
    if not isinstance(relationship, Relationship) or not isinstance(target, Reference):
        return []
    others = related.references if isinstance(related, References) else ()
    near, far = _end(target), [_end(each) for each in others]
    table = _intersect_name(relationship, types)
    if near is None or table is None or None in far:
        return []
    known = types.intersects.get(relationship.name.lower())
    op, instant = PAIRING[context.message], created_on(context)
    changes = []
    for each in dict.fromkeys(end for end in far if end is not None):
        sides = _sides(known, relationship, near, each)
        columns = {column: Said(key) for column, key in sides}
        changes.append(Change(table, _pair_id(table, sides), op, instant, columns, tuple(columns)))
    return changes


def _intersect_name(relationship: Relationship, types: ColumnTypes) -> str | None:
    known = types.intersects.get(relationship.name.lower())
    return known.table if known else column_name(relationship.name)


def _end(reference: Reference) -> End | None:
    table = column_name(reference.table or "")
    if table is None or reference.id == NO_ID:
        return None
    try:
        return table, numbers.guid(reference.id)
    except ValueError:
        return None


def _sides(
    known: Intersect | None, relationship: Relationship, near: End, far: End
) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return both keys with the columns they go to, in an order that no sender can change."""
    first, second = (far, near) if relationship.role == _REFERENCED else (near, far)
    if first[0] != second[0]:
        first, second = sorted((first, second))
    if known is not None:
        if (known.first[0], known.second[0]) == (first[0], second[0]):
            return (known.first[1], first[1]), (known.second[1], second[1])
        if (known.first[0], known.second[0]) == (second[0], first[0]):
            return (known.first[1], second[1]), (known.second[1], first[1])
    if first[0] == second[0]:
        return (f"{first[0]}idone", first[1]), (f"{first[0]}idtwo", second[1])
    return (f"{first[0]}id", first[1]), (f"{second[0]}id", second[1])


def _pair_id(table: str, sides: tuple[tuple[str, str], tuple[str, str]]) -> str:
    told = "\n".join((table, *(f"{column} {key}" for column, key in sides)))
    return str(UUID(bytes=blake2b(told.encode(), digest_size=16).digest()))
