"""Dead letters are replayed and purged, those that are meant, once, whatever interrupts."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import azure.servicebus
import pytest
from verifying import parquet_rows, read_sqlite, sqlite_rows

from cdsbridge.emulator.dataverse import EXPECTED
from cdsbridge.emulator.entities.message import State
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Outcome, Verdict
from cdsbridge.pipelines.audit import audit_bridge
from cdsbridge.pipelines.post import post_all
from cdsbridge.sinks.base import Claim
from cdsbridge.sinks.commit import Committer
from cdsbridge.sources import progress

from .dead_letters import GAVE_UP, Letters, day, why

POSTS = day(40)
GIVES_BACK = not azure.servicebus.__version__.startswith("7.14")
"""Older SDKs close a link without giving back what came to it last; its locks lapse."""
CLOSED = ("--set", "contracts.default.new_table=quarantine")


@pytest.fixture(scope="module")
def bus() -> Iterator[RunningBroker]:
    with run_in_thread(Namespace()) as running:
        yield running


@pytest.fixture
def letters(bus: RunningBroker, tmp_path: Path) -> Letters:
    return Letters(bus, tmp_path, POSTS)


def left(letters: Letters) -> list[int]:
    return [each.sequence_number for each in letters.left()]


def committed(letters: Letters) -> list[int]:
    """Return the numbers of the messages whose rows are in both sinks."""
    found = {int(row["_sequence_number"]) for row in sqlite_rows(letters.config).values()}
    assert found == {int(row["_sequence_number"]) for row in parquet_rows(letters.config).values()}
    return sorted(found)


def test_what_can_be_committed_is_and_the_rest_stays_in_its_place(letters: Letters) -> None:
    ended = letters.run("backfill", "CONF", "--from", "dlq", "--quiet", "--output", "json")
    assert ended.exit_code == 0, ended.output
    good, bad = letters.numbers(poison=False), letters.numbers(poison=True)
    told = json.loads(ended.stdout)
    assert (told["committed"], told["rejected"], told["settled"]) == (len(good), len(bad), len(good))
    assert committed(letters) == good
    assert left(letters) == bad
    if GIVES_BACK:
        assert all(not each.locked_until for each in letters.left())
    assert audit_bridge(letters.config).holds


def test_only_those_that_are_meant_are_taken(letters: Letters) -> None:
    before = {each.sequence_number: each.delivery_count for each in letters.left()}
    table = next(post.event.table for post in POSTS if post.event is not None)
    ended = letters.run("dlq", "replay", "CONF", "--reason", GAVE_UP, "--table", table, "--yes", "--quiet")
    assert ended.exit_code == 0, ended.output
    meant = [
        number for number, post in enumerate(POSTS, 1) if post.event is not None and post.event.table == table
    ]
    assert committed(letters) == meant
    assert {each.sequence_number: each.delivery_count for each in letters.left()} == {
        number: deliveries for number, deliveries in before.items() if number not in meant
    }
    one = next(number for number in letters.numbers(poison=False) if number not in meant)
    ended = letters.run(
        "dlq",
        "replay",
        "CONF",
        "--message-id",
        POSTS[one - 1].message_id,
        "--yes",
        "--quiet",
        "--output",
        "json",
    )
    assert json.loads(ended.stdout)["received"] == 1
    assert committed(letters) == sorted([*meant, one])
    ended = letters.run(
        "backfill", "CONF", "--from", "dlq", "--until", "2020-01-01", "--quiet", "--output", "json"
    )
    assert json.loads(ended.stdout)["received"] == 0


def test_a_limit_is_kept_and_so_is_a_rate(letters: Letters) -> None:
    ended = letters.run("backfill", "CONF", "--from", "dlq", "--limit", "7", "--quiet", "--output", "json")
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["received"] == 7
    assert len(left(letters)) == len(POSTS) - sum(POSTS[number].poison is None for number in range(7))


def test_a_dry_run_tells_what_would_be_done_and_touches_nothing(letters: Letters) -> None:
    ended = letters.run("backfill", "CONF", "--from", "dlq", "--dry-run", "--output", "json")
    told = json.loads(ended.stdout)
    good, bad = letters.numbers(poison=False), letters.numbers(poison=True)
    assert told["outcomes"] == {"committed": len(good), "rejected": len(bad)}
    text = letters.run("dlq", "replay", "CONF", "--dry-run", "--yes").stdout
    assert "the table is new" in text
    assert "Nothing was done" in text
    assert [each.delivery_count for each in letters.left()] == [0] * len(POSTS)
    assert sqlite_rows(letters.config) == {}
    assert not list(letters.folder.rglob("*.parquet"))
    letters.run("dlq", "export", "CONF", letters.folder / "all.jsonl")
    assert letters.run("backfill", "CONF", letters.folder / "all.jsonl", "--from", "files").exit_code == 0
    told = json.loads(letters.run("dlq", "replay", "CONF", "--dry-run", "--output", "json").stdout)
    assert sum(min(table["there_already"].values()) for table in told["tables"].values()) == len(good)


def test_nothing_is_done_that_was_not_agreed_to(letters: Letters) -> None:
    for command in (("replay",), ("purge", "--no-copy")):
        ended = letters.run("dlq", command[0], "CONF", *command[1:])
        assert ended.exit_code == 78, ended.output
        assert "--yes" in ended.output
    assert letters.run("dlq", "purge", "CONF", "--yes").exit_code == 2
    ended = letters.run("dlq", "purge", "CONF", "--no-copy", "--dry-run", "--yes")
    assert "and NOT copied" in ended.stdout
    assert left(letters) == letters.numbers()


def test_what_is_purged_is_in_the_copy_first(letters: Letters) -> None:
    copy = letters.folder / "copy.jsonl"
    reason = why(POSTS[letters.numbers(poison=True)[0] - 1])[0]
    meant = [number for number in letters.numbers() if why(POSTS[number - 1])[0] == reason]
    ended = letters.run(
        "dlq", "purge", "CONF", "--reason", reason, "--copy", copy, "--yes", "--output", "json"
    )
    assert json.loads(ended.stdout) == {"removed": len(meant), "copy": str(copy)}
    assert [json.loads(line)["sequence_number"] for line in copy.read_text().splitlines()] == meant
    assert left(letters) == [number for number in letters.numbers() if number not in meant]
    ended = letters.run("dlq", "purge", "CONF", "--limit", "2", "--no-copy", "--yes")
    assert "2 dead letters removed" in ended.stdout


def test_nothing_is_removed_before_its_copy_is_on_the_disk(
    letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = letters.folder / "copy.jsonl"
    flushed, safe = os.fsync, [0]

    def on_disk(handle: int) -> None:
        flushed(handle)
        lines = copy.read_text().count("\n")
        assert len(POSTS) - len(left(letters)) <= safe[-1], "of what was not on the disk, something is gone"
        safe.append(lines)

    monkeypatch.setattr("cdsbridge.pipelines.dlq.copies.os.fsync", on_disk)
    ended = letters.run("dlq", "purge", "CONF", "--copy", copy, "--yes", "--set", "source.batch=10")
    assert ended.exit_code == 0, ended.output
    assert left(letters) == []
    assert max(safe) == len(POSTS)


def test_a_replay_leaves_the_sinks_to_the_bridge_that_has_them(letters: Letters) -> None:
    with closing(Committer(letters.config.sinks, claim=Claim.of("bridge"))) as committer:

        def commit(number: int) -> None:
            batch = MicroBatch("other", (Envelope(b"", "other", number, message_id=str(number)),))
            committer.add(FlattenedBatch(batch, (), (Verdict(Outcome.SKIPPED),)))
            committer.flush()

        commit(1)
        assert letters.run("dlq", "replay", "CONF", "--yes", "--quiet").exit_code == 0
        commit(2)
    assert len(read_sqlite(letters.config, "_ledger")) == len(POSTS) + 2


def killed(letters: Letters, action: str, *command: str | Path) -> None:
    """Run a command until it is killed at a point."""
    conf = letters.folder / "bridge.yaml"
    program = [sys.executable, "-m", "cdsbridge.pipelines.cli", *map(str, command)]
    ended = subprocess.run(
        [str(conf) if each == "CONF" else each for each in program],
        env={**os.environ, "CDSBRIDGE_FAILPOINT": action},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stdout + ended.stderr


def test_a_replay_that_is_killed_is_begun_again(bus: RunningBroker, tmp_path: Path) -> None:
    letters = Letters(bus, tmp_path, POSTS, lock_duration=1.0)
    for action in ("flattened:kill@1", "committed:kill@1", "half_settled:kill@1"):
        killed(letters, action, "backfill", "CONF", "--from", "dlq", "--quiet", "--set", "source.batch=10")
    ended = letters.run("backfill", "CONF", "--from", "dlq", "--quiet")
    assert ended.exit_code == 0, ended.output
    assert committed(letters) == letters.numbers(poison=False)
    ids = [row["_event_id"] for table in ("account_history",) for row in read_sqlite(letters.config, table)]
    assert len(ids) == len(set(ids))
    assert left(letters) == letters.numbers(poison=True)
    assert audit_bridge(letters.config).holds


def test_a_purge_that_is_killed_has_copied_all_it_removed(bus: RunningBroker, tmp_path: Path) -> None:
    letters = Letters(bus, tmp_path, POSTS, lock_duration=1.0)
    copy = tmp_path / "copy.jsonl"
    purge = ("dlq", "purge", "CONF", "--copy", copy, "--yes", "--set", "source.batch=10")
    killed(letters, "received:kill@3", *purge)
    copied = {json.loads(line)["sequence_number"] for line in copy.read_text().splitlines()}
    assert copied
    assert set(letters.numbers()) - set(left(letters)) <= copied
    assert letters.run(*purge).exit_code == 0
    assert left(letters) == []
    assert {json.loads(line)["sequence_number"] for line in copy.read_text().splitlines()} == set(
        letters.numbers()
    )


def again(letters: Letters) -> list[tuple[str, str]]:
    """Return the reasons of old and of the last replay of what is left, in order."""
    ended = letters.run("dlq", "peek", "CONF", "--count", "100", "--output", "json")
    return [(each["reason"], each["reason_now"]) for each in json.loads(ended.stdout)]


def test_what_fails_again_keeps_both_reasons_and_is_committed_when_it_is_cured(letters: Letters) -> None:
    assert letters.run("backfill", "CONF", "--from", "dlq", "--quiet", *CLOSED).exit_code == 0
    assert left(letters) == letters.numbers()
    for post, (old, now) in zip(POSTS, again(letters), strict=True):
        assert old == why(post)[0]
        assert now in ({"contract"} if post.poison is None else EXPECTED[post.poison])
    groups = json.loads(letters.run("dlq", "group", "CONF", "--output", "json").stdout)
    assert {group["reason"]: group["again"] for group in groups}[GAVE_UP].keys() == {"contract"}
    assert audit_bridge(letters.config).holds
    assert letters.run("backfill", "CONF", "--from", "dlq", "--quiet").exit_code == 0
    assert committed(letters) == letters.numbers(poison=False)
    assert left(letters) == letters.numbers(poison=True)
    assert audit_bridge(letters.config).holds


def test_what_is_set_aside_is_taken_up_by_its_number(letters: Letters) -> None:
    ended = letters.run("backfill", "CONF", "--from", "dlq", "--quiet", "--again", "defer", *CLOSED)
    assert ended.exit_code == 0, ended.output
    assert {each.state for each in letters.left()} == {State.DEFERRED}
    told = json.loads(letters.run("dlq", "replay", "CONF", "--dry-run", "--output", "json").stdout)
    assert told["messages"] == 0
    ended = letters.run("backfill", "CONF", "--from", "dlq", "--deferred", "--quiet")
    assert ended.exit_code == 0, ended.output
    assert committed(letters) == letters.numbers(poison=False)
    assert left(letters) == letters.numbers(poison=True)
    assert audit_bridge(letters.config).holds


def test_what_was_committed_from_the_dead_letter_queue_leaves_the_quarantine(
    bus: RunningBroker, tmp_path: Path
) -> None:
    letters = Letters(bus, tmp_path, [])
    post_all(letters.config.source, letters.queue, iter(POSTS))
    assert letters.run("backfill", "CONF", "--quiet", *CLOSED).exit_code == 0
    listed = ("quarantine", "list", "CONF", "--count", "100", "--output", "json")
    assert len(json.loads(letters.run(*listed).stdout)["messages"]) == len(POSTS)
    ended = letters.run("backfill", "CONF", "--from", "dlq", "--reason", "contract", "--quiet")
    assert ended.exit_code == 0, ended.output
    numbers = [each["sequence_number"] for each in json.loads(letters.run(*listed).stdout)["messages"]]
    assert sorted(numbers) == [number for number, post in enumerate(POSTS, 1) if post.poison is not None]
    assert audit_bridge(letters.config).holds


def test_a_pass_that_cannot_get_by_says_so(letters: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LEFT_AT_MOST", 5)
    last = POSTS[letters.numbers(poison=False)[-1] - 1].message_id
    narrow = ("--set", "source.batch=2", "--set", "source.max_in_flight=2", "--set", "commit.messages=2")
    ended = letters.run("dlq", "replay", "CONF", "--message-id", last, "--yes", "--quiet", *narrow)
    assert ended.exit_code == 75, ended.output
    assert "take a wider selection" in ended.output
    assert left(letters) == letters.numbers()
    if GIVES_BACK:
        assert all(not each.locked_until for each in letters.left())
