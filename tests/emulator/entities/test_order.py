from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.emulator.entities.order import Agenda, Line, Register, SessionLines

number_lists = st.lists(st.integers(1, 60), unique=True)


@given(
    arrivals=number_lists,
    gone=st.sets(st.integers(1, 60)),
    counts=st.lists(st.integers(0, 9)),
    prune=st.booleans(),
)
def test_a_line_yields_what_is_left_lowest_first(
    arrivals: list[int], gone: set[int], counts: list[int], prune: bool
) -> None:
    live = {number: str(number) for number in arrivals if number not in gone}
    line = Line()
    for start in range(0, len(arrivals), 3):
        line.put(arrivals[start : start + 3])
    if prune:
        line.prune(live)
    taken = [message for count in [*counts, 99] for message in line.take(count, live)]
    assert taken == [str(number) for number in sorted(live)]


@given(rounds=st.lists(st.tuples(number_lists, st.integers(0, 5))))
def test_a_line_never_hands_out_a_higher_number_first(rounds: list[tuple[list[int], int]]) -> None:
    live = {number: number for number in range(1, 61)}
    line, waiting = Line(), set[int]()
    for arrivals, count in rounds:
        new = [number for number in arrivals if number not in waiting]
        line.put(new)
        waiting.update(new)
        taken = line.take(count, live)
        assert taken == sorted(waiting)[:count]
        waiting.difference_update(taken)


@given(
    arrivals=number_lists,
    gone=st.lists(st.sets(st.integers(1, 60)), min_size=1, max_size=3),
    pages=st.lists(st.tuples(st.integers(0, 62), st.integers(0, 9)), min_size=1),
    prune=st.booleans(),
)
def test_a_register_pages_through_what_is_left(
    arrivals: list[int], gone: list[set[int]], pages: list[tuple[int, int]], prune: bool
) -> None:
    live = {number: number for number in arrivals}
    register = Register()
    for number in arrivals:
        register.add(number)
    for leaving in gone:
        for number in leaving:
            live.pop(number, None)
        if prune:
            register.prune(live)
        for first, count in pages:
            expected = [number for number in sorted(live) if number >= first][:count]
            assert register.page(first, count, live) == expected


def test_a_register_forgets_the_stale_numbers_it_meets() -> None:
    register = Register()
    for number in range(1000):
        register.add(number)
    assert register.page(0, 1, {999: "last"}) == ["last"]
    assert register._numbers == [999]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 60))), st.floats(0, 100), st.sets(st.integers(1, 60))
)
def test_an_agenda_yields_what_is_due_by_time(
    entries: list[tuple[float, int]], now: float, live: set[int]
) -> None:
    agenda = Agenda()
    for when, number in entries:
        agenda.add(when, number)
    agenda.prune(live)
    kept = sorted(entry for entry in entries if entry[1] in live)
    assert agenda.pop_due(now) == [number for when, number in kept if when <= now]
    assert agenda.first == next((when for when, _ in kept if when > now), None)


@given(
    sessions=st.lists(st.sampled_from("abc"), max_size=40),
    gone=st.sets(st.integers(0, 40)),
    held=st.sets(st.sampled_from("abc")),
    prune=st.booleans(),
)
def test_the_next_session_is_the_first_that_has_something_left(
    sessions: list[str], gone: set[int], held: set[str], prune: bool
) -> None:
    lines, live = SessionLines(), {n: s for n, s in enumerate(sessions) if n not in gone}
    for number, session in enumerate(sessions):
        lines.put(session, number)
    assert lines.news() == list(dict.fromkeys(sessions))
    assert lines.news() == []
    if prune:
        lines.prune(live)
        assert set(lines._lines) == set(live.values())
    expected = [session for session in dict.fromkeys(sessions) if session in set(live.values()) - held]
    assert lines.next(held, live) == (expected[0] if expected else None)
    for session in set(sessions):
        numbers = [number for number, other in live.items() if other == session]
        assert lines.take(session, 99, {number: number for number in numbers}) == numbers
