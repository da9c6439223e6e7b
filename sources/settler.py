"""What one link holds under lock, renewed until settled, settled in batches."""

import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceiver
from azure.servicebus.exceptions import OperationTimeoutError

from ..model.counters import counters
from ..model.failpoints import reach
from ..model.verdict import Disposition, Outcome
from .config import ServiceBusSource
from .convert import Received
from .gather import GatherSettlement
from .keep_alive import listen_alone
from .settlement import (
    MANAGEMENT_LIMIT,
    PATIENCE,
    Held,
    ManagementSettlement,
    PublicSettlement,
    RangeSettlement,
    Settlement,
    in_halves,
    settle_on_link,
    withdraw_credit,
)
from .staying import Staying
from .throttling import Throttled

_log = logging.getLogger(__name__)

_ASSUMED_LOCK: Final = 30.0
"""Seconds a lock is taken to last where the broker does not say."""
_DESCRIPTION_LIMIT: Final = 4096
"""Characters of a dead-letter description that Service Bus keeps."""


def ways(receiver: ServiceBusReceiver, source: ServiceBusSource, entity: str) -> list[Settlement]:
    """Return the ways this SDK has to settle, best first; the documented calls are always among them."""
    found: list[Settlement] = []
    if RangeSettlement.available(receiver):
        found.append(RangeSettlement(receiver))
    if ManagementSettlement.available(receiver):
        found.append(ManagementSettlement(receiver))
    if not found and not source.sessions_of(entity):
        found.append(GatherSettlement(source, entity))
    found.append(PublicSettlement(receiver))
    return found


