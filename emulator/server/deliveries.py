"""Links on which clients receive messages from an entity, and settle them."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from ..amqp.endpoints import Accepted, Error, Modified, Rejected, Released
from ..amqp.performatives import Attach, Disposition
from ..amqp.transfers import transfer_frames
from ..entities.entity import Source
from ..entities.errors import EntityError
from ..entities.message import Delivery
from .amending import amender
from .delivering import encode_delivery, tag_of
from .faults import Blow, Kind, Point
from .links import SERIAL, OutboundLink

if TYPE_CHECKING:
    from .session import Session

_PER_TURN = 1000
_SETTLED_MODE = 1
_REASON, _DESCRIPTION = "DeadLetterReason", "DeadLetterErrorDescription"

Outcome: TypeAlias = Accepted | Rejected | Released | Modified


class EntityOutbound(OutboundLink):
    """Delivers messages of an entity, locked or for good, and settles them."""

    def __init__(self, session: "Session", attach: Attach, source: Source) -> None:
        super().__init__(session, attach)
        self._entity = source
        self._lock = attach.snd_settle_mode != _SETTLED_MODE
        self._unsettled: dict[int, UUID] = {}
        self._ids: dict[UUID, int] = {}
        source.subscribe(self._on_messages)
        session.connection.broker.receivers.setdefault(source, {})[self] = None

    @property
    def path(self) -> str:
        """The path of the entity."""
        return self._entity.name

    def close(self) -> None:
        """Leave the entity; locks stay, unless the broker lets them follow the link."""
        if not self.open:
            return
        super().close()
        self._entity.unsubscribe(self._on_messages)
        broker = self.session.connection.broker
        links = broker.receivers.get(self._entity, {})
        links.pop(self, None)
        if not links:
            broker.receivers.pop(self._entity, None)
        if broker.locks_follow_link and self._unsettled:
            with suppress(EntityError):
                self._entity.release(list(self._unsettled.values()))

    def forget(self, tokens: Iterable[UUID]) -> None:
        """Stop tracking deliveries that were settled elsewhere."""
        for token in tokens:
            number = self._ids.pop(token, None)
            if number is not None:
                del self._unsettled[number]

    def deliver(self) -> bool:
        """Deliver up to the credit, the client's window, and a share that keeps turns short."""
        count = min(self.credit, self.session.room, _PER_TURN)
        if count <= 0:
            return self.credit > 0
        try:
            deliveries = self._entity.receive(count, lock=self._lock)
        except EntityError as error:
            self.detach(error.condition, error.description)
            return False
        if deliveries:
            self._hand_over(deliveries)
        if len(deliveries) < count or not self.credit or not self.open:
            return False
        self.session.wake(self)
        return True

    def _hand_over(self, deliveries: list[Delivery]) -> None:
        self.use()
        blow = self.session.connection.strike(Point.DELIVER, self._entity.name)
        if blow.kind is Kind.REORDER:
            deliveries = self._reordered(deliveries, blow)
        self._transfer(deliveries)
        if blow.kind is Kind.LOSE_LOCK:
            self._entity.lapse([delivery.token for delivery in deliveries if delivery.token is not None])
        elif blow.refusal is not None:
            self.detach(blow.refusal.condition, blow.refusal.description)

    def _reordered(self, deliveries: list[Delivery], blow: Blow) -> list[Delivery]:
        """Mix deliveries, or leave out those that are held back; what is not locked is only mixed."""
        if not blow.seconds or not self._lock:
            return blow.random.sample(deliveries, len(deliveries))
        count = len(deliveries) if blow.messages is None else min(blow.messages, len(deliveries))
        held = {each.token for each in blow.random.sample(deliveries, count)}
        asyncio.get_running_loop().call_later(blow.seconds, self._give_back, held)
        return [each for each in deliveries if each.token not in held]

    def _give_back(self, held: set[UUID | None]) -> None:
        """Let messages that were held back be delivered; if their session is lost, they are free already."""
        with suppress(EntityError):
            self._entity.release([token for token in held if token is not None])

    def _transfer(self, deliveries: list[Delivery]) -> None:
        session, frames = self.session, list[bytes]()
        channel, handle, number = session.channel, self.handle, session.next_delivery_id
        largest, settled = session.connection.max_frame_size, not self._lock
        for delivery in deliveries:
            token = delivery.token
            if token is None:
                tag = delivery.message.sequence_number.to_bytes(16, "big")
            else:
                tag = tag_of(token)
                self._unsettled[number] = token
                self._ids[token] = number
            frames += transfer_frames(
                channel, handle, number, tag, settled, encode_delivery(delivery), largest
            )
            number = (number + 1) & SERIAL
        session.next_delivery_id = number
        self.credit -= len(deliveries)
        self.delivery_count = (self.delivery_count + len(deliveries)) & SERIAL
        session.send_transfers(frames)

    def settle(self, first: int, last: int, disposition: Disposition) -> set[int]:
        """Apply an outcome to deliveries and say what became of each."""
        numbers, outcome = self._held(first, last), disposition.state
        if not numbers:
            return set()
        self.use()
        if not isinstance(outcome, Outcome):
            if disposition.settled:
                self.forget([self._unsettled[number] for number in numbers])
            return set(numbers)
        connection, name = self.session.connection, self._entity.name
        blow = connection.strike(Point.SETTLE, name, self)
        if blow.is_final:
            return set(numbers)
        if blow.kind is Kind.LOSE_LOCK:
            self._entity.lapse([self._unsettled[number] for number in numbers if number in self._unsettled])
        lost = self._apply(numbers, outcome) if blow.refusal is None else dict.fromkeys(numbers, blow.refusal)
        if not connection.strike(Point.SETTLED, name, self).is_final and not disposition.settled:
            self._confirm(numbers, lost, _echo(outcome))
        return set(numbers)

    def _held(self, first: int, last: int) -> list[int]:
        span = ((last - first) & SERIAL) + 1
        if span == 1:
            return [first] if first in self._unsettled else []
        if span > len(self._unsettled):
            return sorted(n for n in self._unsettled if (n - first) & SERIAL < span)
        return [n & SERIAL for n in range(first, first + span) if n & SERIAL in self._unsettled]

    def _apply(self, numbers: list[int], outcome: Outcome) -> dict[int, EntityError]:
        """Settle deliveries with the entity, one by one if they will not go together."""
        tokens = [self._unsettled.pop(number) for number in numbers]
        for token in tokens:
            del self._ids[token]
        operation = _operation(self._entity, outcome)
        try:
            operation(tokens)
        except EntityError as error:
            if len(tokens) == 1:
                return {numbers[0]: error}
        else:
            return {}
        lost: dict[int, EntityError] = {}
        for number, token in zip(numbers, tokens, strict=True):
            try:
                operation([token])
            except EntityError as error:
                lost[number] = error
        return lost

    def _confirm(self, numbers: list[int], lost: dict[int, EntityError], echo: Outcome) -> None:
        """Say what became of deliveries, neighbours with the same end in one frame."""
        start = 0
        for index, number in enumerate(numbers):
            following = numbers[index + 1] if index + 1 < len(numbers) else None
            if number not in lost and following == number + 1 and following not in lost:
                continue
            state = echo
            if number in lost:
                state = Rejected(Error(lost[number].condition, lost[number].description, {}))
            self.session.send(Disposition(False, numbers[start], number, True, state))
            start = index + 1

    def _on_messages(self) -> None:
        if self.credit:
            self.session.wake(self)


def _echo(outcome: Outcome) -> Outcome:
    """Return the outcome as confirmed; an error in it would tell the client it failed."""
    return Rejected(None) if isinstance(outcome, Rejected) else outcome


def _operation(source: Source, outcome: Outcome) -> Callable[[Sequence[UUID]], None]:
    if isinstance(outcome, Accepted):
        return source.complete
    if isinstance(outcome, Released):
        return source.release
    if isinstance(outcome, Modified):
        operation = source.defer if outcome.undeliverable_here else source.abandon
        return partial(operation, amend=amender(outcome.message_annotations))
    return partial(_dead_letter, source, outcome)


def _dead_letter(source: Source, outcome: Rejected, tokens: Sequence[UUID]) -> None:
    """Move messages to the dead-letter queue for the reason, and with the properties, of a rejection."""
    error = outcome.error or Error("")
    noted = dict(error.info or {})
    reason, description = noted.pop(_REASON, None), noted.pop(_DESCRIPTION, None)
    source.dead_letter(tokens, str(reason or ""), str(description or error.description or ""), amender(noted))
