"""The queue: what senders and receivers can ask of it."""

from collections.abc import Callable, Mapping, Sequence

from . import errors
from .accepting import Accepting
from .message import Content
from .settings import QueueSettings
from .stock import Shelf


class Queue(Accepting):
    """A queue, or the dead-letter queue of one.

    Every operation first applies what has come due (locks, time to live,
    schedules), so a caller sees the queue as it stands by the clock.  Requests
    with several lock tokens or numbers are applied whole or not at all.  What
    an operation did is durable after the next commit of the namespace.  A queue
    belongs to one thread.

    Where sessions are required, messages are received and settled through
    :meth:`accept_session`; the operations that take ``session`` are what a held
    session asks on.

    The arguments are those of :class:`Intake`.
    """

    def __init__(
        self,
        name: str,
        settings: QueueSettings,
        clock: Callable[[], float],
        shelf: Shelf | None = None,
        dead_letter: "Queue | None" = None,
    ) -> None:
        super().__init__(name, settings, clock, shelf, dead_letter)
        self.dead_letter_queue = dead_letter

    def send(self, contents: Sequence[Content]) -> list[int]:
        """Accept messages, as :meth:`Intake.send`; a dead-letter queue refuses.

        Raises:
            EntityError: A message is too large or lacks the session id that is
                required, or this is a dead-letter queue; none was accepted.
        """
        if self.dead_letter_queue is None:
            sentence = f"Nothing can be sent to the dead-letter queue {self.name!r}; send to its queue."
            raise errors.EntityError(errors.NOT_ALLOWED, sentence)
        return super().send(contents)

    def depth(self) -> Mapping[str, int]:
        """How many messages are active (available), locked, deferred, scheduled, dead_lettered."""
        self._catch_up()
        locked = len(self._locks) if self.sessions is None else self.sessions.locked_messages()
        deferred, scheduled = len(self._stock.deferred), len(self._stock.scheduled)
        return {
            "active": self.size - locked - deferred - scheduled,
            "locked": locked,
            "deferred": deferred,
            "scheduled": scheduled,
            "dead_lettered": 0 if self.dead_letter_queue is None else self.dead_letter_queue.size,
        }
