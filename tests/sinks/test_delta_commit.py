"""Commits to a Delta lake that meet others, are fenced off, or end half-way."""

import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from obstore.store import LocalStore

from cdsbridge.model import failpoints
from cdsbridge.model.errors import BridgeError, Fenced, NotPermitted, SinkUnavailable
from cdsbridge.sinks import DeltaSink
from cdsbridge.sinks.audit import audit
from cdsbridge.sinks.base import Claim, Flush, SinkWriter
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.delta import table as delta_table
from cdsbridge.sinks.delta.errors import Teller, first_contact
from cdsbridge.sinks.delta.fence import Fence
from cdsbridge.sinks.testing.history import (
    NO_ENDINGS,
    NO_REJECTS,
    TABLE,
    commit,
    ending,
    endings,
    opened,
    rows_for,
    schema_with,
)

from .batches import Post, flattened, text
from .delta_log import replay
from .places import DeltaPlace
from .test_faults import run_child

SCHEMA = schema_with(name=pa.string())
OLD, NEW = Claim("1" * 32, "bridge orders on host one"), Claim("2" * 32, "bridge orders on host two")


@pytest.fixture
def place(tmp_path: Path) -> DeltaPlace:
    return DeltaPlace(tmp_path)


def flush(*events: str, sent: int = 1) -> Flush:
    numbers = [int(event.removesuffix("-0").lstrip("e")) for event in events]
    rows = rows_for(SCHEMA, list(events), sent=sent)
    return Flush({TABLE: rows}, NO_REJECTS, endings(*map(ending, numbers)))


def claimed(place: DeltaPlace, claim: Claim) -> SinkWriter:
    writer = place.sink.open(claim)
    writer.prepare(SCHEMA)
    return writer


def test_the_newest_start_has_the_lake(place: DeltaPlace) -> None:
    with closing(claimed(place, OLD)) as old:
        commit(old, flush("e1-0"))
        with closing(claimed(place, NEW)) as new:
            with pytest.raises(Fenced, match=r"taken over by bridge orders on host two.*two places"):
                commit(old, flush("e2-0"))
            commit(new, flush("e3-0"))
        with pytest.raises(Fenced):
            commit(old, flush("e2-0"))
    assert [row["_event_id"] for row in place.rows(TABLE)] == ["e1-0", "e3-0"]


def test_a_worker_of_an_older_start_cannot_take_the_lake_back(place: DeltaPlace) -> None:
    place.sink.open(OLD).close()
    place.sink.open(NEW).close()
    with pytest.raises(Fenced, match="host two"):
        place.sink.open(OLD)
    with closing(claimed(place, NEW)) as new:
        commit(new, flush("e1-0"))
    assert len(place.rows(TABLE)) == 1


def test_a_start_that_died_while_it_took_the_lake_over_has_it(place: DeltaPlace) -> None:
    place.sink.open(OLD).close()
    Fence(place.sink.lake(), NEW)._numbered(NEW)
    with pytest.raises(Fenced, match="host two"):
        place.sink.open(OLD)


def test_workers_of_one_start_share_the_lake(place: DeltaPlace) -> None:
    with closing(claimed(place, NEW)) as one, closing(claimed(place, NEW)) as other:
        for number in range(6):
            commit((one, other)[number % 2], flush(f"e{number}-0"))
    assert len(place.rows(TABLE)) == len(place.rows("_ledger")) == 6


def test_a_flush_without_an_ending_is_fenced_too(place: DeltaPlace) -> None:
    with closing(claimed(place, OLD)) as old:
        place.sink.open(NEW).close()
        with pytest.raises(Fenced):
            commit(old, Flush({TABLE: rows_for(SCHEMA, ["e1-0"])}, NO_REJECTS, NO_ENDINGS))
    assert place.rows(TABLE) == []


def interrupted(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object], times: int = 1) -> list[str]:
    """Do something when files are put and not committed yet; the action itself is not interrupted."""
    reached: list[str] = []
    quiet = [False]

    def reach(point: str) -> None:
        if point == "files_put" and not quiet[0] and len(reached) < times:
            reached.append(point)
            quiet[0] = True
            action()
            quiet[0] = False

    monkeypatch.setattr(failpoints, "reach", reach)
    return reached


