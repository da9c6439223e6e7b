"""How columns and tables are named.

Data columns carry the logical name in lower case.  A choice has its code in
the column and its label in ``<column>name``, as Dataverse's own virtual
columns do; a lookup has ``<column>``, ``<column>_entitytype`` and
``<column>name``, as Azure Synapse Link writes it
(https://learn.microsoft.com/power-apps/maker/data-platform/export-to-data-lake).
"""

from typing import Final

from .columns import SYSTEM

EVENT_TABLE: Final = "event"
"""Table of messages that change no row: custom APIs, and what is not understood."""

PARTY_TABLE: Final = "activityparty"
"""Table of the parties of activities, filled from party-list columns."""

LONGEST: Final = 128
"""Characters of the longest name that becomes a column; Dataverse allows 128 for an alias and column."""

VARIANT: Final = "__text"
"""Ends the name of the column that holds, as text, what does not fit the column before it."""

_RESERVED: Final = frozenset(name.lower() for name in SYSTEM)


def column_name(key: str) -> str | None:
    """Return the column an attribute goes to; ``None`` if no column may be named so.

    Names that a database would confuse with a system column, that begin with
    an underscore, or that are empty or too long have no column.

    >>> column_name("Name"), column_name("id"), column_name("_order"), column_name("")
    ('name', None, None, None)
    """
    name = key.lower()
    if not name or name[0] == "_" or name in _RESERVED or len(name) > LONGEST:
        return None
    return name


def label_name(column: str) -> str:
    """Return the column of a choice's label or a lookup's name.

    >>> label_name("statuscode")
    'statuscodename'
    """
    return f"{column}name"


def target_name(column: str) -> str:
    """Return the column of a lookup's table.

    >>> target_name("ownerid")
    'ownerid_entitytype'
    """
    return f"{column}_entitytype"
