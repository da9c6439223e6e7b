"""What a database's errors mean for us."""

import contextlib
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ...model.errors import NotPermitted, SinkUnavailable


class BadData(Exception):
    """A database says that a value, or a row, can never be written."""


class Meaning(Enum):
    """What to do about an error."""

    DATA = "find the rows at fault"
    PERMISSION = "say so, and wait once we have been let in"
    OURS = "none: it is a fault of this program"
    AWAY = "try again"


_NO_PERMISSION: Final = ("28", "42501")
_DATA: Final = ("22", "23", "54")
_UNIQUE: Final = "23505"
"""SQLSTATE codes of PostgreSQL, https://www.postgresql.org/docs/current/errcodes-appendix.html."""

_PERMISSION_NUMBERS: Final = frozenset({1044, 1045, 1142, 1143, 1227, 1370, 1698, 3118})
_DATA_NUMBERS: Final = frozenset(
    {1048, 1054, 1118, 1264, 1265, 1292, 1300, 1364, 1366, 1367, 1406, 1411, 1416, 1690, 3140, 3819, 4025}
)
"""Numbers of MariaDB and MySQL, https://mariadb.com/kb/en/mariadb-error-code-reference/."""

_REFUSED: Final = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "permission denied",
    'role "',
    "no password supplied",
)
"""What libpq tells of a refused log-in; its errors of connecting carry no code."""

_BY_CLASS: Final = {
    "DataError": Meaning.DATA,
    "ConversionException": Meaning.DATA,
    "OutOfRangeException": Meaning.DATA,
    "PermissionException": Meaning.PERMISSION,
    "InsufficientPrivilege": Meaning.PERMISSION,
    "NotSupportedError": Meaning.OURS,
}


def meaning(error: BaseException) -> Meaning:
    """Return what an error of a driver means, by its code, else by its class."""
    if isinstance(error, OSError):
        return Meaning.AWAY
    number = error.args[0] if error.args else None
    if isinstance(number, int):
        return _by_number(number)
    state = getattr(error, "sqlstate", None)
    return _by_state(state) if state else _by_class(error)


def _by_class(error: BaseException) -> Meaning:
    if any(sign in str(error) for sign in _REFUSED):
        return Meaning.PERMISSION
    names = [kind.__name__ for kind in type(error).__mro__]
    if {"IntegrityError", "ConstraintException"} & set(names):
        return Meaning.AWAY if re.search("unique|duplicate", str(error), re.IGNORECASE) else Meaning.DATA
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), Meaning.AWAY)


def _by_state(state: str) -> Meaning:
    if state.startswith(_NO_PERMISSION):
        return Meaning.PERMISSION
    if state.startswith(_DATA) and state != _UNIQUE:
        return Meaning.DATA
    return Meaning.AWAY


def _by_number(number: int) -> Meaning:
    if number in _PERMISSION_NUMBERS:
        return Meaning.PERMISSION
    return Meaning.DATA if number in _DATA_NUMBERS else Meaning.AWAY


@contextlib.contextmanager
def told(name: str, secret: str | None, *drivers: type[Exception]) -> Iterator[None]:
    """Turn what a database raises into one of our errors, without secrets.

    Args:
        name: What people know the database by.
        secret: A password that must not appear in the error.
        drivers: Base classes of errors that come from a driver directly.

    Raises:
        BadData: A row can never be written.
        NotPermitted: The database refuses us.
        SinkUnavailable: Anything else that trying again may mend.
    """
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError, *drivers) as error:  # type: ignore[misc]
        origin: Any = getattr(error, "orig", None) or error
        found = meaning(origin)
        if found is Meaning.OURS:
            raise
        raise _ERRORS[found](f"{name}: {_reason(origin, secret)}") from None


_ERRORS: Final[dict[Meaning, type[Exception]]] = {
    Meaning.DATA: BadData,
    Meaning.PERMISSION: NotPermitted,
    Meaning.AWAY: SinkUnavailable,
}


def _reason(origin: BaseException, secret: str | None) -> str:
    parts = origin.args
    if len(parts) == 2 and isinstance(parts[0], int):
        text = f"{parts[1]} (error {parts[0]})"
    else:
        text = next((line for line in str(origin).splitlines() if line.strip()), type(origin).__name__)
    return text.replace(secret, "***") if secret else text