class Settler:
    """The messages one link holds.  Used by the link's thread alone."""

    def __init__(
        self, source: ServiceBusSource, entity: str, drop: Callable[[Sequence[Held], bool], None]
    ) -> None:
        """Use a callback for messages that leave, with whether they were settled."""
        self._source = source
        self._entity = entity
        self._drop = drop
        self._held: dict[bytes, Held] = {}
        self._pending: list[Disposition] = []
        self._receiver: Any = None
        self._ways: list[Settlement] = []
        self._renew_at = 0.0
        self._finished: set[bytes] = set()
        self.staying = Staying()
        """What is held only so that it does not come again."""

    @property
    def held(self) -> int:
        """Messages under lock."""
        return len(self._held)

    def holds(self, token: bytes) -> bool:
        """Tell whether this lock is held here.  Safe to ask from any thread."""
        return token in self._held

    def opened(self, receiver: ServiceBusReceiver) -> None:
        """Use a newly opened receiver from now on."""
        self._receiver = receiver
        self._ways = ways(receiver, self._source, self._entity)
        self.staying.opened(receiver)
        _log.debug("%s is settled by: %s", self._entity, ", ".join(way.name for way in self._ways))

    @property
    def needs_messages(self) -> bool:
        """Whether settling needs the SDK's own message objects."""
        return all(way.needs_message for way in self._ways)

    def hold(self, found: Sequence[Received]) -> None:
        """Take over messages that were just received."""
        for held in self._as_held(found):
            self._held[held.token] = held
            self._renew_at = min(self._renew_at, held.due)

    def let_stay(self, found: Sequence[Received]) -> None:
        """Take over messages only to keep them from coming again while this link is open."""
        self.staying.add(self._as_held(found))

    def hand_back(self, found: Sequence[Received]) -> set[bytes]:
        """Give back messages that were just received and not taken over, their delivery count unchanged.

        Returns:
            Lock tokens of those that are not known to be back in their places.
        """
        return {item.token for item in self._release(self._as_held(found))} if found else set()

    def pause(self) -> None:
        """Let nothing come while nothing is received."""
        withdraw_credit(self._receiver)
        listen_alone(self._receiver, alone=False)

    def _as_held(self, found: Sequence[Received]) -> list[Held]:
        now, wall = time.monotonic(), time.time()
        handler = getattr(self._receiver, "_handler", None)
        keep = self.needs_messages
        return [
            Held(
                token=envelope.lock_token,
                sequence_number=envelope.sequence_number,
                enqueued_at=envelope.enqueued_at,
                size=len(envelope.body),
                received=now,
                expires=now + _lasts(envelope.locked_until, wall),
                granted=now,
                delivery=None if delivery is None else (*delivery, handler),
                message=message if keep else None,
                entity=envelope.entity,
            )
            for envelope, delivery, message in found
            if envelope.lock_token is not None
        ]

    def take(self, dispositions: Sequence[Disposition]) -> None:
        """Take over what is to be settled."""
        self._pending.extend(dispositions)

    def settle_pending(self) -> bool:
        """Settle what was taken over; tell whether nothing is left to settle.

        Raises:
            Throttled: The broker is busy; what it did not settle stays pending.
            AzureError: The link broke; likewise.
        """
        while self._pending:
            part = self._pending[:MANAGEMENT_LIMIT]
            try:
                self._settle(part)
            except AzureError:
                self._pending = [item for item in self._pending if item.lock_token not in self._finished]
                raise
            finally:
                self._finished.clear()
            del self._pending[:MANAGEMENT_LIMIT]
            reach("half_settled")
        return True

    def let_go(self) -> None:
        """Give back everything that is held and will not be settled."""
        self.give_back(list(self._held))
        self.staying.let_go()

    def stay(self, dispositions: Sequence[Disposition]) -> None:
        """Leave rejected dead letters where they are, held so that they do not come again."""
        found = [
            (self._held[item.lock_token], item) for item in dispositions if item.lock_token in self._held
        ]
        self.staying.add([held for held, _ in found])
        self.staying.judged([item for _, item in found])
        self._leave([held for held, _ in found], settled=False)

    def defer(self, dispositions: Sequence[Disposition]) -> None:
        """Set rejected dead letters aside under their numbers, with the reason of this time.

        Raises:
            AzureError: The link broke.
        """
        self.stay(dispositions)
        self.staying.defer([item.lock_token for item in dispositions if item.lock_token])

    def give_back(self, tokens: Sequence[bytes | None]) -> None:
        """Give messages back without raising their delivery count, as far as the SDK can."""
        held = [self._held[token] for token in tokens if token in self._held]
        self._release(held)
        self._leave(held, settled=False)

    def _release(self, held: Sequence[Held]) -> Sequence[Held]:
        # credit that is left would bring them again at once, to stay locked when the link closes
        withdraw_credit(self._receiver)
        try:
            return settle_on_link(self._receiver, held, "released", wait=True)
        except OperationTimeoutError:
            return held

    def renew_due(self, renew_for: float) -> None:
        """Renew locks that have used up half of their time, many in a request.

        Args:
            renew_for: Seconds from receipt after which a lock is left to lapse.

        Raises:
            AzureError: The link broke.
        """
        now = time.monotonic()
        self.staying.renew(now, self._renew_request)
        if not self._held or now < self._renew_at:
            return
        due = [item for item in self._held.values() if item.due <= now < item.received + renew_for]
        for at in range(0, len(due), MANAGEMENT_LIMIT):
            self._renew(due[at : at + MANAGEMENT_LIMIT])
        waiting = [item.due for item in self._held.values() if now < item.received + renew_for]
        self._renew_at = min(waiting, default=now + _ASSUMED_LOCK)

    def _renew(self, due: Sequence[Held]) -> None:
        lost = in_halves(due, self._renew_request)
        counters.add("renewed", len(due) - len(lost))
        if lost:
            counters.add("locks_lost", len(lost))
            _log.warning("%d locks on %s were lost; those messages come again", len(lost), self._entity)
            self._leave(lost, settled=False)

    def _renew_request(self, part: Sequence[Held]) -> None:
        now, wall = time.monotonic(), time.time()
        request = getattr(self._receiver, "_renew_locks", None)
        if request is None:
            until = [self._renew_one(item) for item in part]
        else:
            answer = request(*(uuid.UUID(bytes=item.token) for item in part), timeout=PATIENCE)
            until = [stamp / 1000.0 for stamp in answer[b"expirations"]]
        for item, stamp in zip(part, until, strict=True):
            item.expires = now + max(stamp - wall, 1.0)
            item.granted = now

    def _renew_one(self, item: Held) -> float:
        if item.message is None:
            return time.time() + _ASSUMED_LOCK
        return float(self._receiver.renew_message_lock(item.message).timestamp())

    def _settle(self, dispositions: Sequence[Disposition]) -> None:
        complete: list[Held] = []
        dead: dict[tuple[str, str], list[Held]] = defaultdict(list)
        for item in dispositions:
            if item.lock_token is None:
                continue
            held = self._held.get(item.lock_token) or self._foreign(item, item.lock_token)
            if held is None:
                counters.add("given_up")
                continue
            if item.verdict.outcome is Outcome.REJECTED:
                key = (item.verdict.reason, item.verdict.sentence[:_DESCRIPTION_LIMIT])
                dead[key].append(held)
            else:
                complete.append(held)
        self._finish(complete, lambda way, left: way.complete(left))
        for (reason, sentence), group in dead.items():
            self._finish(
                group,
                lambda way, left, why=reason, what=sentence: way.dead_letter(left, why, what),  # type: ignore[misc]
            )
        reach("settled")

    def _foreign(self, item: Disposition, token: bytes) -> Held | None:
        """Return what is known of a message that another link received, or whose lock we gave up."""
        return Held(token, item.sequence_number, item.enqueued_at, 0, 0.0, 0.0, 0.0)

    def _finish(
        self, group: Sequence[Held], settle: Callable[[Settlement, Sequence[Held]], list[Held]]
    ) -> None:
        left = list(group)
        try:
            for way in self._ways:
                if left:
                    left = settle(way, left)
        except Throttled as error:
            self._settled(group, error.left)
            raise
        self._settled(group, left)
        self._leave(left, settled=False)
        self._finished.update(item.token for item in left)

    def _settled(self, group: Sequence[Held], left: Sequence[Held]) -> None:
        """Let go of what is settled of a group: all that is not left."""
        unsettled = {item.token for item in left}
        settled = [item for item in group if item.token not in unsettled]
        self._leave(settled, settled=True)
        self._finished.update(item.token for item in settled)

    def _leave(self, items: Sequence[Held], *, settled: bool) -> None:
        gone = [item for item in items if self._held.pop(item.token, None) is not None]
        counters.add("settled" if settled else "given_up", len(items))
        if gone:
            self._drop(gone, settled)


def _lasts(locked_until: int, wall: float) -> float:
    """Return the seconds a lock lasts; clocks may differ, so what has lapsed on receipt is not believed."""
    lasts = locked_until / 1e6 - wall
    return lasts if lasts > 0 else _ASSUMED_LOCK
