"""Exit codes, and which error ends in which."""

from enum import IntEnum

from ..model.errors import (
    BridgeError,
    ConfigError,
    Fenced,
    NotPermitted,
    ServiceUnreachable,
    SinkUnavailable,
    UsageRefused,
)


class Exit(IntEnum):
    """What the process tells its caller; the numbers from 64 on are those of sysexits.h."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    AUDIT_MISMATCH = 3
    TOO_MANY_REJECTED = 4
    TAKEN_OVER = 5
    UNREACHABLE = 69
    ROWS_WAIT = 75
    NOT_PERMITTED = 77
    CONFIGURATION = 78
    INTERRUPTED = 130


def exit_code(error: BridgeError) -> Exit:
    """Return the exit code of an error.

    >>> exit_code(ServiceUnreachable("away")).value
    69
    """
    if isinstance(error, ConfigError | UsageRefused):
        return Exit.CONFIGURATION
    if isinstance(error, Fenced):
        return Exit.TAKEN_OVER
    if isinstance(error, NotPermitted):
        return Exit.NOT_PERMITTED
    if isinstance(error, ServiceUnreachable | SinkUnavailable):
        return Exit.UNREACHABLE
    return Exit.UNEXPECTED
