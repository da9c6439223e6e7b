"""Orders over sequence numbers: for delivery, for browsing, and by time.

Nothing is searched for when a message leaves.  Its number stays behind, is
skipped when it is met, and goes at the next ``prune``; who holds the messages
prunes once as many have left as remain, so the cost per message is constant.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Container, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeVar

_Message = TypeVar("_Message")


class Line:
    """The numbers of the messages that wait for delivery, lowest first."""

    __slots__ = ("_fresh", "_late")

    def __init__(self) -> None:
        self._fresh: deque[int] = deque()
        self._late: list[int] = []

    def put(self, numbers: Sequence[int]) -> None:
        """Let numbers, each at most once in line, wait at the places their values give them."""
        fresh, late = self._fresh, self._late
        for number in numbers:
            if not fresh or number > fresh[-1]:
                fresh.append(number)
            else:
                heappush(late, number)

    def take(self, count: int, live: Mapping[int, _Message]) -> list[_Message]:
        """Take up to ``count`` messages from the front, of those that ``live`` still holds."""
        taken: list[_Message] = []
        fresh, late = self._fresh, self._late
        while len(taken) < count and (fresh or late):
            first = heappop(late) if late and (not fresh or late[0] < fresh[0]) else fresh.popleft()
            message = live.get(first)
            if message is not None:
                taken.append(message)
        return taken

    def any(self, live: Container[int]) -> bool:
        """Whether one of ``live`` waits; those that left go from the front."""
        while self._fresh and self._fresh[0] not in live:
            self._fresh.popleft()
        while self._late and self._late[0] not in live:
            heappop(self._late)
        return bool(self._fresh or self._late)

    def prune(self, live: Container[int]) -> None:
        """Drop the numbers that ``live`` does not hold."""
        self._fresh = deque(number for number in self._fresh if number in live)
        self._late = [number for number in self._late if number in live]
        heapify(self._late)


class SessionLines:
    """The numbers of the messages that wait for delivery, in one line for each session."""

    __slots__ = ("_lines", "_news")

    def __init__(self) -> None:
        self._lines: dict[str, Line] = {}
        self._news: dict[str, None] = {}

    def put(self, session_id: str, number: int) -> None:
        """Let a number wait in the line of a session, at the place its value gives it."""
        line = self._lines.get(session_id)
        if line is None:
            line = self._lines[session_id] = Line()
        line.put((number,))
        self._news[session_id] = None

    def take(self, session_id: str, count: int, live: Mapping[int, _Message]) -> list[_Message]:
        """Take up to ``count`` messages from the front of a session's line, of those in ``live``."""
        line = self._lines.get(session_id)
        return [] if line is None else line.take(count, live)

    def next(self, held: Container[str], live: Container[int]) -> str | None:
        """The session not held that has waited longest with messages waiting in it."""
        for session_id, line in list(self._lines.items()):
            if session_id in held:
                continue
            if line.any(live):
                return session_id
            del self._lines[session_id]
        return None

    def step_back(self, session_id: str) -> None:
        """Let a session wait behind the others for its next receiver."""
        line = self._lines.pop(session_id, None)
        if line is not None:
            self._lines[session_id] = line

    def news(self) -> list[str]:
        """The sessions that something was put in since it was last asked."""
        news, self._news = list(self._news), {}
        return news

    def prune(self, live: Container[int]) -> None:
        """Drop the numbers that ``live`` does not hold."""
        for line in self._lines.values():
            line.prune(live)
        self._lines = {session_id: line for session_id, line in self._lines.items() if line.any(live)}


class Register:
    """All numbers of a queue in ascending order, for browsing from any of them."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def add(self, number: int) -> None:
        """Enter a number; one below the last moves those above it by one place."""
        if not self._numbers or number > self._numbers[-1]:
            self._numbers.append(number)
        else:
            insort(self._numbers, number)

    def page(self, first: int, count: int, live: Mapping[int, _Message]) -> list[_Message]:
        """Up to ``count`` messages of ``live`` with numbers from ``first`` upwards.

        The stale numbers it met are dropped, so each is met at most once.
        """
        numbers = self._numbers
        start = end = bisect_left(numbers, first)
        found: list[int] = []
        while len(found) < count and end < len(numbers):
            if numbers[end] in live:
                found.append(numbers[end])
            end += 1
        if len(found) < end - start:
            numbers[start:end] = found
        return [live[number] for number in found]

    def prune(self, live: Container[int]) -> None:
        """Drop the numbers that ``live`` does not hold."""
        self._numbers = [number for number in self._numbers if number in live]


class Agenda:
    """Numbers by the time at which something is due for them, epoch seconds."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []

    @property
    def first(self) -> float | None:
        """The earliest time on the agenda, possibly of a message that has left."""
        return self._heap[0][0] if self._heap else None

    def add(self, when: float, number: int) -> None:
        """Note that something is due for a number."""
        heappush(self._heap, (when, number))

    def pop_due(self, now: float) -> list[int]:
        """Take what is due, in the order of time; some may have left."""
        due: list[int] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heappop(self._heap)[1])
        return due

    def prune(self, live: Container[int]) -> None:
        """Drop the entries whose numbers ``live`` does not hold."""
        self._heap = [entry for entry in self._heap if entry[1] in live]
        heapify(self._heap)
