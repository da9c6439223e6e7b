"""Faults on demand: what shall go wrong, where, and how often.

A fault is armed and then waits for its chances: moments of its kind at its
entity.  Whether it strikes at one is decided by counting and by a generator
with a seed of its own, so the same requests meet the same faults again.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final

from ..entities.errors import SERVER_BUSY, EntityError
from .conditions import UNAUTHORIZED


class Point(Enum):
    """The moments at which something can go wrong."""

    CONNECT = "connect"
    AUTH = "auth"
    ATTACH = "attach"
    SEND = "send"
    SENT = "sent"
    DELIVER = "deliver"
    SETTLE = "settle"
    SETTLED = "settled"
    REQUEST = "request"


class Kind(Enum):
    """What can go wrong."""

    DROP = "drop"
    SILENCE = "silence"
    DELAY = "delay"
    KILL = "kill"
    DETACH = "detach"
    REFUSE = "refuse"
    LOSE_LOCK = "lose-lock"
    DUPLICATE = "duplicate"
    REORDER = "reorder"


_ON_LINKS = frozenset({Point.SEND, Point.SENT, Point.DELIVER, Point.SETTLE, Point.SETTLED})
_WHERE = {
    Kind.DROP: frozenset(Point),
    Kind.SILENCE: frozenset(Point),
    Kind.DELAY: frozenset(Point),
    Kind.KILL: frozenset(Point),
    Kind.DETACH: _ON_LINKS,
    Kind.REFUSE: frozenset({Point.AUTH, Point.ATTACH, Point.SEND, Point.SETTLE, Point.REQUEST}),
    Kind.LOSE_LOCK: frozenset({Point.DELIVER, Point.SETTLE}),
    Kind.DUPLICATE: frozenset({Point.SEND}),
    Kind.REORDER: frozenset({Point.DELIVER}),
}
_REASONS = {
    Kind.DETACH: "amqp:link:detach-forced",
    Point.AUTH: UNAUTHORIZED,
    Point.ATTACH: UNAUTHORIZED,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that shall go wrong.

    Attributes:
        kind: ``drop`` ends the connection without a word, ``silence`` lets it
            take bytes and answer nothing from then on, ``delay`` answers late,
            ``kill`` ends the process; ``detach`` forces the link off,
            ``refuse`` gives an error, ``lose-lock`` lets the locks lapse at once (at
            ``deliver``: the messages are delivered a second time), ``duplicate``
            accepts what is sent twice, ``reorder`` mixes what is delivered in one go, or with
            ``seconds`` holds some of it back, under lock, while later messages are delivered.
        at: ``connect``, ``auth`` (a token is put), ``attach``; ``send``, before a message is
            accepted, or ``sent``, after that and before the sender is told;
            ``deliver``; ``settle`` and ``settled``, likewise; ``request``, at the
            management node.
        entity: Where: a path, in which ``*`` stands for anything; at ``connect`` without meaning.
        count: How often it strikes; ``None``: until it is disarmed.
        skip: Chances it lets pass first.
        chance: How likely it strikes at each chance after these, above 0 to 1.
        seed: Of the generator that decides, and that mixes.
        seconds: Of a delay; of a reorder: how long messages are held back.
        condition: The error of ``detach`` and ``refuse``; without one the usual:
            ``amqp:link:detach-forced``, ``amqp:unauthorized-access`` for tokens and links,
            else ``com.microsoft:server-busy``.
        description: The sentence to it.
        messages: Of a reorder with seconds: how many messages of one go are held back, at most;
            ``None``: all.

    Raises:
        ValueError: There is no such fault.
    """

    kind: Kind
    at: Point
    entity: str = "*"
    count: int | None = 1
    skip: int = 0
    chance: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    condition: str = ""
    description: str = "A fault that was asked for."
    messages: int | None = None

    def __post_init__(self) -> None:
        allowed = _WHERE[self.kind]
        if self.at not in allowed:
            names = ", ".join(point.value for point in Point if point in allowed)
            raise ValueError(f"{self.kind.value!r} cannot happen at {self.at.value!r}, only at {names}")
        if not 0 < self.chance <= 1:
            raise ValueError(f"chance is {self.chance}; it must be above 0 and at most 1")
        if self.skip < 0 or self.seconds < 0 or (self.count is not None and self.count < 1):
            raise ValueError("count must be at least 1 or none, skip and seconds at least 0")
        if self.kind is Kind.DELAY and not self.seconds:
            raise ValueError("a delay needs seconds above 0")
        if self.messages is not None and (
            self.kind is not Kind.REORDER or not self.seconds or self.messages < 1
        ):
            raise ValueError("messages, at least 1, are those a reorder holds back for some seconds")

    @property
    def reason(self) -> str:
        """The condition it gives."""
        return self.condition or _REASONS.get(self.kind) or _REASONS.get(self.at) or SERVER_BUSY


