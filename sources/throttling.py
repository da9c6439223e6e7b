"""A broker that is busy says so, and is given time: the link stays as it is, and what it holds too.

"Throttling operations on Azure Service Bus" in the Azure documentation: a namespace that has used up its
credits answers server-busy, and gets new ones every second.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from azure.servicebus.exceptions import ServiceBusServerBusyError

if TYPE_CHECKING:
    from .settlement import Held

_FIRST: Final = 0.5
_MOST: Final = 2.0
_BUSY: Final = b"com.microsoft:server-busy"


class Throttled(ServiceBusServerBusyError):  # type: ignore[misc, unused-ignore]
    """The broker is busy and has settled some of a group only.

    Args:
        left: What is not settled, and still held.
    """

    def __init__(self, left: Sequence["Held"]) -> None:
        super().__init__(message="The broker is busy and refuses to settle for a while")
        self.left = tuple(left)


def is_throttled(error: BaseException) -> bool:
    """Tell whether an error of the SDK, an inner one too, means that the broker is busy."""
    condition = getattr(error, "condition", None)
    return isinstance(error, ServiceBusServerBusyError) or getattr(condition, "value", condition) == _BUSY


class Waits:
    """How long to wait for a broker that is busy: half a second, then twice as long each time, 2 s at most.

    >>> waits = Waits()
    >>> [waits.next() for _ in range(5)]
    [0.5, 1.0, 2.0, 2.0, 2.0]
    >>> waits.over()
    >>> waits.next()
    0.5
    """

    def __init__(self) -> None:
        self._next = _FIRST

    def next(self) -> float:
        """Return the seconds to wait now."""
        now, self._next = self._next, min(2 * self._next, _MOST)
        return now

    def over(self) -> None:
        """Note that the broker does what it is asked again."""
        self._next = _FIRST
