"""Compaction: fewer files, the same rows, whatever happens meanwhile."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from cdsbridge.model.errors import ConfigError, SinkUnavailable
from cdsbridge.sinks import ArchiveSink, ParquetSink
from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.files import Files
from cdsbridge.sinks.parquet.compact import compact
from cdsbridge.sinks.parquet.reader import ParquetReader
from cdsbridge.sinks.testing.history import (
    NO_ENDINGS,
    NO_REJECTS,
    NOW,
    TABLE,
    commit,
    ending,
    endings,
    rows_for,
    schema_with,
)
from cdsbridge.sinks.testing.places import Row

from .test_archive import flush as messages
from .test_archive import numbers, put

SCHEMA = schema_with(name=pa.string())
DAY = 86_400_000_000

Events = list[tuple[str, int]]
"""Event id and number of the message that posted it."""


class Store:
    """A place in memory, in which the work can be made to end at any step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files = Steps(MemoryStore(), "memory")
        self.sink = ParquetSink(url="az://memory")
        monkeypatch.setattr(ParquetSink, "files", lambda _: self.files)

    def flush(self, *events: tuple[str, int], day: int = 0, number: int = 0) -> None:
        """Put a file as a bridge would."""
        rows = pa.concat_tables(
            rows_for(
                SCHEMA,
                [event],
                {"name": [f"{event} {sent}"], "SinkCreatedOn": [NOW + day * DAY + number]},
                sent,
            )
            for event, sent in events
        )
        ledger = endings(*(ending(sent) for _, sent in events))
        with closing(self.sink.open()) as writer:
            writer.prepare(SCHEMA)
            commit(writer, Flush({TABLE: rows}, NO_REJECTS, ledger))

    def rows(self) -> list[Row]:
        found = []
        for path in self.files.walk(TABLE, ".parquet"):
            with self.files.open(path) as file:
                found += pq.read_table(file, partitioning=None).to_pylist()
        return found

    def counting(self) -> dict[str, Row]:
        """Return the rows that count, as a user of the files has to find them."""
        best: dict[str, Any] = {}
        for row in self.rows():
            rank = (row["_order"], row["_received_at"])
            if row["_event_id"] not in best or rank < best[row["_event_id"]][0]:
                best[str(row["_event_id"])] = rank, {k: v for k, v in row.items() if k != "SinkCreatedOn"}
        return {event: row for event, (_, row) in best.items()}

    def count(self) -> int:
        return len(list(self.files.walk(TABLE, ".parquet")))


class Steps(Files):
    """Files that tell of each change before it is made."""

    before: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, store: Any, name: str) -> None:
        super().__init__(store, name)
        self.created: list[str] = []
        self.removing: Callable[[str], None] = lambda _: None

    def create(self, path: str, data: bytes) -> bool:
        self.before()
        self.created.append(path)
        return super().create(path, data)

    def remove(self, path: str) -> None:
        self.before()
        self.removing(path)
        super().remove(path)

    def events(self, *paths: str) -> set[str]:
        found: set[str] = set()
        for path in paths:
            with self.open(path) as file:
                found.update(pq.read_table(file, columns=["_event_id"]).column(0).to_pylist())
        return found


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    return Store(monkeypatch)