def fault_from(values: Mapping[str, Any]) -> Fault:
    """Read a fault from plain values, as JSON has them.

    Raises:
        ValueError: They make no fault; the sentence says why.
    """
    unknown = sorted(set(values) - {each.name for each in fields(Fault)})
    if unknown:
        raise ValueError(f"a fault has no {', '.join(unknown)}")
    given = dict(values)
    for name, kinds in (("kind", Kind), ("at", Point)):
        try:
            given[name] = kinds(values.get(name))
        except ValueError:
            choices = ", ".join(str(each.value) for each in kinds)
            raise ValueError(f"{name} is {values.get(name)!r}; it must be one of {choices}") from None
    try:
        return Fault(**given)
    except TypeError as error:
        raise ValueError(f"a value is of the wrong type ({error})") from None


@dataclass(slots=True)
class Armed:
    """A fault that waits for its chances.

    Attributes:
        number: Its number, for disarming.
        fault: The fault.
        chances: Moments that were of its kind and at its entity so far.
        hits: How often it has struck.
        random: What decides.
    """

    number: int
    fault: Fault
    chances: int = 0
    hits: int = 0
    random: Random = field(default_factory=Random, repr=False)

    def strikes(self) -> bool:
        """Take a chance; whether the fault strikes."""
        fault = self.fault
        self.chances += 1
        if self.chances <= fault.skip or (fault.count is not None and self.hits >= fault.count):
            return False
        if fault.chance < 1 and self.random.random() >= fault.chance:
            return False
        self.hits += 1
        return True

    def to_plain(self) -> dict[str, Any]:
        """How it stands, in the values of JSON."""
        plain = asdict(self.fault)
        plain.update(kind=self.fault.kind.value, at=self.fault.at.value)
        return {"number": self.number, "chances": self.chances, "hits": self.hits, "fault": plain}


@dataclass(frozen=True, slots=True)
class Blow:
    """What a moment brings: a fault that strikes, or none.

    Attributes:
        kind: What strikes; ``None``: nothing.
        random: What mixes.
        refusal: What is answered in place of what was asked, of ``refuse`` and ``detach``.
        seconds: For how long messages are held back, of ``reorder``.
        messages: How many at most; ``None``: all.
    """

    kind: Kind | None = None
    random: Random = field(default_factory=Random)
    refusal: EntityError | None = None
    seconds: float = 0.0
    messages: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more is done or said of what met it."""
        return self.kind in {Kind.DROP, Kind.SILENCE, Kind.KILL, Kind.DETACH}


NOTHING: Final = Blow()
"""The blow of a moment at which all goes well."""


def blow_of(armed: Armed) -> Blow:
    """The blow a fault deals."""
    fault = armed.fault
    refused = fault.kind in {Kind.REFUSE, Kind.DETACH}
    refusal = EntityError(fault.reason, fault.description) if refused else None
    return Blow(fault.kind, armed.random, refusal, fault.seconds, fault.messages)


class Faults:
    """The faults that are armed, in that order; where several could strike, the first does."""

    def __init__(self) -> None:
        self._armed: dict[int, Armed] = {}
        self._next = 1

    def arm(self, fault: Fault) -> int:
        """Let a fault wait for its chances from now on; its number."""
        number, self._next = self._next, self._next + 1
        self._armed[number] = Armed(number, fault, random=Random(fault.seed))  # noqa: S311 - to repeat, not to guard
        return number

    def disarm(self, number: int | None = None) -> None:
        """Let a fault strike no more, or all of them; one that is not there is ignored."""
        if number is None:
            self._armed.clear()
        else:
            self._armed.pop(number, None)

    def armed(self) -> list[Armed]:
        """Those that were armed and not disarmed, spent ones included."""
        return list(self._armed.values())

    def strike(self, at: Point, entity: str) -> Armed | None:
        """Offer a chance; the fault that strikes, if one does."""
        if not self._armed:
            return None
        path = entity.casefold()
        for armed in self._armed.values():
            fault = armed.fault
            here = at is Point.CONNECT or fnmatchcase(path, fault.entity.casefold())
            if fault.at is at and here and armed.strikes():
                return armed
        return None