def test_a_start_that_commits_in_between_fences_the_commit_at_hand(
    place: DeltaPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other() -> None:
        with closing(claimed(place, NEW)) as new:
            commit(new, flush("e2-0"))

    with closing(claimed(place, OLD)) as old:
        reached = interrupted(monkeypatch, other)
        with pytest.raises(Fenced, match="host two"):
            commit(old, flush("e1-0"))
    assert reached
    assert [row["_event_id"] for row in place.rows(TABLE)] == ["e2-0"]


def test_after_a_take_over_no_message_ends_by_the_older_start(
    place: DeltaPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(claimed(place, OLD)) as old:
        interrupted(monkeypatch, lambda: place.sink.open(NEW).close())
        with pytest.raises(Fenced):
            commit(old, flush("e1-0"))
    assert place.rows("_ledger") == []


def test_a_lost_race_is_looked_at_again(place: DeltaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(place) as one, opened(place) as other:
        one.prepare(SCHEMA)
        other.prepare(SCHEMA)
        reached = interrupted(monkeypatch, lambda: commit(other, flush("e1-0", "e2-0")), times=2)
        commit(one, flush("e2-0", "e3-0"))
    assert len(reached) == 2, "the history and the ledger were raced for"
    assert [row["_event_id"] for row in place.rows(TABLE)] == ["e1-0", "e2-0", "e3-0"]
    assert [row["sequence_number"] for row in place.rows("_ledger")] == [1, 2, 3]


@pytest.mark.parametrize("sent", [1, 9])
def test_a_file_that_another_rewrote_meanwhile_is_looked_at_again(
    place: DeltaPlace, monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    with opened(place) as one, opened(place) as other:
        one.prepare(SCHEMA)
        commit(one, flush("e1-0", "e2-0", sent=20))
        interrupted(monkeypatch, lambda: commit(other, flush("e1-0", sent=sent)))
        commit(one, flush("e1-0", sent=5))
    assert [row["_sequence_number"] for row in place.rows(TABLE)] == [min(sent, 5), 21]


def test_files_that_were_joined_meanwhile_are_looked_at_again(
    place: DeltaPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join() -> None:
        assert DeltaTable(str(place.root / TABLE)).optimize.compact()["numFilesRemoved"] == 2

    with opened(place) as writer:
        writer.prepare(SCHEMA)
        commit(writer, flush("e1-0", sent=20))
        commit(writer, flush("e2-0", sent=30))
        reached = interrupted(monkeypatch, join)
        commit(writer, flush("e1-0", sent=1))
    assert reached
    assert [row["_sequence_number"] for row in place.rows(TABLE)] == [1, 30]


def test_a_column_added_meanwhile_is_no_harm(place: DeltaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(place) as one, opened(place) as other:
        one.prepare(SCHEMA)
        wide = schema_with(name=pa.string(), age=pa.int64())
        reached = interrupted(monkeypatch, lambda: other.prepare(wide))
        commit(one, flush("e1-0"))
        assert one.describe(TABLE) == wide
    assert reached
    assert len(place.rows(TABLE)) == 1


def test_who_always_loses_says_so_in_the_end(place: DeltaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(100, 200))
    with opened(place) as one, opened(place) as other:
        one.prepare(SCHEMA)
        reached = interrupted(monkeypatch, lambda: commit(other, flush(f"e{next(numbers)}-0")), times=99)
        with pytest.raises(SinkUnavailable, match=r"Others keep writing to it.*account_history"):
            commit(one, flush("e1-0"))
    assert len(reached) == delta_table.RACES


def test_a_table_made_twice_at_once_is_made_once(place: DeltaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(place) as one, opened(place) as other:
        create = DeltaTable.create
        calls: list[object] = []

        def late(*arguments: Any, **named: Any) -> DeltaTable:
            if not calls:
                calls.append(arguments)
                other.prepare(schema_with(age=pa.int64()))
            return create(*arguments, **named)

        monkeypatch.setattr(DeltaTable, "create", late)
        one.prepare(SCHEMA)
        found = one.describe(TABLE)
    assert found is not None
    assert {"name", "age"} <= set(found.columns)


POSTS = [
    Post(i, f"e{i}", [("account", {"name": text(f"N{i}")}), ("contact", {"fullname": text(f"F{i}")})])
    for i in range(20)
]
COMMIT_ALL = """
import sys
from pathlib import Path
from cdsbridge.sinks.commit import Committer
from tests_sinks.batches import flattened
from tests_sinks.places import DeltaPlace
from tests_sinks.test_delta_commit import POSTS

committer = Committer([DeltaPlace(Path(sys.argv[1])).sink])
for start in range(0, 20, 5):
    committer.add(flattened(POSTS[start : start + 5]))
    committer.flush()
"""
POINTS = [
    *[f"files_put:kill@{count}" for count in (1, 2, 3, 4, 5, 8)],
    *[f"{point}:kill@2" for point in ("staged", "history_written", "all_written")],
]


@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_anywhere_in_a_commit_loses_nothing_and_doubles_nothing(
    tmp_path: Path, point: str
) -> None:
    child = run_child(COMMIT_ALL, str(tmp_path), failpoint=point)
    assert child.returncode == -signal.SIGKILL, child.stderr
    place = DeltaPlace(tmp_path)
    ended = {row["sequence_number"] for row in place.rows("_ledger")}
    held = {row["_sequence_number"] for row in place.rows(TABLE)}
    assert ended <= held, "a message ended before its rows were there"
    committer = Committer([place.sink])
    for cut in (POSTS[13:], POSTS[:13]):
        committer.add(flattened(cut[::-1]))
        committer.flush()
    committer.close()
    report = audit((post.key for post in POSTS), {"lake": place.sink.read()})
    assert report.holds, report.lines()
    for table, column in (("account", "name"), ("contact", "fullname")):
        letter = column[0].upper()
        wanted = {f"key-e{i}": f"{letter}{i}" for i in range(20)}
        state = place.rows(table)
        assert len(state) == len(place.rows(f"{table}_history")) == 20
        assert {row["Id"]: row[column] for row in state} == wanted


def test_what_a_killed_process_left_is_no_part_of_the_table(tmp_path: Path) -> None:
    child = run_child(COMMIT_ALL, str(tmp_path), failpoint="files_put:kill@1")
    assert child.returncode == -signal.SIGKILL, child.stderr
    place = DeltaPlace(tmp_path)
    left = [path for path in place.root.rglob("*.parquet") if "_delta_log" not in path.parts]
    tables = [f for f in place.sink.lake().tables() if (place.root / f / "_delta_log").is_dir()]
    held = [path for table in tables for path in replay(LocalStore(place.root), table).files]
    assert len(left) >= 3
    assert held == []


def test_a_torn_entry_of_the_log_is_told_not_swallowed(place: DeltaPlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        commit(writer, flush("e1-0"))
    torn = place.root / TABLE / "_delta_log" / f"{2:020d}.json"
    torn.write_bytes(b'{"add":{"path":')
    with opened(place) as writer, pytest.raises(SinkUnavailable, match=TABLE):
        writer.describe(TABLE)


REFUSALS = [
    "Server returned non-2xx status code: 403 Forbidden: <?xml",
    "The operation lacked the necessary privileges to complete for path lake/t",
    "Error performing token request",
    "Operation not yet implemented: 401 Unauthorized",
]
AWAY = ["503 Server Busy", "HTTP error: error sending request", "412 Precondition Failed", "404 Not Found"]


@pytest.mark.parametrize("said", REFUSALS)
def test_a_refusal_at_first_contact_says_what_to_check(said: str) -> None:
    with pytest.raises(NotPermitted, match="Check the credential"), first_contact():
        raise SinkUnavailable(f"az://box/lake: {said}")


@pytest.mark.parametrize("said", AWAY)
def test_a_store_that_is_away_may_come_back(said: str) -> None:
    with pytest.raises(SinkUnavailable), first_contact():
        raise SinkUnavailable(f"az://box/lake: {said}")


def test_an_error_is_one_line_and_has_no_secret() -> None:
    teller = Teller("az://box/lake", ("S3cret!",))
    with pytest.raises(SinkUnavailable) as caught, teller.told("account"):
        raise OSError("GET https://h/x?sv=1&sig=abc%2Fdef failed\n \x1b[31m\u21b3\x1b[0m key S3cret!\n")
    assert str(caught.value) == ("az://box/lake: account: GET https://h/x?sv=1&sig=*** failed \u21b3 key ***")
    assert caught.value.__cause__ is None
    assert "S3cret" not in repr(teller)


def test_a_folder_that_cannot_be_written_is_waited_for(place: DeltaPlace) -> None:
    place.root.mkdir()
    obstacle = place.root / "account_history"
    obstacle.write_bytes(b"a file where a folder must be")
    heard: list[BridgeError] = []

    def on_hold(sink: str, error: BridgeError, seconds: float) -> None:
        heard.append(error)
        obstacle.unlink()

    committer = Committer([place.sink], on_hold=on_hold)
    committer.add(flattened(POSTS))
    assert len(committer.flush()[0].dispositions) == 20
    committer.close()
    assert len(heard) == 1
    assert str(place.root) in str(heard[0])


def test_a_lake_shows_no_option(tmp_path: Path) -> None:
    sink = DeltaSink.model_validate({"url": "az://box/lake", "options": {"account_key": "S3cret!"}})
    assert "S3cret!" not in f"{sink!r} {sink} {sink.name} {sink.model_dump_json()}"
