"""Messages that stay where they are: held under lock so that they do not come again meanwhile.

A queue gives its first message first.  What a pass over dead letters is not to take, or could
not cure, would come again and again before the rest, so it is held until the pass ends and given
back then: its place, its number and its time are those it had.  How many there may be is for
:class:`cdsbridge.sources.progress.Progress` to say.  A receiver that holds many is laid
aside, still open, and another one goes on.
"""

import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceiver

from ..model.counters import counters
from ..model.verdict import Disposition
from .settlement import MANAGEMENT_LIMIT, Held, in_halves, settle_on_link

_log = logging.getLogger(__name__)

REASON_NOW: Final = "CdsbridgeReason"
"""Application property of a dead letter that was rejected again: the code of this time."""
DESCRIPTION_NOW: Final = "CdsbridgeErrorDescription"
"""Application property with the sentence to it."""
_DESCRIPTION_LIMIT: Final = 1024
_ON_ONE_RECEIVER: Final = 4000
"""Messages held on one receiver.  A precaution: the service is said to detach links that hold too many,
and 5,000 was the session window of one of its clients (azure-sdk-for-net, pull request 16163)."""


class Staying:
    """What one link holds for no other end than to pass it by.  Used by the link's thread alone."""

    def __init__(self) -> None:
        self._held: dict[bytes, Held] = {}
        self._why: dict[bytes, tuple[str, str]] = {}
        self._receivers: list[Any] = []
        self._on_receiver = 0
        self._renew_at = 0.0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def full(self) -> bool:
        """Whether another receiver is to go on: this one holds as many as it may."""
        return self._on_receiver >= _ON_ONE_RECEIVER

    def opened(self, receiver: ServiceBusReceiver) -> None:
        """Use a newly opened receiver from now on; those before it stay open, or are gone."""
        self._receivers.append(receiver)
        self._on_receiver = 0

    def closed(self) -> None:
        """Forget the receivers: their connections are gone.  What they brought is held all the same."""
        self._receivers.clear()

    def add(self, held: Sequence[Held]) -> None:
        """Hold messages."""
        self._held.update((item.token, item) for item in held)
        self._on_receiver += len(held)
        self._renew_at = 0.0

    def judged(self, dispositions: Sequence[Disposition]) -> None:
        """Note why messages were rejected this time."""
        for item in dispositions:
            if item.lock_token is not None:
                self._why[item.lock_token] = (item.verdict.reason, item.verdict.sentence[:_DESCRIPTION_LIMIT])

    def renew(self, now: float, request: Callable[[Sequence[Held]], object]) -> None:
        """Renew what has used up half of its lock, however long that has been.

        Raises:
            AzureError: The link broke.
        """
        if not self._held or now < self._renew_at:
            return
        due = [item for item in self._held.values() if item.due <= now]
        for item in in_halves(due, request) if due else ():
            self._drop(item.token)
        self._renew_at = now + 1.0

    def defer(self, tokens: Sequence[bytes]) -> None:
        """Set messages aside under their numbers; what cannot be is held on.

        Raises:
            AzureError: The link broke.
        """
        held = [self._held[token] for token in tokens if token in self._held]
        for why, group in self._by_reason(held):
            lost = {item.token for item in self._update("defered", group, why)}
            counters.add("deferred", len(group) - len(lost))
            self._settled(group)

    def let_go(self) -> None:
        """Give everything back: what was rejected again with the reason of this time, the rest as it was."""
        for why, group in self._by_reason(list(self._held.values())):
            try:
                if why != ("", ""):
                    self._update("abandoned", group, why)
                    self._settled(group)
            except AzureError as error:
                _log.debug("dead letters keep their old reason only: %r", error)
        left = list(self._held.values())
        for receiver in self._receivers:
            left = settle_on_link(receiver, left, "released", wait=True)
        self._give_up(left)
        self._held.clear()
        self._why.clear()

    def _give_up(self, left: Sequence[Held]) -> None:
        """Give back by lock token what no link can: those that brought it are gone.

        A lock that lapses costs a delivery as well, and keeps the message away until then.
        """
        try:
            self._update("abandoned", left)
        except AzureError as error:
            _log.debug("messages come back when their locks lapse: %r", error)

    def _update(self, status: str, held: Sequence[Held], why: tuple[str, str] | None = None) -> list[Held]:
        """Settle by lock token, adding properties where there is a reason; return those whose lock is lost.

        The properties are those that "AMQP 1.0 in Azure Service Bus: request-response based
        operations" names properties-to-modify; what was there stays beside them.
        """
        noted = {REASON_NOW: why[0], DESCRIPTION_NOW: why[1]} if why else {}

        def request(part: Sequence[Held]) -> None:
            tokens = [uuid.UUID(bytes=item.token) for item in part]
            settle = self._receivers[-1]._settle_message_via_mgmt_link  # noqa: SLF001 - no documented call has them
            settle(status, tokens, {"properties-to-modify": noted} if noted else None)

        return in_halves(held, request)

    def _settled(self, group: Sequence[Held]) -> None:
        """Tell the link too, which else keeps what it knows of the deliveries."""
        left = list(group)
        for receiver in self._receivers:
            left = settle_on_link(receiver, left, "released", wait=False)
        for item in group:
            self._drop(item.token)

    def _drop(self, token: bytes) -> None:
        self._held.pop(token, None)
        self._why.pop(token, None)

    def _by_reason(self, held: Sequence[Held]) -> Iterator[tuple[tuple[str, str], list[Held]]]:
        groups: dict[tuple[str, str], list[Held]] = defaultdict(list)
        for item in held:
            groups[self._why.get(item.token, ("", ""))].append(item)
        for why, group in groups.items():
            for at in range(0, len(group), MANAGEMENT_LIMIT):
                yield why, group[at : at + MANAGEMENT_LIMIT]
