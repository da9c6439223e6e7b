"""When reading ends."""

from dataclasses import dataclass
from enum import StrEnum


class When(StrEnum):
    """The three ways reading ends."""

    NEVER = "never"
    IDLE = "idle"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Ending:
    """When reading ends; a stop request ends it in any case.

    ``NEVER``: streaming.  ``IDLE``: when nothing came for ``idle`` seconds and
    everything received is settled.  ``MARK``: when every message up to the last
    number the entity held when reading began has ended; messages that another
    receiver holds are waited for.

    Attributes:
        when: Which of the three.
        idle: Seconds, for ``IDLE``.
    """

    when: When = When.NEVER
    idle: float = 0.0

    @classmethod
    def never(cls) -> "Ending":
        """Read until a stop is requested."""
        return cls()

    @classmethod
    def after_idle(cls, seconds: float) -> "Ending":
        """Read until nothing came for some seconds."""
        return cls(When.IDLE, seconds)

    @classmethod
    def at_mark(cls) -> "Ending":
        """Read what is there now."""
        return cls(When.MARK)
