"""Where in a namespace messages are read: a queue or subscription, or its sub-queue."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/~-]{0,258}[A-Za-z0-9_])?")
_SUBSCRIPTION: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9_])?")
_FORMS: Final = "write queue or topic/Subscriptions/name, each with /$DeadLetterQueue for its dead letters"


class SubQueue(StrEnum):
    """The sub-queues an entity has; their values are those of the path."""

    DEAD_LETTERS = "$DeadLetterQueue"
    TRANSFER_DEAD_LETTERS = "$Transfer/$DeadLetterQueue"


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an entity path.

    The names are held to the rules of Azure for namespaces/queues, namespaces/topics and
    namespaces/topics/subscriptions
    (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules).

    Attributes:
        name: Queue, or topic if ``subscription`` is set.
        subscription: Subscription of the topic.
        sub_queue: The sub-queue that is meant, ``None`` for the entity itself.
    """

    name: str
    subscription: str | None = None
    sub_queue: SubQueue | None = None

    @classmethod
    def parse(cls, path: str) -> "Address":
        """Read a path as Service Bus writes it; case of the fixed parts does not matter.

        Raises:
            ValueError: The path is none; the sentence says what is wrong with it.

        >>> Address.parse("orders/$DeadLetterQueue").sub_queue.name
        'DEAD_LETTERS'
        >>> Address.parse("crm/Subscriptions/lake").subscription
        'lake'
        """
        if "://" in path:
            raise ValueError(f"{path!r} is a URL; {_FORMS}, and the host as namespace")
        parts, sub_queue = _without_sub_queue(path.split("/"))
        lowered = [part.lower() for part in parts]
        if any("$" in part for part in parts):
            raise ValueError(f"{path!r} has no such sub-queue; {_FORMS}, or /$Transfer/$DeadLetterQueue")
        if lowered[-1] == "subscriptions" and len(parts) > 1:
            raise ValueError(f"{path!r} does not name the subscription; write topic/Subscriptions/name")
        subscription = None
        if len(parts) >= 3 and lowered[-2] == "subscriptions":
            subscription = parts[-1]
            parts = parts[:-2]
            if not _SUBSCRIPTION.fullmatch(subscription):
                raise ValueError(
                    f"{path!r}: {subscription!r} cannot name a subscription: 1 to 50 letters, digits, "
                    "'.', '-' and '_'"
                )
        name = "/".join(parts)
        if not _NAME.fullmatch(name) or "//" in name:
            raise ValueError(
                f"{path!r} is no queue or subscription: a name has 1 to 260 letters, digits, '.', '-', '_' "
                f"and inner '/'; {_FORMS}"
            )
        return cls(name, subscription, sub_queue)

    @property
    def dead_letters(self) -> bool:
        """Whether this is a sub-queue, out of which nothing can be dead-lettered any more."""
        return self.sub_queue is not None

    @property
    def entity(self) -> str:
        """Path of the queue or subscription itself.

        >>> Address.parse("crm/subscriptions/lake/$deadletterqueue").entity
        'crm/Subscriptions/lake'
        """
        return self.name if self.subscription is None else f"{self.name}/Subscriptions/{self.subscription}"

    @property
    def path(self) -> str:
        """The whole path, as Service Bus writes it."""
        return self.entity if self.sub_queue is None else f"{self.entity}/{self.sub_queue}"


def _without_sub_queue(parts: list[str]) -> tuple[list[str], SubQueue | None]:
    lowered = [part.lower() for part in parts]
    if lowered[-2:] == ["$transfer", "$deadletterqueue"]:
        return parts[:-2] or [""], SubQueue.TRANSFER_DEAD_LETTERS
    if lowered[-1] == "$deadletterqueue":
        return parts[:-1] or [""], SubQueue.DEAD_LETTERS
    return parts, None
