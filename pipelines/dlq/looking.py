"""What lies in dead-letter queues, seen by peeking: counted, listed, put in groups."""

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from ...model.envelope import Envelope
from ...model.errors import ConfigError
from ...sources.browse import browse
from ...sources.config import ServiceBusSource, dead_letters_of
from ...sources.plan import Selection, table_of
from .causes import Cause, cause_of, now_of

_SAMPLES: Final = 100
"""Messages of a group that are kept to be looked into."""
_SAMPLED: Final = 32 * 1024 * 1024
"""Bytes of bodies that are kept, over all groups."""


@dataclass(slots=True)
class Count:
    """What a dead-letter queue holds.

    Attributes:
        entity: Its path.
        messages: How many.
        more: Whether counting ended before the queue did.
        size: Bytes of the bodies counted.
        first: When the earliest of them was enqueued, microseconds since 1970 UTC; 0 if there is none.
        last: When the latest was.
    """

    entity: str
    messages: int = 0
    more: bool = False
    size: int = 0
    first: int = 0
    last: int = 0

    def add(self, envelope: Envelope) -> None:
        """Count a message."""
        self.messages += 1
        self.size += len(envelope.body)
        self.first = min(self.first or envelope.enqueued_at, envelope.enqueued_at)
        self.last = max(self.last, envelope.enqueued_at)


@dataclass(slots=True)
class Group:
    """Dead letters of one cause in one entity.

    Attributes:
        cause: Theirs.
        count: How many, and of when.
        again: Why replays rejected them again, and how many.
        tables: What they are about, and how many.
        samples: The first of them.
    """

    cause: Cause
    count: Count
    again: Counter[str] = field(default_factory=Counter)
    tables: Counter[str] = field(default_factory=Counter)
    samples: list[Envelope] = field(default_factory=list)


def dead_letter_queues(source: ServiceBusSource, named: Sequence[str] = ()) -> list[str]:
    """Return the dead-letter queues of a source's entities.

    Args:
        source: The source.
        named: Only those of these entities.

    Raises:
        ConfigError: One of them is none of the source's.
    """
    known = {dead_letters_of(entity).lower(): dead_letters_of(entity) for entity in source.entities}
    try:
        wanted = [dead_letters_of(entity).lower() for entity in named]
    except ValueError as error:
        raise ConfigError(f"--entity: {error}") from None
    for entity, path in zip(named, wanted, strict=True):
        if path not in known:
            told = ", ".join(source.entities)
            raise ConfigError(f"--entity {entity}: is none of source.entities: {told}")
    return [path for key, path in known.items() if not named or key in wanted]


def counted(source: ServiceBusSource, entity: str, at_most: int) -> Count:
    """Count what a dead-letter queue holds, by looking: nobody but a manager is told its length.

    Args:
        source: The namespace.
        entity: Path of the dead-letter queue.
        at_most: Messages after which counting ends.

    Raises:
        BridgeError: It cannot be read.
    """
    count = Count(entity)
    for envelope in browse(source, entity):
        if count.messages == at_most:
            count.more = True
            break
        count.add(envelope)
    return count


def selected(
    source: ServiceBusSource, entities: Iterable[str], selection: Selection, *, deferred: bool | None = None
) -> Generator[Envelope]:
    """Yield the dead letters that are meant, entity by entity, none of them taken.

    Args:
        source: The namespace.
        entities: Paths of the dead-letter queues.
        selection: Which.
        deferred: Only those that are set aside, or only those that are not.

    Raises:
        BridgeError: They cannot be read.
    """
    for entity in entities:
        yield from filter(selection.takes, browse(source, entity, deferred=deferred))


def grouped(found: Iterable[Envelope], at_most: int | None = None, *, by_table: bool = True) -> list[Group]:
    """Put dead letters in groups by entity and cause, the largest first.

    Args:
        found: The dead letters.
        at_most: Messages to look at.
        by_table: Whether those about another table are another group.
    """
    groups: dict[tuple[str, Cause], Group] = {}
    kept = 0
    for envelope in islice(found, at_most):
        cause = cause_of(envelope) if by_table else replace(cause_of(envelope), table="")
        key = (envelope.entity, cause)
        group = groups.setdefault(key, Group(cause, Count(envelope.entity)))
        group.count.add(envelope)
        group.tables[table_of(envelope)] += 1
        if now_of(envelope):
            group.again[now_of(envelope)] += 1
        if len(group.samples) < _SAMPLES and kept < _SAMPLED:
            group.samples.append(envelope)
            kept += len(envelope.body)
    return sorted(groups.values(), key=lambda group: (-group.count.messages, group.count.entity, group.cause))
