"""Auto-forward: messages and dead letters that are passed on to another entity.

The rules are those of "Chaining Service Bus entities with autoforwarding" and
of the page on dead-letter queues in the Azure documentation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from .errors import NOT_ALLOWED, EntityError, entity_disabled
from .message import State, StoredMessage
from .upkeep import DESCRIPTION, REASON, Upkeep

MAX_HOPS: Final = 4
"""How often a message is passed on; the next time it is a transfer dead letter."""


class Forwarding(Upkeep):
    """An entity that may pass on what it gets, and what dies in it.

    Messages that cannot be passed on go to its transfer dead-letter queue.

    The arguments are those of :class:`Upkeep`.
    """

    _find: "Callable[[str], Forwarding | None] | None" = None
    _transfer: "Upkeep | None" = None

    def connect(self, find: "Callable[[str], Forwarding | None]", transfer: Upkeep) -> None:
        """Let the entity pass messages on; without it nothing is.

        Args:
            find: Gives the queue or topic of a name; ``None``: there is none.
            transfer: The transfer dead-letter queue.
        """
        self._find = find
        self._transfer = transfer
        self._told: dict[Forwarding, None] = {}

    @property
    def forwards(self) -> bool:
        """Whether messages are passed on, so that none can be received."""
        return self._find is not None and bool(self.settings.forward_to)

    def demand_sending(self) -> None:
        """Insist that messages can be sent to it.

        Raises:
            EntityError: They cannot.
        """
        if not self.settings.sends:
            raise entity_disabled(self.name, self.settings.status, "send")

    def demand_receiving(self) -> None:
        """Insist that messages can be received from it.

        Raises:
            EntityError: They cannot.
        """
        if self._find is None:
            return
        if not self.settings.receives:
            raise entity_disabled(self.name, self.settings.status, "receive")
        if self.forwards:
            sentence = (
                f"Cannot create a message receiver on {self.name!r}, which has auto-forwarding enabled: "
                f"receive from {self.settings.forward_to!r}."
            )
            raise EntityError(NOT_ALLOWED, sentence)

    def admit(self, messages: Sequence[StoredMessage]) -> None:
        """Take in messages as they are, or pass them on."""
        to = self.settings.forward_to
        if self._find is None or not to:
            super().admit(messages)
            return
        super().admit([message for message in messages if message.state is not State.ACTIVE])
        self._forward([message for message in messages if message.state is State.ACTIVE], to, "")

    def forward_waiting(self) -> None:
        """Pass on the messages that wait, after forwarding was switched on."""
        if not self.forwards or not self.settings.forward_to:
            return
        waiting = self._stock.take(self.size)
        self._stock.remove([message.sequence_number for message in waiting])
        self._forward(waiting, self.settings.forward_to, "")
        self.announce()

    def _inter(self, messages: list[StoredMessage], noted: Mapping[str, str]) -> None:
        to = self.settings.forward_dead_letters_to
        if self._find is None or not to or not messages:
            super()._inter(messages, noted)
            return
        for message in messages:
            message.state = State.ACTIVE
            message.dead_letter = {**message.dead_letter, **noted}
        self._forward(messages, to, self.name)

    def _forward(self, messages: Sequence[StoredMessage], to: str, source: str) -> None:
        target = None if self._find is None else self._find(to)
        passed: list[StoredMessage] = []
        for message in messages:
            refusal = _refusal(message, target, to)
            if refusal is None:
                passed.append(message)
            else:
                self._keep(message, *refusal)
        if target is not None and passed:
            target.take_over(passed, source)
            self._told[target] = None

    def _keep(self, message: StoredMessage, reason: str, description: str) -> None:
        if self._transfer is None:
            return
        message.expires_at = None
        message.dead_letter = {**message.dead_letter, REASON: reason, DESCRIPTION: description}
        self._transfer.admit([message])

    def take_over(self, messages: Sequence[StoredMessage], source: str) -> None:
        """Take in what another entity passes on, under new numbers.

        Args:
            messages: The messages, nowhere else any more.
            source: The entity they died in; ``""``: they did not.
        """
        now, first, window = self._catch_up(), self._next_number, self.settings.duplicate_window
        if window is not None:
            new = self._duplicates.sift([each.content for each in messages], now, window)
            messages = [each for each, fresh in zip(messages, new, strict=True) if fresh]
        entered = [self._stored(number, each.content, now) for number, each in enumerate(messages, first)]
        for message, former in zip(entered, messages, strict=True):
            message.hops = former.hops + 1
            message.enqueued_number = former.enqueued_number or former.sequence_number
            message.dead_letter = former.dead_letter
            message.dead_letter_source = source or former.dead_letter_source
        self._enter(entered)

    def announce(self) -> None:
        """Call the subscribers, here and wherever messages were passed on to."""
        super().announce()
        if self._transfer is not None:
            self._transfer.announce()
            told, self._told = self._told, {}
            for entity in told:
                entity.announce()


def _refusal(message: StoredMessage, target: Forwarding | None, to: str) -> tuple[str, str] | None:
    """Why a message cannot be passed on: reason and sentence."""
    if message.hops >= MAX_HOPS:
        sentence = "The maximum number of allowed hops when forwarding between queues has been exceeded."
        return "MaxTransferHopCountExceeded", f"{sentence} It is {MAX_HOPS}."
    if target is None:
        return "MessagingEntityNotFoundException", f"The messaging entity {to!r} could not be found."
    if not target.settings.sends:
        return "MessagingEntityDisabledException", f"The messaging entity {to!r} is {target.settings.status}."
    limit = target.settings.max_message_size
    if message.content.size > limit:
        return "MessageSizeExceededException", f"The messaging entity {to!r} takes up to {limit} bytes."
    return None
