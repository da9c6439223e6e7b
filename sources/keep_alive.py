"""One thread reads a connection: ours.

The SDK keeps a thread beside each receiver that listens on its connection every five seconds, as its user
may not.  It puts transfers together without a lock, so while two threads read, a message can be given the
delivery tag of its neighbour: what is settled by it is another message, perhaps one that is not committed.
"""

import math
from typing import Any, Final

_SDKS: Final = 5.0
"""Seconds between two times the SDK's thread listens, where nothing is fetched ahead."""


def listen_alone(receiver: Any, alone: bool) -> None:
    """Keep the SDK's thread from listening while we do; let it send signs of life while we do not.

    Without credit it reads nothing, so it may be let loose when the credit has been withdrawn.

    Args:
        receiver: The SDK's receiver; one without such a thread is left as it is.
        alone: Whether we receive.
    """
    handler: Any = getattr(receiver, "_handler", None)
    if getattr(handler, "_keep_alive_interval", 0):
        handler._keep_alive_interval = math.inf if alone else _SDKS  # noqa: SLF001 - looked for above
