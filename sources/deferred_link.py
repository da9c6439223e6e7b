"""A link that reads deferred messages, which are had by their numbers only."""

import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from azure.servicebus import ServiceBusReceiver
from azure.servicebus.exceptions import MessageNotFoundError

from ..model.counters import counters
from .convert import from_message
from .link import Link, Shared

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 250
"""Numbers in one request."""


class DeferredLink(Link):
    """Takes the messages of the numbers it is told, and ends when all of them have ended."""

    def __init__(self, shared: Shared, number: int) -> None:
        super().__init__(shared, number)
        self._todo = deque(dict.fromkeys(shared.plan.numbers))

    def _receive_or_wait(self, receiver: ServiceBusReceiver) -> int:
        if not self._todo and not self._settler.held:
            self._shared.progress.end()
        if not self._todo:
            self._await_work()
            return 0
        return super()._receive_or_wait(receiver)

    def _opened(self, receiver: ServiceBusReceiver) -> None:
        super()._opened(receiver)
        self._reduce = from_message

    def _messages(self, receiver: ServiceBusReceiver, count: int, wait: float) -> Sequence[Any]:
        del wait
        numbers = [self._todo.popleft() for _ in range(min(count, _AT_ONCE, len(self._todo)))]
        try:
            return self._found(receiver, numbers)
        except Exception:
            self._todo.extendleft(reversed(numbers))
            raise

    def _found(self, receiver: ServiceBusReceiver, numbers: list[int]) -> list[Any]:
        """Return the messages that are there; the broker refuses a request whole for one that is not."""
        try:
            return list(receiver.receive_deferred_messages(numbers))
        except MessageNotFoundError:
            pass
        if len(numbers) == 1:
            counters.add("not_found")
            _log.warning("%s holds no deferred message %d", self._shared.entity, numbers[0])
            return []
        middle = len(numbers) // 2
        return self._found(receiver, numbers[:middle]) + self._found(receiver, numbers[middle:])
