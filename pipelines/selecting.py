"""Which messages a person means, as they say it on the command line."""

from collections.abc import Sequence

from ..sources.plan import Selection
from .rebuild import instant


def selection_of(
    reasons: Sequence[str] = (),
    tables: Sequence[str] = (),
    message_ids: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
) -> Selection:
    """Return the selection; each filter may name several, and a message must pass all of them.

    Raises:
        ConfigError: An instant is none.
    """
    return Selection(
        frozenset(reasons),
        frozenset(table.lower() for table in tables),
        frozenset(message_ids),
        instant("--since", since),
        instant("--until", until),
    )
