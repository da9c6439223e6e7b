"""A queue does what a plain reading of the rules says, whatever is asked of it, and so does its store."""

import shutil
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content, State, StoredMessage
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.settings import QueueSettings

LOCK = 30.0
MAX_DELIVERIES = 3
EXCEEDED = "MaxDeliveryCountExceeded"
EXPIRED = "TTLExpiredException"


@dataclass
class Known:
    """A message as the reference knows it; ``dead`` is the reason it lies in the dead-letter queue for."""

    label: str
    number: int
    ttl: float | None
    due: float | None
    state: State = State.ACTIVE
    count: int = 0
    expires: float | None = None
    dead: str = ""
    token: UUID | None = None
    until: float = 0.0

    @property
    def ready(self) -> bool:
        return self.state is State.ACTIVE and self.token is None

    @property
    def seen(self) -> tuple[object, ...]:
        standing = self.state, self.count, self.expires, self.until if self.token else 0.0
        return self.number, self.label, self.dead, standing


def seen(message: StoredMessage) -> tuple[object, ...]:
    """What browsing shows of a message, as :attr:`Known.seen` has it."""
    standing = message.state, message.delivery_count, message.expires_at, message.locked_until
    return (
        message.sequence_number,
        message.content.message_id,
        message.dead_letter.get("DeadLetterReason", ""),
        standing,
    )


@dataclass
class Reference:
    """The rules, read plainly: every question looks at every message."""

    dead_letter_on_expiry: bool
    default_ttl: float | None
    now: float = 0.0
    next_number: int = 1
    known: dict[str, Known] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def of(self, dead: bool) -> list[Known]:
        return sorted(
            (each for each in self.known.values() if bool(each.dead) == dead), key=lambda each: each.number
        )

    def number(self) -> int:
        self.next_number += 1
        return self.next_number - 1

    def expiry(self, ttl: float | None) -> float | None:
        limits = [limit for limit in (ttl, self.default_ttl) if limit is not None]
        return self.now + min(limits) if limits else None

    def send(self, label: str, ttl: float | None, due: float | None) -> None:
        new = self.known[label] = Known(label, self.number(), ttl, due)
        if due is not None and due > self.now:
            new.state = State.SCHEDULED
        else:
            new.expires = self.expiry(ttl)

    def pass_time(self, now: float) -> None:
        self.now = now
        scheduled = [each for each in self.known.values() if each.state is State.SCHEDULED]
        for each in sorted(scheduled, key=lambda each: (each.due or 0.0, each.number)):
            if each.due is not None and each.due <= now:
                each.state, each.number, each.expires = State.ACTIVE, self.number(), self.expiry(each.ttl)
        for each in list(self.known.values()):
            if each.token is not None and each.until <= now:
                self.fail(each)
        for each in list(self.known.values()):
            self.age(each)

    def fail(self, each: Known) -> None:
        each.token = None
        each.count += 1
        if not each.dead and each.count >= MAX_DELIVERIES:
            self.bury(each, EXCEEDED)
        self.age(each)

    def age(self, each: Known) -> None:
        if each.ready and each.expires is not None and each.expires <= self.now:
            if self.dead_letter_on_expiry:
                self.bury(each, EXPIRED)
            else:
                self.end(each, "expired")

    def bury(self, each: Known, reason: str) -> None:
        each.dead, each.state, each.expires, each.token = reason, State.ACTIVE, None, None

    def end(self, each: Known, how: str) -> None:
        del self.known[each.label]
        self.ended[each.label] = how

    def lock(self, each: Known, token: UUID | None) -> None:
        if token is None:
            self.end(each, "received and deleted")
        else:
            each.token, each.until = token, self.now + LOCK

    def settle(self, kind: str, each: Known) -> None:
        if kind == "complete":
            self.end(each, "completed")
        elif kind == "abandon":
            self.fail(each)
        elif kind == "defer":
            each.token, each.state, each.count = None, State.DEFERRED, each.count + 1
        elif kind == "dead_letter":
            self.bury(each, "by hand")
        elif kind == "release":
            each.token = None
            self.age(each)
        else:
            each.until = self.now + LOCK

    def forget_locks(self) -> None:
        for each in self.known.values():
            each.token = None


