"""Where in a namespace messages are read: a queue or subscription, or its sub-queue."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an entity path.

    Attributes:
        name: Queue, or topic if ``subscription`` is set.
        subscription: Subscription of the topic.
        dead_letters: The entity's dead-letter queue is meant.
    """

    name: str
    subscription: str | None = None
    dead_letters: bool = False

    @classmethod
    def parse(cls, path: str) -> "Address":
        """Read a path as Service Bus writes it; case of the fixed parts does not matter.

        Raises:
            ValueError: The path is none.

        >>> Address.parse("orders/$DeadLetterQueue")
        Address(name='orders', subscription=None, dead_letters=True)
        >>> Address.parse("crm/Subscriptions/lake").subscription
        'lake'
        """
        parts = path.split("/")
        dead = parts[-1].lower() == "$deadletterqueue"
        if dead:
            parts.pop()
        lowered = [part.lower() for part in parts]
        if "" in parts or not parts or any("$" in part for part in parts):
            raise ValueError(f"{path!r} is no queue or subscription; write queue or topic/Subscriptions/name")
        if len(parts) >= 3 and lowered[-2] == "subscriptions":
            return cls("/".join(parts[:-2]), parts[-1], dead)
        return cls("/".join(parts), None, dead)
