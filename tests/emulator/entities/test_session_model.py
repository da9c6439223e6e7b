"""Sessions do what a plain reading of the rules says, whatever is asked of them, killed or not."""

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content, State
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.sessions import HeldSession
from cdsbridge.emulator.entities.settings import QueueSettings

LOCK = 30.0
MAX_DELIVERIES = 3


@dataclass
class Known:
    """A message as the reference knows it."""

    number: int
    session: str
    count: int = 0
    deferred: bool = False
    token: UUID | None = None


@dataclass
class Holding:
    """A lock on a session, as the reference knows it, and the lock itself."""

    until: float
    held: HeldSession = field(repr=False)


sessions = st.sampled_from("abc")
picks = st.lists(st.integers(0, 20), max_size=3)


class SessionMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.files = 0

    @initialize()
    def begin(self) -> None:
        self.clock = ManualClock(1000.0)
        self.path = self.folder / "0.db"
        self.namespace = Namespace(self.clock, self.path)
        self.namespace.create_queue(
            "q", QueueSettings(lock_duration=LOCK, max_delivery_count=MAX_DELIVERIES, requires_session=True)
        )
        self.known: dict[int, Known] = {}
        self.holdings: dict[str, Holding] = {}
        self.lost: list[HeldSession] = []
        self.states: dict[str, bytes] = {}
        self.dead: list[int] = []
        self.next_number = 1
        self.commit()

    def teardown(self) -> None:
        if hasattr(self, "namespace"):
            self.namespace.close()
        shutil.rmtree(self.folder)

    @property
    def queue(self) -> Queue:
        return self.namespace.queue("q")

    def waiting(self, session: str) -> list[int]:
        return sorted(
            each.number
            for each in self.known.values()
            if each.session == session and each.token is None and not each.deferred
        )

    def fail(self, each: Known) -> None:
        each.token = None
        each.count += 1
        if each.count >= MAX_DELIVERIES:
            del self.known[each.number]
            self.dead.append(each.number)

    def locked(self, session: str) -> list[Known]:
        return [each for each in self.known.values() if each.session == session and each.token is not None]

    @rule(names=st.lists(sessions, min_size=1, max_size=6))
    def send(self, names: list[str]) -> None:
        numbers = self.queue.send([Content(session_id=name) for name in names])
        for number, name in zip(numbers, names, strict=True):
            assert number == self.next_number
            self.next_number += 1
            self.known[number] = Known(number, name)

    @rule(name=st.none() | sessions)
    def accept(self, name: str | None) -> None:
        if name in self.holdings:
            with pytest.raises(EntityError):
                self.queue.accept_session(name)
            return
        held = self.queue.accept_session(name)
        if name is None:
            free = {each for each in "abc" if each not in self.holdings and self.waiting(each)}
            assert (held is None) == (not free)
            if held is None:
                return
            assert held.id in free
        assert held is not None
        assert held.locked_until == self.clock() + LOCK
        self.holdings[held.id] = Holding(held.locked_until, held)

    @rule(name=sessions, count=st.integers(0, 3), lock=st.sampled_from([True, True, True, False]))
    def receive(self, name: str, count: int, lock: bool) -> None:
        holding = self.holdings.get(name)
        if holding is None:
            return
        expected = self.waiting(name)[:count]
        deliveries = holding.held.receive(count, lock=lock)
        assert [each.message.sequence_number for each in deliveries] == expected
        for delivery in deliveries:
            each = self.known[delivery.message.sequence_number]
            assert delivery.message.delivery_count == each.count
            each.token = delivery.token
            if not lock:
                del self.known[each.number]

    @rule(
        name=sessions,
        kind=st.sampled_from(["complete", "abandon", "abandon", "defer", "dead_letter", "release"]),
        picks=picks,
    )
    def settle(self, name: str, kind: str, picks: list[int]) -> None:
        holding, locked = self.holdings.get(name), self.locked(name)
        if holding is None or not locked:
            return
        chosen = {each.number: each for each in (locked[pick % len(locked)] for pick in picks)}
        tokens = [each.token for each in chosen.values() if each.token is not None]
        if kind == "dead_letter":
            holding.held.dead_letter(tokens, "by hand", "")
        else:
            getattr(holding.held, kind)(tokens)
        for each in chosen.values():
            each.token = None
            if kind == "abandon":
                self.fail(each)
            elif kind == "defer":
                each.deferred = True
                each.count += 1
            elif kind != "release":
                del self.known[each.number]
                self.dead.extend([each.number] if kind == "dead_letter" else [])

    @rule(name=sessions, picks=picks)
    def receive_deferred(self, name: str, picks: list[int]) -> None:
        holding = self.holdings.get(name)
        aside = [each for each in self.known.values() if each.deferred and each.token is None]
        chosen = list(
            {each.number: each for each in (aside[pick % len(aside)] for pick in picks if aside)}.values()
        )
        if holding is None:
            return
        if any(each.session != name for each in chosen):
            with pytest.raises(EntityError):
                holding.held.receive_deferred([each.number for each in chosen], lock=True)
            return
        deliveries = holding.held.receive_deferred([each.number for each in chosen], lock=True)
        for each, delivery in zip(chosen, deliveries, strict=True):
            assert (delivery.message.sequence_number, delivery.message.delivery_count) == (
                each.number,
                each.count,
            )
            each.token = delivery.token

    @rule(name=sessions)
    def renew(self, name: str) -> None:
        if name in self.holdings:
            holding = self.holdings[name]
            holding.until = holding.held.renew_lock()
            assert holding.until == self.clock() + LOCK

    @rule(name=sessions, state=st.none() | st.binary(max_size=3))
    def set_state(self, name: str, state: bytes | None) -> None:
        if name in self.holdings:
            self.holdings[name].held.set_state(state)
            self.states.pop(name, None)
            if state is not None:
                self.states[name] = state

    @rule(name=sessions)
    def let_go(self, name: str) -> None:
        if name in self.holdings:
            holding = self.holdings.pop(name)
            holding.held.close()
            self.lost.append(holding.held)
            for each in self.locked(name):
                each.token = None

    @rule(step=st.sampled_from([1.0, 7.0, 15.0, 29.5, 30.0]))
    def advance(self, step: float) -> None:
        self.clock.advance(step)
        for name, holding in list(self.holdings.items()):
            if holding.until <= self.clock():
                del self.holdings[name]
                self.lost.append(holding.held)
                for each in self.locked(name):
                    self.fail(each)

    @rule()
    def commit(self) -> None:
        self.namespace.expire()
        self.namespace.commit()
        self.committed = (
            {number: replace(each, token=None) for number, each in self.known.items()},
            dict(self.states),
            list(self.dead),
            self.next_number,
        )

    @precondition(lambda self: self.files < 4)
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
        self.known, self.states, self.dead, self.next_number = self.committed
        self.holdings.clear()
        self.commit()

    @invariant()
    def every_message_is_where_the_rules_say(self) -> None:
        if not hasattr(self, "namespace"):
            return
        got = [
            (each.sequence_number, each.content.session_id, each.delivery_count, each.state is State.DEFERRED)
            for each in self.queue.peek(0, 10**6)
        ]
        assert got == [
            (each.number, each.session, each.count, each.deferred) for _, each in sorted(self.known.items())
        ]
        dead = self.namespace.queue("q/$DeadLetterQueue").peek(0, 10**6)
        assert [each.sequence_number for each in dead] == sorted(self.dead)

    @invariant()
    def locks_and_states_are_what_the_rules_say(self) -> None:
        if not hasattr(self, "namespace"):
            return
        due = self.namespace.expire()
        if self.holdings:
            assert due is not None
            assert self.clock() < due <= min(holding.until for holding in self.holdings.values())
        for name, holding in self.holdings.items():
            assert not holding.held.lost
            assert holding.held.state() == self.states.get(name)
        assert all(held.lost for held in self.lost)
        active = {each.session for each in self.known.values() if not each.deferred}
        assert set(self.queue.session_ids()) == active | set(self.states)


TestSessions = SessionMachine.TestCase
TestSessions.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
