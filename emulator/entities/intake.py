"""What senders can ask of a queue or a topic."""

from collections.abc import Iterable, Sequence
from itertools import count

from . import errors
from .forwarding import Forwarding
from .message import Content
from .sessions import check_sessions


class Intake(Forwarding):
    """An entity that accepts messages, at once or for a time ahead.

    The arguments are those of :class:`Forwarding`.
    """

    def send(self, contents: Sequence[Content]) -> list[int]:
        """Accept messages; one with a time ahead in ``scheduled_at`` waits for it.

        Returns:
            Their sequence numbers, ascending, 0 for a duplicate that was dropped.
            A scheduled message gets another one when it becomes active.

        Raises:
            EntityError: A message is too large or lacks the session id that is
                required, sending is disabled, or nothing can be sent here; none was accepted.
        """
        now, limit = self._catch_up(), self.settings.max_message_size
        self.demand_sending()
        self.accessed_at = now
        for content in contents:
            if content.size > limit:
                raise errors.message_too_large(self.name, content.size, limit)
        if self.sessions is not None:
            check_sessions(self.name, contents)
        numbers = self._numbered(contents, now)
        self._accept([content for content, number in zip(contents, numbers, strict=True) if number], now)
        self.announce()
        return numbers

    def _numbered(self, contents: Sequence[Content], now: float) -> list[int]:
        first, window = self._next_number, self.settings.duplicate_window
        if window is None:
            return list(range(first, first + len(contents)))
        fresh = count(first)
        return [next(fresh) if new else 0 for new in self._duplicates.sift(contents, now, window)]

    def schedule(self, contents: Sequence[Content]) -> list[int]:
        """Accept messages for the times in ``scheduled_at``; the same as :meth:`send`."""
        return self.send(contents)

    def cancel(self, sequence_numbers: Sequence[int]) -> None:
        """Remove scheduled messages.

        Raises:
            EntityError: One of them is not scheduled (any more); none was removed.
        """
        self._catch_up()
        numbers = self._among(self._stock.scheduled, sequence_numbers, "scheduled")
        self._stock.remove(numbers)

    def _among(self, present: set[int], sequence_numbers: Iterable[int], what: str) -> list[int]:
        numbers = list(dict.fromkeys(sequence_numbers))
        missing = [number for number in numbers if number not in present]
        if missing:
            raise errors.message_not_found(self.name, what, missing)
        return numbers