seconds = st.sampled_from([0.0, 1.0, 7.0, 10.0, 20.0, 29.5, 30.0, 45.0])
kinds = st.sampled_from(["complete", "abandon", "abandon", "defer", "dead_letter", "release", "renew"])
picks = st.lists(st.integers(0, 50), max_size=4)
rarely = st.sampled_from([False, False, False, False, True])


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.files = 0
        self.labels = 0

    @initialize(dead_letter_on_expiry=st.booleans(), default_ttl=st.sampled_from([None, 40.0]))
    def begin(self, dead_letter_on_expiry: bool, default_ttl: float | None) -> None:
        self.clock = ManualClock(1000.0)
        self.reference = Reference(dead_letter_on_expiry, default_ttl, 1000.0)
        self.path = self.folder / "0.db"
        self.namespace = Namespace(self.clock, self.path)
        self.namespace.create_queue(
            "Orders",
            QueueSettings(LOCK, MAX_DELIVERIES, default_ttl, dead_letter_on_expiry, max_message_size=100),
        )
        self.commit()

    def teardown(self) -> None:
        if hasattr(self, "namespace"):
            self.namespace.close()
        shutil.rmtree(self.folder)

    def queue(self, dead: bool) -> Queue:
        return self.namespace.queue("orders/$deadletterqueue" if dead else "ORDERS")

    @rule(
        ttls=st.lists(st.sampled_from([None, None, 10.0, 60.0]), min_size=1, max_size=4),
        delay=st.none() | seconds,
    )
    def send(self, ttls: list[float | None], delay: float | None) -> None:
        due = None if delay is None else self.clock() + delay
        contents: list[Content] = []
        for ttl in ttls:
            self.labels += 1
            contents.append(Content(body=b"x", message_id=str(self.labels), ttl=ttl, scheduled_at=due))
            self.reference.send(str(self.labels), ttl, due)
        numbers = self.queue(dead=False).send(contents)
        assert numbers == [self.reference.known[content.message_id].number for content in contents]

    @rule(dead=rarely, count=st.integers(0, 4), lock=st.sampled_from([True, True, True, False]))
    def receive(self, dead: bool, count: int, lock: bool) -> None:
        expected = [each for each in self.reference.of(dead) if each.ready][:count]
        deliveries = self.queue(dead).receive(count, lock=lock)
        got = [(each.message.sequence_number, each.message.delivery_count) for each in deliveries]
        assert got == [(each.number, each.count) for each in expected]
        for each, delivery in zip(expected, deliveries, strict=True):
            assert delivery.locked_until == (self.clock() + LOCK if lock else 0.0)
            self.reference.lock(each, delivery.token)

    @rule(dead=rarely, kind=kinds, picks=picks, stale=rarely)
    def settle(self, dead: bool, kind: str, picks: list[int], stale: bool) -> None:
        held = {each.token: each for each in self.reference.of(dead) if each.token is not None}
        tokens = [list(held)[pick % len(held)] for pick in picks if held]
        request = [*tokens, uuid4()] if stale else tokens
        refused = (stale and kind != "release") or (kind == "dead_letter" and dead)
        self.ask(kind, self.queue(dead), request, refused=refused)
        for token in dict.fromkeys([] if refused else tokens):
            self.reference.settle(kind, held[token])

    def ask(self, kind: str, queue: Queue, tokens: list[UUID], *, refused: bool) -> None:
        def dead_letter(tokens: list[UUID]) -> None:
            queue.dead_letter(tokens, "by hand", "")

        operation: Callable[[list[UUID]], object] = (
            dead_letter if kind == "dead_letter" else getattr(queue, kind)
        )
        if refused:
            with pytest.raises(EntityError):
                operation(tokens)
        else:
            operation(tokens)

    @rule(dead=rarely, picks=picks, wrong=rarely, lock=st.booleans())
    def receive_deferred(self, dead: bool, picks: list[int], wrong: bool, lock: bool) -> None:
        aside = [
            each for each in self.reference.of(dead) if each.state is State.DEFERRED and each.token is None
        ]
        wanted = list(
            {each.number: each for each in (aside[pick % len(aside)] for pick in picks if aside)}.values()
        )
        numbers = [each.number for each in wanted]
        if wrong:
            with pytest.raises(EntityError):
                self.queue(dead).receive_deferred([*numbers, 10**9], lock=lock)
            return
        deliveries = self.queue(dead).receive_deferred(numbers, lock=lock)
        assert [each.message.sequence_number for each in deliveries] == numbers
        for each, delivery in zip(wanted, deliveries, strict=True):
            self.reference.lock(each, delivery.token)

    @rule(picks=picks, wrong=rarely)
    def cancel(self, picks: list[int], wrong: bool) -> None:
        waiting = [each for each in self.reference.of(dead=False) if each.state is State.SCHEDULED]
        wanted = {each.number: each for each in (waiting[pick % len(waiting)] for pick in picks if waiting)}
        if wrong:
            with pytest.raises(EntityError):
                self.queue(dead=False).cancel([*wanted, 10**9])
            return
        self.queue(dead=False).cancel(list(wanted))
        for each in wanted.values():
            self.reference.end(each, "cancelled")

    @rule(step=seconds)
    def advance(self, step: float) -> None:
        self.clock.advance(step)
        self.reference.pass_time(self.clock())

    @rule()
    def commit(self) -> None:
        self.namespace.expire()
        self.namespace.commit()
        self.committed = deepcopy(self.reference)

    @rule()
    def close_and_reopen(self) -> None:
        self.namespace.close()
        for each in list(self.reference.known.values()):
            if each.token is not None:
                self.reference.fail(each)
        self.committed = deepcopy(self.reference)
        self.namespace = Namespace(self.clock, self.path)

    @precondition(lambda self: self.files < 5)
    @rule()
    def crash_and_reopen(self) -> None:
        """The files as they are on disk now are what a killed process leaves."""
        self.files += 1
        left = self.folder / f"{self.files}.db"
        for suffix in ("", "-wal"):
            shutil.copy(f"{self.path}{suffix}", f"{left}{suffix}")
        store = self.namespace._store
        assert store is not None
        store.close()
        self.path, self.namespace = left, Namespace(self.clock, left)
        self.reference = deepcopy(self.committed)
        self.reference.forget_locks()
        self.reference.pass_time(self.clock())

    @invariant()
    def every_message_is_where_the_rules_say(self) -> None:
        if not hasattr(self, "namespace"):
            return
        for dead in (False, True):
            got = [seen(each) for each in self.queue(dead).peek(0, 10**6)]
            assert got == [each.seen for each in self.reference.of(dead)]

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        if not hasattr(self, "namespace"):
            return
        depth = self.queue(dead=False).depth()
        assert sum(depth.values()) == len(self.reference.known)
        assert not self.reference.known.keys() & self.reference.ended.keys()
        assert depth["locked"] == sum(each.token is not None for each in self.reference.of(dead=False))

    @invariant()
    def the_next_due_time_is_not_missed(self) -> None:
        if not hasattr(self, "namespace"):
            return
        times = [each.until for each in self.reference.known.values() if each.token is not None]
        times += [
            each.expires for each in self.reference.known.values() if each.ready and each.expires is not None
        ]
        times += [each.due or 0.0 for each in self.reference.known.values() if each.state is State.SCHEDULED]
        due = self.namespace.expire()
        if times:
            assert due is not None
            assert self.clock() < due <= min(times)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
