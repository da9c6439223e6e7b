"""How many messages may be under way together, so that a process that dies takes few with it."""

import threading
from collections.abc import Sequence
from typing import Final

_LAST: Final = 5
"""Deliveries of a message, its last ones, for which its company shrinks."""


class Caution:
    """Shared by all links of a process: one that dies takes with it all that is under way.

    Every death raises the delivery count of everything the process held, and at its
    ``MaxDeliveryCount`` the broker dead-letters a message, a good one too.  So what has failed often
    travels in ever smaller company, and alone on its last delivery: of a burst of deaths only a
    message that was alone with one of them can become a dead letter.  Where it can be written down
    which messages are under way, they are not even held meanwhile
    (:mod:`cdsbridge.sources.choice`).

    Args:
        max_deliveries: ``MaxDeliveryCount`` of the entities.
        batch: Messages asked for at once, in calm.
        after_death: Whether the last life of the process ended by a death.  Then the first message that
            comes only shows how often it has failed, if that was often.
    """

    def __init__(self, max_deliveries: int, batch: int, *, after_death: bool = False) -> None:
        self._max_deliveries = max_deliveries
        self._batch = batch
        self._lock = threading.Lock()
        self._under_way = 0
        self._worst = 0
        self._together: int | None = 1 if after_death else None
        self._looking = after_death

    @property
    def careful(self) -> bool:
        """Whether messages that failed often are under way or next: a commit is not to wait for more."""
        return self._together is not None

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    def ask(self, asked: int, beside: int = 0) -> int:
        """Return how many of the messages asked for may be received now.

        Args:
            asked: Messages asked for in calm.
            beside: Messages that may come with them and do not go on.
        """
        with self._lock:
            if self._together is None:
                return asked + beside
            return 0 if self._under_way else min(asked, self._together) + beside

    def admit(self, delivery_counts: Sequence[int]) -> int:
        """Return how many of the messages just received go on, the first ones; they are under way then."""
        with self._lock:
            if self._looking:
                return self._look(delivery_counts)
            if not self._under_way:
                self._worst, self._together = 0, None
            admitted = 0
            for count in delivery_counts:
                self._worst = max(self._worst, count)
                self._together = safe_number(self._worst, self._max_deliveries, self._batch)
                if self._together is not None and self._under_way >= self._together:
                    break
                self._under_way += 1
                admitted += 1
            return admitted

    def _look(self, delivery_counts: Sequence[int]) -> int:
        if not delivery_counts:
            return 0
        self._looking = False
        self._together = safe_number(max(delivery_counts), self._max_deliveries, self._batch)
        self._under_way = len(delivery_counts) if self._together is None else 0
        return self._under_way

    def ended(self, count: int) -> None:
        """Take messages out of the count that were settled or given up."""
        with self._lock:
            self._under_way -= count


def safe_number(delivery_count: int, max_deliveries: int, batch: int) -> int | None:
    """Return how many messages may be under way together, by the worst delivery count among them.

    >>> [safe_number(count, 10, 1000) for count in (0, 4, 5, 6, 7, 8, 9)]
    [None, None, 251, 63, 16, 4, 1]
    """
    calm = max(0, max_deliveries - 1 - _LAST)
    if delivery_count <= calm:
        return None
    left, first = max_deliveries - 1 - delivery_count, max_deliveries - 1 - calm
    return max(1, round(batch ** (max(left, 0) / max(first, 1))))
