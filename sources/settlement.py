"""Settling many messages at once: one adapter, four ways, the public calls as the floor.

Since azure-servicebus 7.15 ``complete_message`` waits for the service, so a
plain loop is bound by the round trip.  The two fast ways use parts of the SDK
that are not documented; each is used only where it is found, and
``tests/sources/test_settlement.py`` holds every way to one contract on the
oldest and the newest SDK we support (``docs/decisions/003-settlement.md``).

A settle that fails is no error here: it becomes a redelivery, which the sinks
make harmless.
"""

import inspect
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    OperationTimeoutError,
    ServiceBusServerBusyError,
)

from .throttling import Throttled, is_throttled

_log = logging.getLogger(__name__)

MANAGEMENT_LIMIT: Final = 1000
"""Lock tokens in one management request."""
PATIENCE: Final = 15.0
"""Seconds the broker is given to answer; the SDK's own waiting has no end on a silent connection."""


@dataclass(slots=True)
class Held:
    """A message under our lock, as little as settling and renewing it need.

    Attributes:
        token: The lock token, 16 bytes, RFC 4122 order.
        sequence_number: The broker's number.
        enqueued_at: Microseconds since 1970 UTC.
        size: Bytes of its body.
        received: Monotonic seconds of receipt.
        expires: Monotonic seconds at which the lock lapses, as far as we know.
        granted: Monotonic seconds at which that was told: on receipt, or by the last renewal.
        delivery: Delivery id on the link, and the link's handler; ``None``
            where they are not to be had.
        message: The SDK's message, kept only for ways that cannot do without.
        entity: What its envelope says of where it came from.
        throttled: Whether the link was asked to settle it and found the broker busy: the service has
            ended the delivery then, and only the lock is left to settle by.
    """

    token: bytes
    sequence_number: int
    enqueued_at: int
    size: int
    received: float
    expires: float
    granted: float = 0.0
    delivery: tuple[int, bytes, Any] | None = None
    message: ServiceBusReceivedMessage | None = None
    entity: str = ""
    throttled: bool = False

    @property
    def due(self) -> float:
        """The monotonic second at which half of the lock is used up, and it is to be renewed."""
        return self.expires - 0.5 * max(self.expires - self.granted, 2.0)


class Settlement(Protocol):
    """A way to settle.

    Each method returns what it did not settle; where the broker is busy it raises :class:`Throttled` with it.
    """

    name: str
    needs_message: bool

    def complete(self, held: Sequence[Held]) -> list[Held]:
        """Complete messages; return those that are not known to be completed."""

    def dead_letter(self, held: Sequence[Held], reason: str, description: str) -> list[Held]:
        """Dead-letter messages for one reason; return those not known to be dead-lettered."""


class RangeSettlement:
    """One disposition frame for a run of deliveries on the link that received them.

    AMQP 1.0 (section 2.7.6, ``first`` and ``last``) has it; the SDK offers it
    only inside.
    """

    name = "range"
    needs_message = False

    def __init__(self, receiver: ServiceBusReceiver) -> None:
        self._receiver = receiver

    @staticmethod
    def available(receiver: ServiceBusReceiver) -> bool:
        """Tell whether this SDK can wait for the outcome of a range."""
        return _can_wait(getattr(receiver, "_handler", None))

    def complete(self, held: Sequence[Held]) -> list[Held]:
        """Complete runs of consecutive deliveries; none beside one that a busy broker refused before.

        Raises:
            Throttled: The broker is busy.
            OperationTimeoutError: The connection is silent.
        """
        if any(item.throttled for item in held):
            return list(held)
        left = settle_on_link(self._receiver, held, "accepted", wait=True)
        if any(item.throttled for item in left):
            raise Throttled(left)
        return left

    def dead_letter(self, held: Sequence[Held], reason: str, description: str) -> list[Held]:
        """Leave dead-lettering to the next way."""
        del reason, description
        return list(held)


