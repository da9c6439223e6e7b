"""What a queue receives in a day: posts, late, twice, out of order, and some that are broken."""

import heapq
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from .cells import new_guid
from .context import Context, Writer
from .encodings import encodings as by_name
from .encodings import writer
from .event import Event
from .json_writer import JsonWriter
from .organization import Organization
from .poison import ANY_ENCODING, Poison, poisoned, sample
from .rare import Rare
from .service import AsynchronousService

CLAIMS: Final = "http://schemas.microsoft.com/xrm/2011/Claims/"
"""What the names of the message properties begin with."""

TRUNCATED: Final = "MessageMaxSizeExceeded"
"""Property of a message that was too large to be sent whole."""

_VERY_LATE: Final = (10, 100)
_RETRY_WITHIN: Final = 200
_POISON: Final = tuple(Poison)
_RARE: Final = tuple(Rare)


@dataclass(frozen=True, slots=True)
class Post:
    """One message as it is handed to the queue.

    Attributes:
        body: The bytes of the body.
        content_type: ``application/json``, ``application/xml`` or ``application/msbin1``.
        message_id: Of this post alone; a retry has another.
        correlation_id: Of the request that caused the event.
        properties: ``Organization``, ``User``, ``InitiatingUser``,
            ``EntityLogicalName`` and ``RequestName``, each behind
            :data:`CLAIMS`; and :data:`TRUNCATED` where the message was.
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


@dataclass(frozen=True, slots=True)
class _Shares:
    """Posts per event of what is no ordinary event."""

    poison: float
    asides: float
    rare: float


def traffic(
    organization: Organization,
    count: int,
    *,
    duplicates: float = 0.02,
    reorder: int = 20,
    late: float = 0.002,
    poison: float = 0.002,
    asides: float = 0.0,
    rare: float = 0.0,
    encodings: Sequence[str] = ("json",),
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
        rare: Posts per event of the rarer messages, the kinds in turn; see
            :class:`cdsbridge.emulator.dataverse.rare.Rare`.  Some tell of
            several rows, each of which is in the history.
        encodings: Names of :class:`cdsbridge.emulator.dataverse.encodings.Encoding`;
            of several, each post draws one.
        day: The time over which the events are spread.

    Raises:
        ValueError: An encoding is unknown, or none is named.
    """
    begin = int(organization.now.timestamp())
    rng = random.Random(f"{organization.seed}/traffic/{begin}")  # noqa: S311 - a simulation, not a secret
    held: list[tuple[float, int, Post]] = []
    choice = random.Random(f"{organization.seed}/encodings/{begin}")  # noqa: S311 - as above
    sender = _Sender(organization, encodings, rng, choice)
    for number, post in enumerate(sender.day(count, day, _Shares(poison, asides, rare))):
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


class _Sender:
    """Makes posts of what happens in an organisation."""

    def __init__(
        self, organization: Organization, names: Sequence[str], rng: random.Random, choice: random.Random
    ) -> None:
        self._organization = organization
        self._service = AsynchronousService(organization)
        self._rng = rng
        self._choice = choice
        self._json = JsonWriter(organization.zone)
        self._writers = [writer(encoding, organization.zone) for encoding in by_name(names)]
        self._spoilt = 0
        self._rarities = 0

    def day(self, count: int, day: timedelta, shares: _Shares) -> Iterator[Post]:
        """Yield the posts of so many events in the order they happened."""
        organization, rng = self._organization, self._rng
        begin = organization.now
        for number in range(count):
            instant = begin + day * ((number + rng.random()) / count)
            yield self._post(organization.operate(instant))
            if rng.random() < shares.asides:
                yield self._post(organization.aside(instant))
            if self._rarities < int((number + 1) * shares.rare + 0.5):
                kind = _RARE[self._rarities % len(_RARE)]
                self._rarities += 1
                yield self._post(organization.rarity(kind, instant))
            if self._spoilt < int((number + 1) * shares.poison + 0.5):
                kind_of_poison = _POISON[self._spoilt % len(_POISON)]
                self._spoilt += 1
                yield self._poison(kind_of_poison, instant)

    def _writer(self) -> Writer:
        writers = self._writers
        return writers[0] if len(writers) == 1 else writers[int(self._choice.random() * len(writers))]

    def _post(self, event: Event) -> Post:
        return _post(self._service.context(event), self._writer(), event, self._rng)

    def _poison(self, kind: Poison, instant: datetime) -> Post:
        context = sample(self._rng, instant.replace(tzinfo=None, microsecond=0))
        used = self._writer() if kind in ANY_ENCODING else self._json
        post = _post(context, used, None, self._rng)
        return replace(post, body=poisoned(kind, context, used), poison=kind)


def _post(context: Context, used: Writer, event: Event | None, rng: random.Random) -> Post:
    properties = {
        f"{CLAIMS}Organization": f"https://{context.organization_name}.crm4.dynamics.com/",
        f"{CLAIMS}User": context.user_id,
        f"{CLAIMS}InitiatingUser": context.initiating_user_id,
        f"{CLAIMS}EntityLogicalName": context.primary_entity_name,
        f"{CLAIMS}RequestName": context.message_name,
    }
    if event is not None and event.truncated:
        properties[TRUNCATED] = "True"
    message_id = new_guid(rng).replace("-", "")
    body = used.write(context)
    return Post(body, used.content_type, message_id, str(context.correlation_id), properties, event)
