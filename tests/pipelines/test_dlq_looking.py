"""The workbench looks at dead letters, tells what they are, and touches none."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.verdict import Reason
from cdsbridge.pipelines.dlq.causes import advice

from .dead_letters import GAVE_UP, Letters, day, why


@pytest.fixture(scope="module")
def bus() -> Iterator[RunningBroker]:
    with run_in_thread(Namespace()) as running:
        yield running


@pytest.fixture(scope="module")
def letters(bus: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Letters]:
    made = Letters(bus, tmp_path_factory.mktemp("letters"), day(60))
    before = made.left()
    yield made
    after = made.left()
    assert [(each.sequence_number, each.delivery_count, each.locked_until) for each in after] == [
        (each.sequence_number, 0, 0.0) for each in before
    ]
    assert not (made.folder / "bridge.db").exists()


def test_list_counts_by_looking(letters: Letters) -> None:
    ended = letters.run("dlq", "list", "CONF", "--output", "json")
    assert ended.exit_code == 0, ended.output
    (told,) = json.loads(ended.stdout)
    assert (told["entity"], told["messages"], told["more"]) == (letters.dead, 60, False)
    assert told["bytes"] == sum(len(post.body) for post in letters.posts)
    ended = letters.run("dlq", "list", "CONF", "--at-most", "7")
    assert "7 or more" in ended.stdout
    assert letters.dead in ended.stdout


def test_peek_shows_those_that_are_meant(letters: Letters) -> None:
    bad = letters.numbers(poison=True)
    reasons = {why(letters.posts[number - 1])[0] for number in bad}
    options = [option for reason in reasons for option in ("--reason", reason)]
    ended = letters.run("dlq", "peek", "CONF", *options, "--count", "100", "--output", "json")
    assert [each["sequence_number"] for each in json.loads(ended.stdout)] == bad
    wanted = letters.posts[9].message_id
    ended = letters.run("dlq", "peek", "CONF", "--message-id", wanted, "--output", "json")
    assert [each["message_id"] for each in json.loads(ended.stdout)] == [wanted]
    ended = letters.run("dlq", "peek", "CONF", "--count", "3")
    assert len(ended.stdout.splitlines()) == 5
    ended = letters.run("dlq", "peek", "CONF", "--since", "2999-01-01")
    assert "No dead letters there" in ended.stdout


def test_groups_are_causes(letters: Letters) -> None:
    ended = letters.run("dlq", "group", "CONF", "--output", "json")
    told = json.loads(ended.stdout)
    assert sum(group["messages"] for group in told) == 60
    assert [group["messages"] for group in told] == sorted(
        (group["messages"] for group in told), reverse=True
    )
    found = Counter({group["reason"]: 0 for group in told})
    for group in told:
        found[group["reason"]] += group["messages"]
        assert group["code"] == ("" if group["reason"] == GAVE_UP else "0x80040216")
    assert found == Counter(why(post)[0] for post in letters.posts)
    tables = {group["table"] for group in told if group["reason"] == GAVE_UP}
    assert tables == {post.event.table for post in letters.posts if post.event is not None}
    assert GAVE_UP in letters.run("dlq", "group", "CONF").stdout


def test_explain_says_what_a_replay_would_make_of_them_now(letters: Letters) -> None:
    ended = letters.run("dlq", "explain", "CONF", "--output", "json")
    for group in json.loads(ended.stdout):
        assert group["advice"] == advice(group["reason"])
        end = "committed" if group["reason"] == GAVE_UP else "rejected"
        assert group["now"] == {end: group["messages"]}
    text = letters.run("dlq", "explain", "CONF").stdout
    assert "They are good messages as a rule" in text
    assert "a replay would make now" in text


def test_every_reason_of_ours_has_its_own_advice() -> None:
    assert len({advice(reason) for reason in Reason}) == len(Reason)


def test_export_copies_what_backfill_reads(letters: Letters, bus: RunningBroker, tmp_path: Path) -> None:
    file = tmp_path / "exports" / "dead.jsonl"
    ended = letters.run("dlq", "export", "CONF", file, "--output", "json")
    assert json.loads(ended.stdout) == {"messages": 60, "file": str(file)}
    other = Letters(bus, tmp_path / "other", [])
    ended = other.run("backfill", "CONF", file, "--from", "files", "--output", "json", "--quiet")
    told = json.loads(ended.stdout)
    assert (told["committed"], told["rejected"]) == tuple(
        len(letters.numbers(poison=poison)) for poison in (False, True)
    )


def test_an_entity_that_is_not_the_bridges_is_told(letters: Letters) -> None:
    ended = letters.run("dlq", "list", "CONF", "--entity", "nowhere")
    assert ended.exit_code == 78
    assert letters.queue in ended.output
    ended = letters.run("dlq", "list", "CONF", "--entity", letters.dead, "--output", "json")
    assert json.loads(ended.stdout)[0]["messages"] == 60