def settle_on_link(receiver: Any, held: Sequence[Held], outcome: str, *, wait: bool) -> list[Held]:
    """Settle deliveries of the receiver's present link, runs of them in a frame each.

    Args:
        receiver: The SDK's receiver.
        held: Deliveries of any link; those of another are left.
        outcome: ``accepted``, or ``released``: back to its place, the delivery count unchanged.
        wait: Wait for the broker to confirm; else it is told and not asked.

    Returns:
        What is not known to be settled.  Where the broker is busy, it is marked so, and after an
        ``accepted`` nothing further is tried: one request by lock token asks less of it.

    Raises:
        OperationTimeoutError: The broker did not confirm for :data:`PATIENCE`: the connection is silent.
    """
    handler: Any = getattr(receiver, "_handler", None)
    mine = [item for item in held if item.delivery is not None and item.delivery[2] is handler]
    left = [item for item in held if item.delivery is None or item.delivery[2] is not handler]
    waiting = {"await_outcome": True, "outcome_timeout": PATIENCE} if wait and _can_wait(handler) else {}
    busy = False
    for run in _runs(mine):
        if busy and outcome == "accepted":
            left.extend(_throttled(run))
            continue
        deliveries = [item.delivery for item in run if item.delivery is not None]
        first, last = deliveries[0], deliveries[-1]
        begun = time.monotonic()
        try:
            handler.settle_messages((first[0], last[0]), last[1], outcome, **waiting)
            tags = handler._link._received_delivery_tags  # noqa: SLF001 - else the SDK keeps them for ever
            tags.difference_update(delivery[1] for delivery in deliveries)
        except Exception as error:  # the SDK's inner AMQP errors share no public base
            _log.debug("settling deliveries %s to %s on the link failed: %r", first[0], last[0], error)
            if waiting and time.monotonic() - begun >= PATIENCE:
                told = f"The broker did not confirm a settlement within {PATIENCE:.0f} s"
                raise OperationTimeoutError(message=told) from error
            busy = is_throttled(error)
            left.extend(_throttled(run) if busy else run)
            if busy:
                handler._link._received_delivery_tags.add(last[1])  # noqa: SLF001 - it is told later how this ends
    return left


def _throttled(run: list[Held]) -> list[Held]:
    for item in run:
        item.throttled = True
    return run


def withdraw_credit(receiver: Any) -> None:
    """Let the broker send nothing more until the next receive.

    A receive leaves the credit it did not use with the broker, so what comes late would lie under
    lock in a buffer that nobody reads or renews, and count as delivered when its lock lapses.
    """
    link: Any = getattr(getattr(receiver, "_handler", None), "_link", None)
    if getattr(link, "current_link_credit", 0):
        try:
            link.flow(link_credit=0)
        except Exception as error:  # noqa: BLE001 - as above; a broken link is seen by the next receive
            _log.debug("the link's credit could not be withdrawn: %r", error)


def _can_wait(handler: Any) -> bool:
    link = getattr(handler, "_link", None)
    tags = getattr(link, "_received_delivery_tags", None)
    return hasattr(handler, "settle_messages") and isinstance(tags, set) and _takes_await(type(link))  # type: ignore[arg-type]


@cache
def _takes_await(link: type[Any]) -> bool:
    send = getattr(link, "send_disposition", None)
    return send is not None and "await_outcome" in inspect.signature(send).parameters


