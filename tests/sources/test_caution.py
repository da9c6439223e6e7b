"""A burst of deaths of the process drives no good message into the dead-letter queue."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.sources.caution import Caution, safe_number

COUNTS = st.lists(st.integers(0, 12), max_size=60)


@given(st.integers(2, 100), st.integers(1, 5000))
def test_company_shrinks_to_nothing_before_the_last_delivery(most: int, batch: int) -> None:
    numbers = [number for count in range(most) if (number := safe_number(count, most, batch)) is not None]
    assert numbers == sorted(numbers, reverse=True)
    assert safe_number(0, most, batch) is None
    assert numbers[-1] == 1
    assert safe_number(most + 5, most, batch) == 1


@given(st.lists(COUNTS, min_size=1, max_size=6), st.integers(2, 12), st.integers(1, 50))
def test_what_is_under_way_is_never_more_than_the_worst_of_it_allows(
    received: list[list[int]], most: int, batch: int
) -> None:
    caution = Caution(most, batch)
    under_way: list[int] = []
    for counts in received:
        admitted = caution.admit(counts)
        under_way += counts[:admitted]
        together = safe_number(max(under_way, default=0), most, batch)
        assert together is None or len(under_way) <= together
        assert admitted == len(counts) or caution.careful


@given(COUNTS, st.integers(2, 12), st.integers(1, 50))
def test_every_message_has_its_turn(counts: list[int], most: int, batch: int) -> None:
    caution, waiting = Caution(most, batch), list(counts)
    while waiting:
        asked = caution.ask(batch)
        assert asked > 0
        admitted = caution.admit(waiting[:asked])
        assert admitted > 0
        assert caution.ask(batch) == 0 or not caution.careful
        del waiting[:admitted]
        caution.ended(admitted)
    caution.admit([])
    assert not caution.careful
    assert caution.ask(batch) == batch


def test_after_a_death_the_first_message_shows_in_what_company_messages_are_received() -> None:
    caution = Caution(10, 1000, after_death=True)
    assert caution.ask(1000) == 1
    assert caution.admit([7]) == 0
    assert caution.ask(1000) == 16
    calm = Caution(10, 1000, after_death=True)
    assert calm.admit([4]) == 1
    assert calm.ask(1000) == 1000


def burst(rng: random.Random, messages: int, deaths: int, poison: set[int], windows: int = 4) -> Counter[str]:
    """Let a process die again and again over one queue, each time within some windows; tell how all ended."""
    queue = dict.fromkeys(range(messages), 0)
    ended: Counter[str] = Counter()
    while queue:
        caution, alive = Caution(10, batch=1000), True
        dies_after = rng.randrange(windows) if deaths else None
        deaths -= dies_after is not None
        while queue and alive:
            window = list(queue)[: caution.ask(1000)]
            window = window[: caution.admit([queue[number] for number in window])]
            alive = dies_after != 0 and not poison & set(window)
            dies_after = None if dies_after is None else dies_after - 1
            for number in window:
                queue[number] += not alive
                if alive or queue[number] >= 10:
                    del queue[number]
                    ended["settled" if alive else "poison dead" if number in poison else "good dead"] += 1
            caution.ended(len(window))
    return ended


@given(st.integers(0, 10_000))
def test_a_message_that_ends_the_process_each_time_goes_alone(seed: int) -> None:
    rng = random.Random(seed)
    poison = set(rng.sample(range(3000), 2))
    assert burst(rng, 3000, 0, poison) == {"settled": 2998, "poison dead": 2}


def test_of_a_burst_of_deaths_at_least_one_less_than_ten_kill_no_message_at_all() -> None:
    for seed in range(50):
        rng = random.Random(seed)
        assert burst(rng, 3000, 9, set())["good dead"] == 0


def test_a_longer_burst_makes_at_most_one_dead_letter_for_each_death_beyond() -> None:
    for windows in (1, 4):
        lost = [burst(random.Random(seed), 3000, 40, set(), windows)["good dead"] for seed in range(30)]
        figure = f"40 deaths within {windows} windows each, 3,000 messages: {max(lost)} good dead letters"
        print(figure)  # noqa: T201
        assert max(lost) <= 40 - 9
