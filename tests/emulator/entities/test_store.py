import sqlite3
from pathlib import Path

import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError, StoreUnavailable
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.settings import QueueSettings

SETTINGS = QueueSettings(5.0, 2, 1000.0, dead_letter_on_expiry=True, max_message_size=5000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bus.db"


def abandon_all(queue: Queue) -> None:
    queue.abandon([each.token for each in queue.receive(99, lock=True) if each.token])


def rows(namespace: Namespace) -> int:
    assert namespace._store is not None
    return int(namespace._store._db.execute("SELECT count(*) FROM message").fetchone()[0])


def kill(namespace: Namespace) -> None:
    """Leave the file as a killed process would: nothing written, the lock on it gone."""
    assert namespace._store is not None
    namespace._store.close()


def test_queues_settings_and_messages_come_back_as_they_were(path: Path) -> None:
    clock = ManualClock(7.5)
    namespace = Namespace(clock, path)
    namespace.create_queue("Empty")
    queue = namespace.create_queue("Orders", SETTINGS)
    full = Content(b"\x00p", b"\xffa", b"body", b"n", "id-é", 60.5, False, 9, None, "session", b"d")
    queue.send([full, Content(), Content(), Content(scheduled_at=50.0)])
    tokens = [each.token for each in queue.receive(3, lock=True) if each.token]
    queue.abandon(tokens[:1])
    queue.defer(tokens[1:2])
    queue.dead_letter(tokens[2:], "r", "d", lambda application: application + b"!")
    before, dead_before = queue.peek(0, 9), namespace.queue("orders/$DeadLetterQueue").peek(0, 9)
    namespace.close()
    again = Namespace(clock, path)
    assert again.names() == ["Empty", "Orders"]
    assert again.queue("orders").settings == SETTINGS
    assert again.queue("orders").peek(0, 9) == before
    assert again.queue("orders/$DeadLetterQueue").peek(0, 9) == dead_before
    assert again.queue("orders").depth() == queue.depth()
    again.close()


def test_only_what_was_committed_outlives_a_kill(path: Path) -> None:
    namespace = Namespace(path=path)
    queue = namespace.create_queue("q")
    queue.send([Content(message_id="kept"), Content(message_id="completed")])
    namespace.commit()
    tokens = [each.token for each in queue.receive(2, lock=True) if each.token]
    queue.complete(tokens[1:])
    namespace.commit()
    queue.complete(tokens[:1])
    queue.send([Content(message_id="uncommitted")])
    kill(namespace)
    again = Namespace(path=path)
    (message,) = again.queue("q").peek(0, 9)
    assert message.content.message_id == "kept"
    assert message.delivery_count == 0
    assert again.queue("q").depth()["active"] == 1
    again.close()


def test_a_number_is_not_given_twice_though_its_message_is_gone(path: Path) -> None:
    namespace = Namespace(path=path)
    queue = namespace.create_queue("q")
    queue.send([Content()])
    queue.receive(1, lock=False)
    namespace.commit()
    kill(namespace)
    again = Namespace(path=path)
    assert again.queue("q").send([Content()]) == [2]
    again.close()


def test_closing_ends_locks_as_if_they_had_lapsed(path: Path) -> None:
    namespace = Namespace(path=path)
    queue = namespace.create_queue("q", QueueSettings(max_delivery_count=2))
    queue.send([Content(), Content()])
    queue.abandon([each.token for each in queue.receive(1, lock=True) if each.token])
    queue.receive(2, lock=True)
    namespace.close()
    again = Namespace(path=path)
    assert [(each.sequence_number, each.delivery_count) for each in again.queue("q").peek(0, 9)] == [(2, 1)]
    assert again.queue("q/$DeadLetterQueue").peek(0, 9)[0].delivery_count == 2
    again.close()


def test_delivery_counts_outlive_a_kill_once_committed(path: Path) -> None:
    namespace = Namespace(path=path)
    queue = namespace.create_queue("q")
    queue.send([Content(body=b"x" * 9000)])
    abandon_all(queue)
    abandon_all(queue)
    namespace.commit()
    abandon_all(queue)
    kill(namespace)
    again = Namespace(path=path)
    assert again.queue("q").peek(0, 1)[0].delivery_count == 2
    again.close()


def test_time_that_passed_while_closed_counts(path: Path) -> None:
    clock = ManualClock(100.0)
    namespace = Namespace(clock, path)
    namespace.create_queue("q").send([Content(ttl=10), Content(scheduled_at=110.0), Content(ttl=50)])
    namespace.close()
    clock.advance(20)
    again = Namespace(clock, path)
    assert [each.sequence_number for each in again.queue("q").peek(0, 9)] == [3, 4]
    assert again.expire() == 150.0
    again.close()


def test_a_deleted_queue_stays_deleted_and_leaves_no_message(path: Path) -> None:
    namespace = Namespace(path=path)
    for name in ("first", "second"):
        namespace.create_queue(name).send([Content(message_id=name)])
    namespace.commit()
    namespace.queue("first").send([Content()])
    namespace.delete_queue("first")
    namespace.commit()
    assert rows(namespace) == 1
    kill(namespace)
    again = Namespace(path=path)
    assert again.names() == ["second"]
    assert again.create_queue("first").send([Content(message_id="new")]) == [1]
    assert [each.content.message_id for each in again.queue("second").peek(0, 9)] == ["second"]
    again.close()


def test_changed_settings_are_kept(path: Path) -> None:
    namespace = Namespace(path=path)
    namespace.create_queue("q")
    namespace.create_queue("q", SETTINGS)
    kill(namespace)
    again = Namespace(path=path)
    assert again.queue("q").settings == SETTINGS
    assert again.queue("q/$DeadLetterQueue").settings == SETTINGS
    again.close()


def test_a_full_disk_loses_nothing_once_there_is_room(path: Path) -> None:
    namespace = Namespace(path=path)
    queue = namespace.create_queue("q")
    assert namespace._store is not None
    database = namespace._store._db
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count={pages}")
    queue.send([Content(body=b"x" * 20000) for _ in range(5)])
    with pytest.raises(StoreUnavailable, match="database or disk is full") as refusal:
        namespace.commit()
    assert refusal.value.condition == "com.microsoft:server-busy"
    assert str(path) in str(refusal.value)
    queue.receive(1, lock=False)
    database.execute("PRAGMA max_page_count=100000")
    namespace.commit()
    kill(namespace)
    again = Namespace(path=path)
    assert [each.sequence_number for each in again.queue("q").peek(0, 9)] == [2, 3, 4, 5]
    again.close()


def test_a_commit_that_failed_half_way_has_written_nothing(path: Path) -> None:
    namespace = Namespace(path=path)
    assert namespace._store is not None
    database = namespace._store._db
    database.execute(
        "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.message WHEN NEW.message_id = 'second' "
        "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    )
    namespace.create_queue("q").send([Content(message_id="first"), Content(message_id="second")])
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="not this one"):
            namespace.commit()
        assert rows(namespace) == 0
    database.execute("DROP TRIGGER refuse")
    namespace.commit()
    assert rows(namespace) == 2
    namespace.close()


def test_a_second_emulator_cannot_open_the_same_file(path: Path) -> None:
    namespace = Namespace(path=path)
    with pytest.raises(StoreUnavailable, match="locked"):
        Namespace(path=path)
    namespace.close()
    Namespace(path=path).close()


def test_a_file_that_is_no_store_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(StoreUnavailable, match="not a database"):
        Namespace(path=path)
    assert path.read_bytes().startswith(b"not a database")


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(StoreUnavailable, match="not a store of this emulator"):
        Namespace(path=path)


def test_a_store_of_a_newer_emulator_is_refused_and_left_alone(path: Path) -> None:
    Namespace(path=path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(StoreUnavailable, match=r"newer emulator \(version 99"):
        Namespace(path=path)
    with sqlite3.connect(path) as still:
        assert still.execute("PRAGMA user_version").fetchone() == (99,)
    still.close()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EntityError, match="folder"):
        Namespace(path=tmp_path / "none" / "bus.db")


@pytest.mark.parametrize(("flush_disk", "level"), [(False, 1), (True, 2)])
def test_commits_wait_for_the_disk_where_asked(path: Path, flush_disk: bool, level: int) -> None:
    namespace = Namespace(path=path, flush_disk=flush_disk)
    assert namespace._store is not None
    assert namespace._store._db.execute("PRAGMA synchronous").fetchone() == (level,)
    assert namespace._store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    namespace.close()


def test_one_commit_is_one_transaction(path: Path) -> None:
    namespace = Namespace(path=path)
    assert namespace._store is not None
    statements: list[str] = []
    namespace._store._db.set_trace_callback(statements.append)
    first, second = namespace.create_queue("first"), namespace.create_queue("second")
    statements.clear()
    first.send([Content()] * 3)
    second.send([Content()] * 3)
    second.receive(2, lock=False)
    namespace.commit()
    namespace.commit()
    assert [statement for statement in statements if statement.startswith(("BEGIN", "COMMIT"))] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
    namespace.close()