class ManagementSettlement:
    """One management request with many lock tokens; works from any link and process.

    The receiving link is told too, without waiting: the broker and the SDK
    keep what they know of a delivery until its link settles it.
    """

    name = "management"
    needs_message = False

    def __init__(self, receiver: ServiceBusReceiver) -> None:
        self._receiver: Any = receiver

    @staticmethod
    def available(receiver: ServiceBusReceiver) -> bool:
        """Tell whether this SDK can send the request with several tokens."""
        request = getattr(receiver, "_settle_message_via_mgmt_link", None)
        return request is not None and {"settlement", "lock_tokens"} <= set(
            inspect.signature(request).parameters
        )

    def complete(self, held: Sequence[Held]) -> list[Held]:
        """Complete messages, halving a request that the broker refuses for one lost lock."""
        return self._settle(held, "completed", None)

    def dead_letter(self, held: Sequence[Held], reason: str, description: str) -> list[Held]:
        """Dead-letter messages that share reason and description."""
        details = {"deadletter-reason": reason, "deadletter-description": description}
        return self._settle(held, "suspended", details)

    def _settle(self, held: Sequence[Held], status: str, details: dict[str, str] | None) -> list[Held]:
        def request(part: Sequence[Held]) -> None:
            tokens = [uuid.UUID(bytes=item.token) for item in part]
            self._receiver._settle_message_via_mgmt_link(status, tokens, details)  # noqa: SLF001

        lost = in_halves(held, request)
        settle_on_link(self._receiver, held, "accepted", wait=False)
        return lost


class PublicSettlement:
    """The documented calls, one message at a time: always right, a round trip each."""

    name = "public"
    needs_message = True

    def __init__(self, receiver: ServiceBusReceiver) -> None:
        self._receiver = receiver

    def complete(self, held: Sequence[Held]) -> list[Held]:
        """Complete one message after another."""
        return self._each(held, self._receiver.complete_message)

    def dead_letter(self, held: Sequence[Held], reason: str, description: str) -> list[Held]:
        """Dead-letter one message after another."""

        def settle(message: ServiceBusReceivedMessage) -> None:
            self._receiver.dead_letter_message(message, reason=reason, error_description=description)

        return self._each(held, settle)

    @staticmethod
    def _each(held: Sequence[Held], settle: Callable[[ServiceBusReceivedMessage], None]) -> list[Held]:
        left: list[Held] = []
        for number, item in enumerate(held):
            try:
                if item.message is None:
                    left.append(item)
                else:
                    settle(item.message)
            except ServiceBusServerBusyError as error:
                raise Throttled([*left, *held[number:]]) from error
            except (AzureError, ValueError) as error:
                _log.debug("settling message %s failed: %r", item.sequence_number, error)
                left.append(item)
        return left


def in_halves(held: Sequence[Held], request: Callable[[Sequence[Held]], object]) -> list[Held]:
    """Apply a request to many messages; return those whose lock is lost.

    The broker refuses a request whole for one lost lock, so a refused one is
    halved until the lost ones stand alone: about two requests per lost lock
    and doubling.

    Raises:
        Throttled: The broker is busy; what it was not asked for, or refused, is left.
        AzureError: The request failed for another reason than a lost lock.
    """
    lost: list[Held] = []
    todo = [held[at : at + MANAGEMENT_LIMIT] for at in range(0, len(held), MANAGEMENT_LIMIT)]
    while todo:
        part = todo.pop()
        try:
            request(part)
        except (MessageLockLostError, MessageNotFoundError):
            if len(part) == 1:
                lost.extend(part)
            else:
                middle = len(part) // 2
                todo.extend((part[:middle], part[middle:]))
        except ServiceBusServerBusyError as error:
            raise Throttled([item for each in (part, *todo, lost) for item in each]) from error
    return lost


def _runs(held: Iterable[Held]) -> Iterator[list[Held]]:
    """Yield runs of consecutive delivery ids, at most as many as a management request holds."""
    run: list[Held] = []
    for item in sorted(held, key=lambda item: item.delivery[0] if item.delivery else 0):
        if run and (
            run[-1].delivery is None
            or item.delivery is None
            or item.delivery[0] != run[-1].delivery[0] + 1
            or len(run) >= MANAGEMENT_LIMIT
        ):
            yield run
            run = []
        run.append(item)
    if run:
        yield run
