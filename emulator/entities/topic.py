"""Topics and their subscriptions.

The rules are those of "Service Bus queues, topics, and subscriptions" and
"Topic filters and actions" in the Azure documentation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from ..filters.rules import Rule
from . import errors
from .intake import Intake
from .message import Content, State, StoredMessage
from .queue import Queue
from .selection import select, takes_all
from .settings import QueueSettings
from .stock import Shelf
from .upkeep import DESCRIPTION, REASON


class Subscription(Queue):
    """Copies of those messages of a topic that its rules take, received like those of a queue.

    The arguments are those of :class:`Queue`.
    """

    def __init__(
        self,
        name: str,
        settings: QueueSettings,
        clock: Callable[[], float],
        shelf: Shelf | None = None,
        dead_letter: Queue | None = None,
    ) -> None:
        super().__init__(name, settings, clock, shelf, dead_letter)
        self._rules: dict[str, Rule] = {}
        self._takes_all = False

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they were added."""
        return tuple(self._rules.values())

    def rule(self, name: str) -> Rule:
        """A rule by its name, upper and lower case alike.

        Raises:
            EntityError: There is no such rule.
        """
        known = self._rules.get(name.casefold())
        if known is None:
            sentence = f"The subscription {self.name!r} has no rule {name!r}: add it, or correct the name."
            raise errors.EntityError(errors.NOT_FOUND, sentence)
        return known

    def put_rule(self, rule: Rule) -> None:
        """Add a rule, or replace the one of that name."""
        self._rules[rule.name.casefold()] = rule
        self._takes_all = takes_all(self._rules.values())

    def drop_rule(self, name: str) -> None:
        """Remove a rule, if it is there.  Without any, the subscription takes no message."""
        self._rules.pop(name.casefold(), None)
        self._takes_all = takes_all(self._rules.values())

    def send(self, contents: Sequence[Content]) -> NoReturn:
        """Refuse: messages come by way of the topic.

        Raises:
            EntityError: Always.
        """
        del contents
        sentence = f"Nothing can be sent to the subscription {self.name!r}; send to its topic."
        raise errors.EntityError(errors.NOT_ALLOWED, sentence)

    def take_copies(self, originals: Sequence[StoredMessage]) -> None:
        """Take in what the rules take of what the topic accepted, under numbers of this subscription.

        A message on which a rule fails goes to the dead-letter queue, where the settings say so.
        """
        self._catch_up()
        if self._takes_all:
            first = self._next_number
            copies = [self._copied(n, each, each.content) for n, each in enumerate(originals, first)]
            self._enter(copies)
            return
        for original in originals:
            selection = select(self._rules.values(), original)
            first = self._next_number
            self._enter(
                [self._copied(n, original, content) for n, content in enumerate(selection.copies, first)]
            )
            if selection.failure and self.settings.dead_letter_on_filter_error:
                self._bury_failed(original, selection.failure)

    def _copied(self, number: int, original: StoredMessage, content: Content) -> StoredMessage:
        expires_at, given = self._expiry(content, original.enqueued_at), original.expires_at
        if given is not None and (expires_at is None or given < expires_at):
            expires_at = given
            self._due = min(self._due, given)
        return replace(
            original,
            sequence_number=number,
            content=content,
            expires_at=expires_at,
            enqueued_number=original.enqueued_number or original.sequence_number,
        )

    def _bury_failed(self, original: StoredMessage, failure: str) -> None:
        copy = self._copied(self._next_number, original, original.content)
        self._next_number += 1
        self._stock.issue(self._next_number)
        self._inter([copy], {REASON: "FilterEvaluationException", DESCRIPTION: failure})


class Topic(Intake):
    """Where senders put messages of which each subscription gets a copy.

    A topic itself keeps scheduled messages only, until they are due.

    Args:
        name: The address, for errors.
        settings: What senders are held to; what is said of locks and
            deliveries has no meaning here.
        clock: Gives the time, epoch seconds.
        shelf: Where scheduled messages are stored; ``None``: in memory only.

    Attributes:
        subscriptions: The subscriptions by their own name, lower case.
    """

    def __init__(
        self, name: str, settings: QueueSettings, clock: Callable[[], float], shelf: Shelf | None = None
    ) -> None:
        super().__init__(name, settings, clock, shelf)
        self.subscriptions: dict[str, Subscription] = {}

    def admit(self, messages: Sequence[StoredMessage]) -> None:
        """Keep what is scheduled, and hand a copy of the rest to every subscription."""
        active = [message for message in messages if message.state is State.ACTIVE]
        super().admit([message for message in messages if message.state is not State.ACTIVE])
        if active:
            for subscription in self.subscriptions.values():
                subscription.take_copies(active)

    def announce(self) -> None:
        """Call the subscribers of the subscriptions that got something."""
        super().announce()
        for subscription in tuple(self.subscriptions.values()):
            subscription.announce()

    def depth(self) -> Mapping[str, int]:
        """How many messages are scheduled; there are no others."""
        self._catch_up()
        return {"scheduled": len(self._stock.scheduled)}
