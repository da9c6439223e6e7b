"""The raw archive: what was received is what is read, in the order of its commit."""

import os
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cdsbridge.model.envelope import Envelope
from cdsbridge.model.errors import ConfigError
from cdsbridge.model.properties import properties_of, properties_text
from cdsbridge.model.verdict import Outcome, Reason, Verdict
from cdsbridge.sinks import ArchiveSink
from cdsbridge.sinks.archive.reader import Archived
from cdsbridge.sinks.archive.schema import SCHEMA, archive_rows, envelopes
from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.testing.history import NO_ENDINGS, NO_REJECTS, commit

NOW = 1_790_000_000_000_000
DAY = 86_400_000_000
DONE = Verdict(Outcome.COMMITTED, "e", 1)
TEXT = st.text(st.characters(codec="utf-8"))
INT64 = st.integers(0, 2**63 - 1)
INSTANT = st.integers(0, 253_402_300_799_999_999)
VALUE = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT, st.binary())
ENVELOPE = st.builds(
    Envelope,
    body=st.binary(),
    entity=TEXT,
    sequence_number=INT64,
    enqueued_at=INSTANT,
    received_at=INSTANT,
    message_id=TEXT,
    correlation_id=TEXT,
    content_type=TEXT,
    properties=st.dictionaries(TEXT, VALUE),
    delivery_count=INT64,
    lock_token=st.none() | st.binary(min_size=16, max_size=16),
    locked_until=INSTANT,
)


def message(number: int, **values: Any) -> Envelope:
    given = {"body": b"{}", "enqueued_at": NOW + number, "message_id": f"m{number}", **values}
    return Envelope(entity="orders", sequence_number=number, **given)


def unlocked(envelope: Envelope) -> Envelope:
    return replace(envelope, lock_token=None, locked_until=0)


def flush(*numbers: int, now: int = NOW, **values: Any) -> Flush:
    ended = [(message(number, **values), DONE) for number in numbers]
    return Flush({}, NO_REJECTS, NO_ENDINGS, messages=archive_rows(ended, now, [0] * len(ended)))


def put(sink: ArchiveSink, *flushes: Flush) -> None:
    with closing(sink.open()) as writer:
        for each in flushes:
            commit(writer, each)


def found(sink: ArchiveSink, since: int | None = None, until: int | None = None) -> list[Archived]:
    with closing(sink.read()) as reader:
        return list(reader.messages(since, until))


def numbers(sink: ArchiveSink, since: int | None = None, until: int | None = None) -> list[int]:
    return [each.sequence_number for group in found(sink, since, until) for each in group.batch.envelopes]


@pytest.fixture
def sink(tmp_path: Path) -> ArchiveSink:
    return ArchiveSink(url=str(tmp_path))


def kinds(properties: Any) -> dict[str, type]:
    return {key: type(value) for key, value in properties.items()}


@given(st.lists(ENVELOPE))
def test_messages_come_back_as_they_came_but_for_their_locks(sent: list[Envelope]) -> None:
    rows = archive_rows([(envelope, DONE) for envelope in sent], NOW, [0] * len(sent))
    assert rows.schema == SCHEMA
    back = envelopes(rows)
    assert back == [unlocked(envelope) for envelope in sent]
    assert [kinds(each.properties) for each in back] == [kinds(each.properties) for each in sent]


@pytest.mark.parametrize(
    "text", ["", "3", "[]", '{"a": {"c": 1}}', '{"a": {"base64": "!"}}', '{"a": {"float": "x"}}']
)
def test_properties_nobody_wrote_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        properties_of(text)


def test_a_property_that_is_no_number_stays_so() -> None:
    value = properties_of(properties_text({"a": float("nan")}))["a"]
    assert isinstance(value, float)
    assert value != value


def test_what_is_committed_is_read_with_how_it_ended(sink: ArchiveSink) -> None:
    ends = [DONE, Verdict(Outcome.SKIPPED), Verdict.rejected(Reason.UNDECODABLE, "No JSON")]
    sent = [message(n, properties={"n": n}, lock_token=b"0" * 16, received_at=NOW) for n in range(3)]
    put(
        sink,
        Flush(
            {},
            NO_REJECTS,
            NO_ENDINGS,
            messages=archive_rows(list(zip(sent, ends, strict=True)), NOW, [0] * 3),
        ),
    )
    (group,) = found(sink)
    assert list(group.batch.envelopes) == [unlocked(envelope) for envelope in sent]
    assert group.dispositions == ("committed", "skipped", "rejected")
    assert (group.batch.entity, group.committed_at) == ("orders", NOW)
    rows = pq.read_table(next(Path(sink.url).rglob("*.parquet")))
    assert rows.column("reason").to_pylist() == ["", "", "undecodable"]