def test_small_files_of_a_day_become_one(store: Store) -> None:
    for number in range(6):
        store.flush((f"{number}-0", number), day=number // 3, number=number)
    before = store.counting()
    reports = {report.table: report for report in compact(store.sink)}
    assert store.count() == 2
    assert store.counting() == before
    history = reports[TABLE]
    assert (history.files, history.merged, history.written, history.repeats) == (6, 6, 2, 0)
    assert history.size == history.merged_size > history.written_size > 0
    assert reports["_ledger"].written == 1


def test_rows_of_a_merged_file_stand_in_the_order_of_their_writing(store: Store) -> None:
    for number in random.Random(1).sample(range(9), 9):
        store.flush((f"{number}-0", number), number=number)
    compact(store.sink)
    assert [row["_event_id"] for row in store.rows()] == [f"{number}-0" for number in range(9)]


def test_a_place_that_is_compacted_is_left_alone(store: Store) -> None:
    for number in range(4):
        store.flush((f"{number}-0", number), ("again-0", 10 + number), number=number)
    compact(store.sink)
    files = store.files.sizes("")
    reports = compact(store.sink)
    assert store.files.sizes("") == files
    assert [(report.merged, report.written, report.repeats) for report in reports] == [(0, 0, 0)] * 2


def test_of_an_event_that_repeats_the_row_of_the_lowest_order_stays(store: Store) -> None:
    for sent in (9, 4, 7):
        store.flush(("a-0", sent), (f"other{sent}-0", sent), number=sent)
    reports = {report.table: report for report in compact(store.sink)}
    assert {row["_event_id"]: row["_sequence_number"] for row in store.rows()} == {
        "a-0": 4,
        "other9-0": 9,
        "other4-0": 4,
        "other7-0": 7,
    }
    assert len(store.rows()) == 4
    assert reports[TABLE].repeats == 2


def test_an_event_that_repeats_after_midnight_stays_once(store: Store) -> None:
    store.flush(("a-0", 4), ("b-0", 5))
    store.flush(("a-0", 4), day=1)
    compact(store.sink)
    assert Counter(row["_event_id"] for row in store.rows()) == {"a-0": 1, "b-0": 1}
    assert store.count() == 1


def test_a_large_file_stays_unless_a_row_in_it_repeats(store: Store) -> None:
    store.sink = ParquetSink(url="az://memory", file_rows=8)
    large = [(f"{number}-0", number) for number in range(8)]
    store.flush(*large)
    (path,) = store.files.walk(TABLE, ".parquet")
    store.flush(("x-0", 50), number=1)
    store.flush(("y-0", 51), number=2)
    compact(store.sink)
    assert path in store.files.sizes(TABLE)
    assert store.count() == 2
    store.flush(("3-0", 1), number=3)
    compact(store.sink)
    assert path not in store.files.sizes(TABLE)
    assert Counter(row["_event_id"] for row in store.rows()) == {
        **{event: 1 for event, _ in large},
        "x-0": 1,
        "y-0": 1,
    }


def test_merged_files_keep_to_the_size_of_the_place(store: Store) -> None:
    store.sink = ParquetSink(url="az://memory", file_bytes=64 * 1024, file_rows=3_000)
    source = random.Random(3)
    for flush in range(40):
        store.flush(*((f"{source.randbytes(30).hex()}-0", flush * 50 + at) for at in range(50)), number=flush)
    before = store.counting()
    compact(store.sink)
    assert max(store.files.sizes(TABLE, ".parquet").values()) <= 64 * 1024
    assert 3 < store.count() < 12
    assert store.counting() == before


def test_files_of_fewer_columns_are_merged_with_those_of_more(store: Store) -> None:
    store.flush(("a-0", 1))
    wide = schema_with(name=pa.string(), age=pa.int64())
    with closing(store.sink.open()) as writer:
        writer.prepare(wide)
        commit(writer, Flush({TABLE: rows_for(wide, ["b-0"], {"age": [3]})}, NO_REJECTS, NO_ENDINGS))
    compact(store.sink)
    assert [(row["_event_id"], row["age"]) for row in store.rows()] == [("a-0", None), ("b-0", 3)]
    (path,) = store.files.walk(TABLE, ".parquet")
    with store.files.open(path) as file:
        assert pq.read_schema(file) == wide.arrow()


def test_looking_only_changes_nothing(store: Store) -> None:
    for sent in (1, 2):
        store.flush(("a-0", sent), number=sent)
    files = store.files.sizes("")
    reports = {report.table: report for report in compact(store.sink, dry_run=True)}
    assert store.files.sizes("") == files
    assert (reports[TABLE].merged, reports[TABLE].repeats, reports[TABLE].written) == (2, 1, 0)


def test_only_the_tables_asked_for_are_compacted(store: Store) -> None:
    for sent in (1, 2):
        store.flush((f"{sent}-0", sent), number=sent)
    assert [report.table for report in compact(store.sink, [TABLE])] == [TABLE]
    assert len(list(store.files.walk("_ledger", ".parquet"))) == 2
    with pytest.raises(ConfigError, match=r"no table contact_history; it has _ledger, account_history"):
        compact(store.sink, ["contact_history"])


def test_an_empty_place_is_compacted(store: Store) -> None:
    assert compact(store.sink) == []


def test_old_files_stay_until_readers_that_listed_them_had_their_time(store: Store) -> None:
    for sent in (1, 2):
        store.flush((f"{sent}-0", sent), number=sent)
    seen: list[tuple[float, int]] = []
    compact(store.sink, grace=7.5, wait=lambda seconds: seen.append((seconds, store.count())))
    assert seen == [(7.5, 3)]
    assert store.count() == 1


class Killed(Exception):
    """The process ended here."""


def cut(events: Events, seed: int) -> Iterator[tuple[Events, int]]:
    """Cut events into flushes, some of them again and cut otherwise, on three days."""
    source = random.Random(seed)
    for at in itertools.chain(range(0, len(events), 3), range(1, len(events), 4)):
        piece = events[at : at + source.randint(1, 4)]
        yield list({event: (event, sent) for event, sent in piece}.values()), source.randint(0, 2)


EVENTS = st.lists(
    st.tuples(st.sampled_from([f"{n}-0" for n in range(9)]), st.integers(1, 5)), min_size=1, max_size=24
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(EVENTS, st.integers(0, 1000), st.lists(st.integers(0, 12), max_size=4))
def test_whenever_it_is_killed_nothing_is_lost_and_the_next_run_ends_it(
    monkeypatch: pytest.MonkeyPatch, events: Events, seed: int, kills: list[int]
) -> None:
    store = Store(monkeypatch)
    for number, (flush, day) in enumerate(cut(events, seed)):
        store.flush(*flush, day=day, number=number)
    truth = store.counting()

    def at_each_step(left: Iterator[int]) -> None:
        assert store.counting() == truth
        if next(left, 0) == 1:
            raise Killed

    for steps in kills:
        left = iter(range(steps, 0, -1))
        store.files.before = lambda left=left: at_each_step(left)  # type: ignore[misc]
        with suppress(Killed):
            compact(store.sink)
        store.files.before = lambda: None
        assert store.counting() == truth
    compact(store.sink)
    assert store.counting() == truth
    assert len(store.rows()) == len(truth)
    days = {path.split("/")[1] for path in store.files.walk(TABLE, ".parquet")}
    assert store.count() == len(days)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(EVENTS, st.integers(0, 1000))
def test_a_file_goes_only_after_new_ones_of_the_same_run_hold_all_its_events(
    monkeypatch: pytest.MonkeyPatch, events: Events, seed: int
) -> None:
    store = Store(monkeypatch)
    for number, (flush, day) in enumerate(cut(events, seed)):
        store.flush(*flush, day=day, number=number)
    store.files.created.clear()

    def removing(path: str) -> None:
        assert store.files.events(path) <= store.files.events(*store.files.created)

    store.files.removing = removing
    compact(store.sink, [TABLE])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(EVENTS, st.integers(0, 1000))
def test_beside_a_bridge_and_another_compaction_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, events: Events, seed: int
) -> None:
    store = Store(monkeypatch)
    flushes = list(enumerate(cut(events, seed)))
    source = random.Random(seed)

    def write(number: int, flush: Events, day: int) -> None:
        store.flush(*flush, day=day, number=number)

    first, later = flushes[: len(flushes) // 2 + 1], flushes[len(flushes) // 2 :]
    for number, (flush, day) in first:
        write(number, flush, day)
    least: dict[str, int] = {}

    def meanwhile() -> None:
        """Between any two steps: a file more, or a whole other compaction."""
        found = {event: int(str(row["_sequence_number"])) for event, row in store.counting().items()}
        assert least.keys() <= found.keys()
        assert all(found[event] <= sent for event, sent in least.items())
        least.update(found)
        before, store.files.before = store.files.before, lambda: None
        try:
            if later and source.random() < 0.5:
                number, (flush, day) = later.pop()
                write(number, flush, day)
            elif source.random() < 0.3:
                compact(store.sink)
        finally:
            store.files.before = before

    store.files.before = meanwhile
    for _ in range(3):
        with suppress(SinkUnavailable):  # the other has removed a file that was to be read
            compact(store.sink)
    store.files.before = lambda: None
    for number, (flush, day) in later:
        write(number, flush, day)
    compact(store.sink)
    orders: dict[str, int] = {}
    for _, (flush, _) in flushes:
        for event, sent in flush:
            orders[event] = min(sent, orders.get(event, sent))
    assert {event: row["_sequence_number"] for event, row in store.counting().items()} == orders
    assert len(store.rows()) == len(orders)


def test_compactions_at_once_on_a_disk_lose_nothing(tmp_path: Path) -> None:
    sink = ParquetSink(url=str(tmp_path))
    with closing(sink.open()) as writer:
        writer.prepare(SCHEMA)
        for number in range(30):
            events = [f"{number}-0", f"{number + 1}-0"]
            rows = rows_for(SCHEMA, events, sent=number)
            commit(writer, Flush({TABLE: rows}, NO_REJECTS, endings(ending(number))))

    def work(_: int) -> None:
        with suppress(SinkUnavailable):  # another has removed a file that was to be read
            compact(sink)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
    compact(sink)
    reader = ParquetReader(sink.files(), sink.name)
    assert reader.rows()[TABLE] == 31
    assert sum(len(ids) for _, ids in reader.event_ids()) == 31
    assert sum(piece.num_rows for piece in reader.ledger()) == 30


def test_messages_of_an_archive_stay_in_their_order(tmp_path: Path) -> None:
    sink = ArchiveSink(url=str(tmp_path), file_rows=12)
    sizes = [1, 1, 10, 1, 1, 1]
    first = 0
    for at, size in enumerate(sizes):
        put(sink, messages(*range(first, first + size), now=NOW + at))
        first += size
    put(sink, messages(0, 1, now=NOW + 99))
    (report,) = compact(sink)
    assert numbers(sink) == list(range(15))
    assert (report.files, report.repeats) == (7, 0)
    assert sum(pq.read_metadata(path).num_rows for path in tmp_path.rglob("*.parquet")) == 17
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
