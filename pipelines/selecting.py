"""Which messages a person means, as they say it on the command line."""

from collections.abc import Sequence

from ..sources.plan import Selection
from .rebuild import instant


def selection_of(
    reasons: Sequence[str] | None = None,
    tables: Sequence[str] | None = None,
    message_ids: Sequence[str] | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Selection:
    """Return the selection; each filter may name several, and a message must pass all of them.

    Raises:
        ConfigError: An instant is none.
    """
    return Selection(
        frozenset(reasons or ()),
        frozenset(table.lower() for table in tables or ()),
        frozenset(message_ids or ()),
        instant("--since", since),
        instant("--until", until),
    )