def test_a_flush_again_is_the_same_file(sink: ArchiveSink) -> None:
    put(sink, flush(1, 2), flush(1, 2), flush(2, 1))
    assert [path.relative_to(sink.url).parent for path in Path(sink.url).rglob("*.parquet")] == [
        Path("_archive/ingest_date=2026-09-21")
    ]
    assert numbers(sink) == [1, 2]


def test_a_message_that_came_again_is_read_once(sink: ArchiveSink) -> None:
    put(sink, flush(1, 2), flush(2, 3, now=NOW + DAY, delivery_count=1))
    assert numbers(sink) == [1, 2, 3]
    assert [each.delivery_count for group in found(sink) for each in group.batch.envelopes] == [0, 0, 1]


def test_a_number_used_again_is_another_message(sink: ArchiveSink) -> None:
    put(sink, flush(1), flush(1, now=NOW + 1, enqueued_at=NOW + 77))
    assert numbers(sink) == [1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_messages_are_read_in_the_order_of_their_commits(sink: ArchiveSink, seed: int) -> None:
    instants = [NOW + n * (DAY // 4) + n for n in range(12)]
    flushes = [flush(2 * n, 2 * n + 1, now=instant) for n, instant in enumerate(instants)]
    random.Random(seed).shuffle(flushes)
    put(sink, *flushes)
    assert numbers(sink) == list(range(24))
    assert [group.committed_at for group in found(sink)] == instants


def test_messages_that_were_read_together_are_given_together(sink: ArchiveSink) -> None:
    sent = [message(n) for n in range(7)]
    sent[5] = replace(sent[5], entity="bills")
    rows = archive_rows([(envelope, DONE) for envelope in sent], NOW, [0, 0, 0, 1, 1, 2, 3])
    put(sink, Flush({}, NO_REJECTS, NO_ENDINGS, messages=rows))
    groups = [
        (group.batch.entity, [each.sequence_number for each in group.batch.envelopes])
        for group in found(sink)
    ]
    assert groups == [("orders", [0, 1, 2]), ("orders", [3, 4]), ("bills", [5]), ("orders", [6])]


def test_a_flush_too_large_for_a_file_is_read_in_its_order(tmp_path: Path) -> None:
    sink = ArchiveSink(url=str(tmp_path), file_bytes=64 * 1024)
    sent = [message(n, body=os.urandom(9_000)) for n in range(40)]
    put(
        sink,
        Flush({}, NO_REJECTS, NO_ENDINGS, messages=archive_rows([(e, DONE) for e in sent], NOW, [0] * 40)),
    )
    assert len(list(tmp_path.rglob("*.parquet"))) > 4
    (group,) = found(sink)
    assert list(group.batch.envelopes) == sent


def test_only_what_was_committed_in_a_time_is_read(sink: ArchiveSink) -> None:
    put(sink, *(flush(n, now=NOW + n * DAY // 2) for n in range(8)))
    assert numbers(sink, since=NOW + 3 * DAY // 2) == [3, 4, 5, 6, 7]
    assert numbers(sink, until=NOW + 3 * DAY // 2) == [0, 1, 2]
    assert numbers(sink, NOW + DAY // 2 + 1, NOW + 3 * DAY // 2 + 1) == [2, 3]


def test_a_file_of_something_else_is_told(sink: ArchiveSink) -> None:
    folder = Path(sink.url) / "_archive" / "ingest_date=2026-09-21"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), folder / "x.parquet")
    with pytest.raises(ConfigError, match=r"x\.parquet is no file of an archive"):
        found(sink)


def test_an_archive_has_no_tables(sink: ArchiveSink) -> None:
    put(sink, flush(1))
    with closing(sink.open()) as writer:
        assert writer.describe("account_history") is None
    with closing(sink.read()) as reader:
        assert list(reader.ledger()) == list(reader.event_ids()) == list(reader.truncated()) == []
        assert dict(reader.rows()) == {}
        assert len(reader.held("account_history", pa.array(["a-0"]))) == 0
        assert reader.state("account").num_rows == 0
        assert list(reader.history("account_history")) == []
