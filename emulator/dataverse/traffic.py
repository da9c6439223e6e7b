"""What a queue receives in a day: posts, late, twice, out of order, and some that are broken."""

import heapq
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from .cells import new_guid
from .context import Context
from .event import Event
from .json_writer import JsonWriter
from .organization import Organization
from .poison import Poison, poisoned, sample
from .service import AsynchronousService

CLAIMS: Final = "http://schemas.microsoft.com/xrm/2011/Claims/"
"""What the names of the message properties begin with."""

_VERY_LATE: Final = (10, 100)
_RETRY_WITHIN: Final = 200


@dataclass(frozen=True, slots=True)
class Post:
    """One message as it is handed to the queue.

    Attributes:
        body: The bytes of the body.
        content_type: Always ``application/json`` here.
        message_id: Of this post alone; a retry has another.
        correlation_id: Of the request that caused the event.
        properties: ``Organization``, ``User``, ``InitiatingUser``,
            ``EntityLogicalName`` and ``RequestName``, each behind
            :data:`CLAIMS`.
        event: What it tells of; ``None`` for poison.
        poison: What is wrong with it, or ``None``.
    """

    body: bytes
    content_type: str
    message_id: str
    correlation_id: str
    properties: Mapping[str, str]
    event: Event | None
    poison: Poison | None = None


def traffic(
    organization: Organization,
    count: int,
    *,
    duplicates: float = 0.02,
    reorder: int = 20,
    late: float = 0.002,
    poison: float = 0.002,
    asides: float = 0.0,
    day: timedelta = timedelta(hours=9),
) -> Iterator[Post]:
    """Yield the posts of a business day.

    Every event is posted at least once.  The same organisation made anew and
    the same arguments give the same posts, byte for byte.  Memory grows with
    the organisation's history and the posts held back, not with ``count``
    bodies.  Called again, it goes on where the organisation's last event was.

    Args:
        organization: Operated on while the posts are taken; its history and
            truth are complete when the iterator ends.
        count: Distinct events.
        duplicates: Share of events posted again, later, with the same body.
        reorder: Posts change places with neighbours this far away; 0 keeps
            the order.
        late: Share of posts that arrive ten to a hundred windows late.
        poison: Poison posts per event, the kinds in turn; see
            :data:`cdsbridge.emulator.dataverse.poison.EXPECTED`.
        asides: Posts per event that change no row (Associate, a custom API).
        day: The time over which the events are spread.
    """
    begin = int(organization.now.timestamp())
    rng = random.Random(f"{organization.seed}/traffic/{begin}")  # noqa: S311 - a simulation, not a secret
    held: list[tuple[float, int, Post]] = []
    for number, post in enumerate(_in_order(organization, count, day, (poison, asides), rng)):
        delay = rng.random() * reorder
        if reorder and rng.random() < late:
            delay = reorder * rng.uniform(*_VERY_LATE)
        heapq.heappush(held, (number + delay, 2 * number, post))
        if post.event is not None and rng.random() < duplicates:
            again = replace(post, message_id=new_guid(rng).replace("-", ""))
            retry = number + delay + 1 + rng.random() * _RETRY_WITHIN
            heapq.heappush(held, (retry, 2 * number + 1, again))
        while held and held[0][0] <= number:
            yield heapq.heappop(held)[2]
    while held:
        yield heapq.heappop(held)[2]


def _in_order(
    organization: Organization, count: int, day: timedelta, shares: tuple[float, float], rng: random.Random
) -> Iterator[Post]:
    service, writer = AsynchronousService(organization), JsonWriter(organization.zone)
    kinds = list(Poison)
    poison, asides = shares
    spoilt = 0
    begin = organization.now
    for number in range(count):
        instant = begin + day * ((number + rng.random()) / count)
        event = organization.operate(instant)
        yield _post(service.context(event), writer, event, rng)
        if rng.random() < asides:
            aside = organization.aside(instant)
            yield _post(service.context(aside), writer, aside, rng)
        if spoilt < int((number + 1) * poison + 0.5):
            yield _poison(kinds[spoilt % len(kinds)], writer, instant, rng)
            spoilt += 1


def _poison(kind: Poison, writer: JsonWriter, instant: datetime, rng: random.Random) -> Post:
    context = sample(rng, instant.replace(tzinfo=None, microsecond=0))
    post = _post(context, writer, None, rng)
    return replace(post, body=poisoned(kind, context, writer), poison=kind)


def _post(context: Context, writer: JsonWriter, event: Event | None, rng: random.Random) -> Post:
    properties = {
        f"{CLAIMS}Organization": f"https://{context.organization_name}.crm4.dynamics.com/",
        f"{CLAIMS}User": context.user_id,
        f"{CLAIMS}InitiatingUser": context.initiating_user_id,
        f"{CLAIMS}EntityLogicalName": context.primary_entity_name,
        f"{CLAIMS}RequestName": context.message_name,
    }
    message_id = new_guid(rng).replace("-", "")
    body = writer.write(context)
    return Post(body, writer.content_type, message_id, str(context.correlation_id), properties, event)
