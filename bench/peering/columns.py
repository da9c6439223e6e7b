"""The tables of the peers' messages: their columns and the kind of each."""

import random
from typing import Final

SIZES: Final = {
    "account": 131,
    "contact": 136,
    "opportunity": 111,
    "incident": 87,
    "new_project": 79,
    "new_visit": 45,
    "new_asset": 26,
}
"""Table to its number of columns."""

SHARES: Final = {
    "text": 38,
    "choice": 14,
    "lookup": 13,
    "boolean": 9,
    "money": 8,
    "instant": 7,
    "integer": 4,
    "decimal": 3,
    "date": 2,
    "double": 1,
    "choices": 1,
}
"""Kind to its share of a table's columns, in per cent."""

ATTRIBUTES: Final = {
    "text": {"attribute_type": "String"},
    "choice": {"attribute_type": "Picklist"},
    "choices": {"attribute_type": "MultiSelectPicklist"},
    "lookup": {"attribute_type": "Lookup"},
    "boolean": {"attribute_type": "Boolean"},
    "money": {"attribute_type": "Money"},
    "integer": {"attribute_type": "Integer"},
    "decimal": {"attribute_type": "Decimal"},
    "double": {"attribute_type": "Double"},
    "instant": {"attribute_type": "DateTime", "date_time_behavior": "UserLocal"},
    "date": {"attribute_type": "DateTime", "date_time_behavior": "DateOnly"},
}
"""Kind to what metadata says of such a column."""

Kinds = dict[str, dict[str, str]]
"""Table to column to kind."""


def schema() -> Kinds:
    """Return the columns of every table; the first is the key."""
    found = {}
    for table, size in SIZES.items():
        rng = random.Random(f"columns of {table}")
        drawn = rng.choices(list(SHARES), list(SHARES.values()), k=size - 6)
        columns = {f"{table}id": "text", "name": "text", "modifiedon": "instant", "createdon": "instant"}
        columns |= {"ownerid": "lookup", "statecode": "choice"}
        found[table] = columns | {f"{table[:3]}_{kind}{at}": kind for at, kind in enumerate(drawn)}
    return found


def described(kinds: Kinds) -> dict[str, dict[str, dict[str, str]]]:
    """Return the same as the bridge's metadata file has it."""
    return {table: {name: ATTRIBUTES[kind] for name, kind in found.items()} for table, found in kinds.items()}
