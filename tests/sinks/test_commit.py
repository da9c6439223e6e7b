"""The rule of committing, through real sinks."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.counters import counters
from cdsbridge.model.errors import ConfigError
from cdsbridge.model.verdict import DispositionBatch, Outcome, Reason, Verdict
from cdsbridge.sinks.commit import Committer, Limits
from cdsbridge.sinks.testing.history import TABLE, opened, reading, schema_with
from cdsbridge.sinks.testing.places import Place
from cdsbridge.tables.columns import SYSTEM

from .batches import NOW, STRICT, Post, flattened, number, text
from .places import ParquetPlace, SqlitePlace

SKIPPED = Verdict(Outcome.SKIPPED)


@pytest.fixture
def places(tmp_path: Path) -> list[Place]:
    return [ParquetPlace(tmp_path), SqlitePlace(tmp_path)]


@pytest.fixture
def committer(places: list[Place]) -> Iterator[Committer]:
    made = Committer([place.sink for place in places], clock=lambda: NOW, contracts=STRICT)
    yield made
    made.close()


def flush(committer: Committer, *batches: FlattenedBatch) -> list[DispositionBatch]:
    for batch in batches:
        committer.add(batch)
    return committer.flush()


def outcomes(batches: list[DispositionBatch]) -> list[list[str]]:
    return [[str(end.verdict.outcome) for end in batch.dispositions] for batch in batches]


def account(number: int, event: str, **columns: pa.Scalar) -> Post:
    return Post(number, event, [("account", columns)])


def test_nothing_gathered_is_nothing_to_flush(committer: Committer) -> None:
    assert committer.flush() == []


def test_every_sink_holds_the_rows_before_dispositions_are_given(
    committer: Committer, places: list[Place]
) -> None:
    given = flush(committer, flattened([account(1, "a", name=text("A")), account(2, "b", name=text("B"))]))
    assert outcomes(given) == [["committed", "committed"]]
    for place in places:
        assert [(r["_event_id"], r["name"]) for r in place.rows(TABLE)] == [("a-0", "A"), ("b-0", "B")]
        assert [r["disposition"] for r in place.rows("_ledger")] == ["committed", "committed"]


def test_dispositions_keep_batches_order_and_lock_tokens(committer: Committer) -> None:
    batches = [flattened([account(2, "b"), account(1, "a")]), flattened([account(3, "c")])]
    given = flush(committer, *batches)
    assert [[end.sequence_number for end in batch.dispositions] for batch in given] == [[2, 1], [3]]
    assert given[0].dispositions[0].lock_token == (2).to_bytes(16, "big")
    assert given[0].dispositions[0].enqueued_at == NOW + 2


def test_a_flush_starts_the_next_one_empty(committer: Committer, places: list[Place]) -> None:
    flush(committer, flattened([account(1, "a")]))
    assert committer.flush() == []
    assert len(places[0].rows("_ledger")) == 1


def test_rows_carry_the_instant_of_the_commit(committer: Committer, places: list[Place]) -> None:
    flush(committer, flattened([account(1, "a")]))
    for place in places:
        (row,) = place.rows(TABLE)
        assert row["SinkCreatedOn"] == row["SinkModifiedOn"] == "2026-09-21 14:13:20.000000"


def test_a_skipped_message_is_in_the_ledger_and_nowhere_else(
    committer: Committer, places: list[Place]
) -> None:
    given = flush(committer, flattened([Post(1, "", verdict=SKIPPED)]))
    assert outcomes(given) == [["skipped"]]
    for place in places:
        assert [r["disposition"] for r in place.rows("_ledger")] == ["skipped"]
        assert place.rows("_quarantine") == []


def test_a_rejected_message_goes_to_quarantine_whole(committer: Committer, places: list[Place]) -> None:
    verdict = Verdict.rejected(Reason.UNDECODABLE, "The body ends too early: send it again", "17")
    post = Post(1, "", verdict=verdict, body=b"{\0\xff", properties={"a": "x", "b": b"\1", "c": 2})
    given = flush(committer, flattened([post, account(2, "b")]))
    assert outcomes(given) == [["rejected", "committed"]]
    for place in places:
        (row,) = place.rows("_quarantine")
        assert row["body"] == b"{\0\xff"
        assert (row["reason"], row["place"]) == ("undecodable", "17")
        assert row["sentence"] == "The body ends too early: send it again"
        assert row["properties"] == '{"a": "x", "b": {"base64": "AQ=="}, "c": 2}'
        assert [r["reason"] for r in place.rows("_ledger")] == ["undecodable", ""]


def test_half_a_surrogate_pair_in_a_sentence_does_not_hold_up_the_others(
    committer: Committer, places: list[Place]
) -> None:
    verdict = Verdict.rejected(Reason.BAD_VALUE, "Column \ud800 is odd", "\ud800")
    flush(committer, flattened([Post(1, "", verdict=verdict), account(2, "b")]))
    assert places[0].rows("_quarantine")[0]["sentence"] == "Column ? is odd"


def test_a_value_of_another_type_rejects_its_message_and_no_other(
    committer: Committer, places: list[Place]
) -> None:
    flush(committer, flattened([account(1, "a", size=number(1))]))
    both_tables = Post(2, "b", [("account", {"size": text("big")}), ("contact", {"name": text("B")})])
    others = [account(3, "c", size=number(3)), account(4, "d")]
    given = flush(committer, flattened([both_tables, *others]))
    verdicts = [end.verdict for end in given[0].dispositions]
    assert [v.outcome for v in verdicts] == ["rejected", "committed", "committed"]
    assert verdicts[0].reason == Reason.TYPE_CONFLICT
    assert "account_history holds column size as int64" in verdicts[0].sentence
    assert "carries it as string" in verdicts[0].sentence
    for place in places:
        assert [r["_event_id"] for r in place.rows(TABLE)] == ["a-0", "c-0", "d-0"]
        assert place.rows("contact_history") == []
        assert [r["reason"] for r in place.rows("_quarantine")] == ["type-conflict"]


def test_a_type_conflict_inside_one_flush_is_won_by_the_first(committer: Committer) -> None:
    posts = [account(1, "a", size=text("big")), account(2, "b", size=number(2)), account(3, "c")]
    assert outcomes(flush(committer, flattened(posts))) == [["committed", "rejected", "committed"]]


def test_a_type_conflict_is_laid_to_its_own_batch(committer: Committer, places: list[Place]) -> None:
    first = [account(1, "a", size=number(1)), account(2, "b", size=number(2))]
    second = [account(3, "c", size=text("big")), account(4, "d")]
    given = flush(committer, flattened(first), flattened(second))
    assert outcomes(given) == [["committed", "committed"], ["rejected", "committed"]]
    assert [row["sequence_number"] for row in places[0].rows("_quarantine")] == [3]


def test_what_a_rejected_message_brought_decides_no_type(committer: Committer, places: list[Place]) -> None:
    flush(committer, flattened([account(1, "a", size=number(1))]))
    bad = account(2, "b", size=text("big"), colour=number(7))
    assert outcomes(flush(committer, flattened([bad]))) == [["rejected"]]
    good = account(3, "c", colour=text("red"))
    assert outcomes(flush(committer, flattened([good]))) == [["committed"]]
    assert places[1].rows(TABLE)[1]["colour"] == "red"


def test_a_column_of_nothing_but_nulls_is_not_created(committer: Committer, places: list[Place]) -> None:
    batch = flattened([account(1, "a", name=text("A"))])
    (table,) = batch.tables
    nulls = table.records.append_column("nothing", pa.nulls(1, pa.string()))
    flush(
        committer,
        FlattenedBatch(batch.batch, (type(table)("account", nulls, table.positions),), batch.verdicts),
    )
    for place in places:
        assert set(place.rows(TABLE)[0]) == {*SYSTEM, "name"}


def test_a_column_in_the_wrong_case_of_a_system_column_is_refused(committer: Committer) -> None:
    given = flush(committer, flattened([account(1, "a", id=text("x")), account(2, "b")]))
    assert outcomes(given) == [["rejected", "committed"]]
    assert given[0].dispositions[0].verdict.reason == Reason.BAD_VALUE


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 129, "Upper"])
def test_a_table_or_column_no_sink_can_name_is_refused(committer: Committer, name: str) -> None:
    in_a_table = Post(1, "a", [(name, {"name": text("A")})])
    posts = [in_a_table, account(2, "b", **{name: text("B")}), account(3, "c")][name == "" :]
    verdicts = [end.verdict for end in flush(committer, flattened(posts))[0].dispositions]
    assert {v.outcome for v in verdicts[:-1]} == {Outcome.REJECTED}
    assert verdicts[-1].outcome == Outcome.COMMITTED


def test_a_table_does_not_outgrow_what_databases_hold(committer: Committer, places: list[Place]) -> None:
    wide = account(1, "a", **{f"c{i:04d}": number(i) for i in range(1_450)})
    assert outcomes(flush(committer, flattened([wide]))) == [["committed"]]
    wider = account(2, "b", **{f"d{i:04d}": number(i) for i in range(100)})
    known = account(3, "c", c0007=number(7))
    assert outcomes(flush(committer, flattened([wider, known]))) == [["committed", "committed"]]
    for place in places:
        row = next(row for row in place.rows(TABLE) if row["_event_id"] == "b-0")
        kept = json.loads(str(row["_extra"]))
        assert {**kept, **{n: row[n] for n in row if n[0] == "d" and row[n] is not None}} == {
            f"d{i:04d}": i for i in range(100)
        }
        assert kept["d0099"] == 99
        assert len(row) <= 1_500


def test_of_two_posts_of_an_event_in_one_flush_the_lower_order_is_kept(
    committer: Committer, places: list[Place]
) -> None:
    posts = [account(sent, "a", name=text("A")) for sent in (9, 4, 6)]
    assert outcomes(flush(committer, flattened(posts))) == [["committed"] * 3]
    for place in places:
        assert [(r["_event_id"], r["_sequence_number"]) for r in place.rows(TABLE)] == [("a-0", 4)]
        assert len(place.rows("_ledger")) == 3


def test_one_message_delivered_twice_in_a_flush_has_one_ledger_row_and_two_dispositions(
    committer: Committer, places: list[Place]
) -> None:
    given = flush(committer, flattened([account(1, "a")]), flattened([account(1, "a")]))
    assert outcomes(given) == [["committed"], ["committed"]]
    for place in places:
        assert len(place.rows("_ledger")) == 1
        with reading(place) as reader:
            assert pa.concat_tables(reader.ledger()).num_rows == 1


def test_a_flush_of_rejected_messages_makes_no_table(committer: Committer, places: list[Place]) -> None:
    flush(committer, flattened([Post(2, "b", [("contact", {"A": text("x")})])]))
    with opened(places[1]) as writer:
        assert writer.describe("contact_history") is None


def test_the_columns_of_a_table_are_remembered_over_a_restart(places: list[Place]) -> None:
    sinks = [place.sink for place in places]
    first, second = (Committer(sinks, contracts=STRICT) for _ in range(2))
    flush(first, flattened([account(1, "a", size=number(1), born=pa.scalar(date(2020, 1, 2)))]))
    first.close()
    assert outcomes(flush(second, flattened([account(2, "b", size=text("big"))]))) == [["rejected"]]
    second.close()


def test_a_sink_that_lacks_a_column_gets_it_with_the_type_of_the_other(places: list[Place]) -> None:
    with opened(places[0]) as writer:
        writer.prepare(schema_with(size=pa.decimal128(38, 4)))
    committer = Committer([place.sink for place in places], contracts=STRICT)
    assert outcomes(flush(committer, flattened([account(1, "a", size=text("big"))]))) == [["rejected"]]
    assert outcomes(flush(committer, flattened([account(2, "b")]))) == [["committed"]]
    committer.close()
    with opened(places[1]) as writer:
        found = writer.describe(TABLE)
    assert found is not None
    assert found.columns["size"] == pa.decimal128(38, 4)


def test_sinks_that_disagree_about_a_type_are_a_fault_of_configuration(places: list[Place]) -> None:
    for place, kind in zip(places, (pa.string(), pa.int64()), strict=True):
        with opened(place) as writer:
            writer.prepare(schema_with(size=kind))
    committer = Committer([place.sink for place in places])
    with pytest.raises(ConfigError, match="disagree about column size of table account_history"):
        flush(committer, flattened([account(1, "a")]))


def test_a_flush_is_due_by_rows_messages_or_bytes(places: list[Place]) -> None:
    batch = flattened([account(1, "a"), account(2, "b")])
    for limits, due in (
        (Limits(), False),
        (Limits(rows=2), True),
        (Limits(rows=3), False),
        (Limits(messages=2), True),
        (Limits(size=10), True),
    ):
        committer = Committer([places[0].sink], limits=limits)
        committer.add(batch)
        assert committer.due is due


def test_what_happened_is_counted(committer: Committer) -> None:
    counters.reset()
    rejected = Verdict.rejected(Reason.NO_KEY, "The context has no key")
    flush(
        committer,
        flattened([account(1, "a"), account(1, "a"), Post(2, "", verdict=SKIPPED)]),
        flattened([Post(3, "", verdict=rejected)]),
    )
    found = counters.read()
    names = ("committed", "skipped", "rejected", "rows", "flushes", "sink_retries")
    assert [found[name] for name in names] == [2, 1, 1, 1, 1, 0]


def test_a_bridge_needs_a_sink() -> None:
    with pytest.raises(ConfigError):
        Committer([])
