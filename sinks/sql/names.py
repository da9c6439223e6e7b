"""What names databases take, and how many columns.

A name a database cannot take, or would take for another, is cut and ends in a
hash of the whole.  That needs no memory of other names and comes out the same
in every process.  No two names differ in their case only: what comes from
Dataverse is in lower case, and stands in no column named as one of ours is.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

_ANY: Final = r"[^\0]+"
_WORD: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_PRINTABLE: Final = r"[ -~]*[!-~]"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one kind of database takes.

    Attributes:
        name: Bytes of the longest name.
        columns: Columns a table may have, ours among them.
        plain: Pattern of the names it keeps apart byte by byte, case aside.
    """

    name: int = 128
    columns: int = 1_500
    plain: str = _ANY


_LIMITS: Final = {
    # https://www.postgresql.org/docs/current/limits.html; a longer name is cut without a word
    "postgresql": Limits(63),
    # https://mariadb.com/kb/en/identifier-names/; accents do not tell names apart there.  A row of
    # 300 filled texts does not fit a page, 400 texts not even a definition
    "mysql": Limits(64, 300, _PRINTABLE),
    "mariadb": Limits(64, 300, _PRINTABLE),
    # https://www.sqlite.org/limits.html: 2,000 columns
    "sqlite": Limits(),
    "duckdb": Limits(),
    # https://learn.microsoft.com/sql/sql-server/maximum-capacity-specifications-for-sql-server
    "mssql": Limits(128, 1_000, _PRINTABLE),
    # https://cloud.google.com/bigquery/docs/schemas#column_names
    "bigquery": Limits(300, plain=_WORD),
}


def limits(dialect: str) -> Limits:
    """Return what a kind of database takes, known by SQLAlchemy's name for it."""
    return _LIMITS.get(dialect, Limits(plain=_PRINTABLE))


def fitted(name: str, dialect: str) -> str:
    """Return a name as the database gets it.

    >>> fitted("new_remark", "postgresql"), fitted("naïve", "mysql")
    ('new_remark', 'na_ve_f86fd89d')
    """
    taken = limits(dialect)
    plain = bool(re.fullmatch(taken.plain, name))
    if plain and len(name.encode()) <= taken.name:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    kept = name if plain else re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"{kept.encode()[: taken.name - 9].decode(errors='ignore')}_{digest}"
