"""Notices a link that is silent while messages wait."""

import time
from typing import Final

from azure.servicebus import ServiceBusMessageState, ServiceBusReceiver

from ..model.counters import counters
from ..model.errors import ServiceUnreachable
from .settlement import PATIENCE

_PAGE: Final = 250
"""Messages in one answer to a peek."""
_LONGEST: Final = 900.0
"""Seconds between two looks, at most."""


class Watchdog:
    """Looks into the entity when nothing has come for a while; used by the link's thread alone.

    A peek shows messages that other receivers hold too, so a look that finds some proves nothing:
    the link is opened anew, which costs a second, and the next look is twice as far away until a
    message comes.  A link whose peer is gone without a word fails to answer the peek, and is
    opened anew for that.

    Args:
        silence: Seconds without a message after which it looks.
    """

    def __init__(self, silence: float) -> None:
        self._first = self._silence = silence
        self._since = time.monotonic()

    def rest(self) -> None:
        """Note that a message came, or that none was asked for."""
        self._since = time.monotonic()

    def came(self) -> None:
        """Note that a message came."""
        self._silence = self._first
        self.rest()

    def look(self, receiver: ServiceBusReceiver, first: int) -> None:
        """Look, if it is time.

        Args:
            receiver: Of the link.
            first: Sequence number from which on none is held by the links of this process.

        Raises:
            ServiceUnreachable: Messages wait and none came.
            AzureError: The link does not answer.
        """
        if time.monotonic() - self._since < self._silence:
            return
        silent = self._silence
        self._silence = min(2 * self._silence, _LONGEST)
        self.rest()
        peeked = receiver.peek_messages(_PAGE, sequence_number=first, timeout=PATIENCE)
        if any(message.state is ServiceBusMessageState.ACTIVE for message in peeked):
            counters.add("stalled")
            raise ServiceUnreachable(
                f"messages wait and none came for {silent:.0f} s; the link is opened anew"
            )
