"""Whatever the process dies of, only a message it dies of each time becomes a dead letter."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .dying import MOST, Death, Dying, Moment

DEATHS = st.lists(st.builds(Death, st.integers(0, 15)), max_size=100)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), DEATHS, st.integers(1, 50))
def test_deaths_from_outside_make_no_dead_letter(counts: list[int], deaths: list[Death], batch: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        queue = Dying(Path(folder), dict(enumerate(counts)), batch=batch)
        queue.run(deaths)
    assert queue.dead == set()
    assert queue.settled == set(range(len(counts)))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 60), st.data(), st.lists(st.builds(Death, st.integers(0, 15)), max_size=20))
def test_messages_that_kill_become_dead_letters_and_no_others(
    messages: int, data: st.DataObject, deaths: list[Death]
) -> None:
    poison = data.draw(st.sets(st.integers(0, messages - 1), min_size=1, max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        queue = Dying(Path(folder), dict.fromkeys(range(messages), 0), poison, batch=20)
        queue.run(deaths)
    assert queue.dead == poison
    assert queue.settled == set(range(messages)) - poison
    assert queue.deaths <= len(deaths) + 2 * MOST * len(poison)


@pytest.mark.parametrize("deaths", [9, 40, 100])
@pytest.mark.parametrize("after", [0, 3])
def test_a_burst_over_a_full_queue_makes_no_dead_letter(tmp_path: Path, deaths: int, after: int) -> None:
    queue = Dying(tmp_path, dict.fromkeys(range(3000), 0))
    queue.run([Death(after)] * deaths)
    assert (len(queue.settled), queue.dead) == (3000, set())


def test_a_burst_before_any_commit_spares_even_what_is_on_its_last_delivery(tmp_path: Path) -> None:
    queue = Dying(tmp_path, dict.fromkeys(range(300), MOST - 1))
    queue.run([Death(0)] * 40)
    assert (len(queue.settled), queue.dead) == (300, set())


@pytest.mark.parametrize("moment", [Moment.RECEIVING, Moment.SETTLING])
def test_deaths_that_all_come_while_messages_are_held_make_at_most_one_dead_letter_each(
    tmp_path: Path, moment: Moment
) -> None:
    queue = Dying(tmp_path, dict.fromkeys(range(3000), 0))
    queue.run([Death(0, moment)] * 40)
    print(f"40 deaths {moment.value}, 3,000 messages: {len(queue.dead)} dead letters")  # noqa: T201
    assert len(queue.dead) <= 40 - 9


def test_one_message_that_kills_is_found_among_thousands(tmp_path: Path) -> None:
    queue = Dying(tmp_path, dict.fromkeys(range(3000), 0), {700})
    queue.run([])
    assert (queue.dead, len(queue.settled)) == ({700}, 2999)
    assert queue.deaths == MOST + 5
