"""The list of rows that wait to be hydrated, and the audit of those that were."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdsbridge.model.counters import counters
from cdsbridge.model.verdict import Outcome, Reason, Verdict
from cdsbridge.sinks import ledger, quarantine
from cdsbridge.sinks.audit import AuditReport, audit
from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.testing.history import TABLE, rows_for, schema_with
from cdsbridge.sinks.testing.places import Place
from cdsbridge.sinks.waiting import waiting
from cdsbridge.tables.columns import FLATTENED, SYSTEM
from cdsbridge.tables.hydration import TruncatedRow, hydration_id
from cdsbridge.tables.schema import TableSchema

from .batches import NOW, STRICT, Post, Rows, flattened, number, text
from .places import ParquetPlace, SqlitePlace

WHOLE: Rows = [("account", {"name": text("A")})]
CUT = {"_truncated": pa.scalar(True), "_occurred_at": pa.scalar(NOW, FLATTENED["_occurred_at"])}


def cut(event: str, sequence_number: int) -> Post:
    return Post(sequence_number, event, [("account", CUT)])


def answer(event: str, sequence_number: int, rows: Rows = WHOLE) -> Post:
    return Post(sequence_number, hydration_id(f"{event}-0").removesuffix("-0"), rows)


def write(places: Sequence[Place], posts: Sequence[Post], *, accounted: bool = True) -> list[Verdict]:
    committer = Committer([place.sink for place in places], accounted=accounted, contracts=STRICT)
    committer.add(flattened(posts))
    (batch,) = committer.flush()
    committer.close()
    return [disposition.verdict for disposition in batch.dispositions]


def listed(*places: Place) -> list[str]:
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(place.sink.read())) for place in places]
        return [row.event_id for row in waiting(readers)]


def audited(*places: Place) -> AuditReport:
    with ExitStack() as stack:
        return audit(
            None, {place.sink.name: stack.enter_context(closing(place.sink.read())) for place in places}
        )


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    counters.reset()
    yield ParquetPlace(tmp_path), SqlitePlace(tmp_path)
    counters.reset()


def test_a_truncated_row_waits_until_it_is_answered(places: tuple[Place, Place]) -> None:
    write(places, [cut("a", 1), Post(2, "b", [("account", {"name": text("B")})])])
    assert listed(*places) == ["a-0"]
    write(places, [answer("a", 1)], accounted=False)
    assert listed(*places) == []


def test_what_waits_is_told_whole(places: tuple[Place, Place]) -> None:
    write(places, [cut("a", 7)])
    for place in places:
        with closing(place.sink.read()) as reader:
            (row,) = waiting([reader])
        assert row == TruncatedRow(
            *("account", "key-a", "a-0", "create", NOW),
            *(None, None, None, None, None, None),
            *("orders", 7, "id-7", NOW + 7, NOW),
        )


def test_an_answer_that_one_sink_lacks_is_still_waited_for(places: tuple[Place, Place]) -> None:
    write(places, [cut("a", 1), cut("b", 2)])
    write(places[:1], [answer("a", 1)], accounted=False)
    write(places[1:], [answer("b", 2)], accounted=False)
    assert sorted(listed(*places)) == ["a-0", "b-0"]
    assert audited(*places).differences == 2
    write(places, [answer("a", 1), answer("b", 2)], accounted=False)
    assert listed(*places) == []
    assert audited(*places).holds


def test_the_audit_holds_with_and_without_the_answers(places: tuple[Place, Place]) -> None:
    write(places, [cut("a", 1), cut("b", 2)])
    before = audited(*places)
    write(places, [answer("a", 1)], accounted=False)
    after = audited(*places)
    assert before.holds
    assert after.holds
    assert (after.committed, after.unexplained, after.differences) == (2, 0, 0)
    for sink in after.sinks.values():
        assert (sink.truncated, sink.hydrated, sink.rows["account_history"]) == (2, 1, 3)
    assert any("2 truncated, 1 of them hydrated" in line for line in after.lines())


def test_an_answer_to_nothing_is_unexplained(places: tuple[Place, Place]) -> None:
    write(places, [cut("a", 1)])
    write(places, [answer("z", 1)], accounted=False)
    assert audited(*places).unexplained == 2


def test_rows_that_are_no_messages_stand_in_no_ledger_no_quarantine_and_no_count(
    places: tuple[Place, Place],
) -> None:
    write(places, [cut("a", 1), Post(2, "b", [("account", {"name": text("B")})])])
    before = counters.read()
    verdicts = write(
        places,
        [answer("a", 1), answer("b", 2, [("account", {"name": number(1)})])],
        accounted=False,
    )
    assert [verdict.outcome for verdict in verdicts] == [Outcome.COMMITTED, Outcome.REJECTED]
    assert verdicts[1].reason == Reason.TYPE_CONFLICT
    after = counters.read()
    assert {name: after[name] - before[name] for name in ("committed", "rejected", "rows")} == {
        "committed": 0,
        "rejected": 0,
        "rows": 1,
    }
    for place in places:
        assert len(place.rows("_ledger")) == 2
        assert place.rows("_quarantine") == []
        assert len(place.rows("account_history")) == 3


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.sets(st.sampled_from("abcdefgh")),
    answered=st.lists(st.sets(st.sampled_from("abcdefgh")), min_size=2, max_size=2),
    pieces=st.integers(1, 3),
)
def test_the_list_is_what_any_sink_lacks(
    tmp_path_factory: pytest.TempPathFactory, cuts: set[str], answered: list[set[str]], pieces: int
) -> None:
    folder = tmp_path_factory.mktemp("sinks")
    both: list[Place] = [ParquetPlace(folder), SqlitePlace(folder)]
    for place, answers in zip(both, answered, strict=True):
        events = [
            *(f"{event}-0" for event in sorted(cuts)),
            *(hydration_id(f"{e}-0") for e in sorted(answers)),
        ]
        with closing(place.sink.open()) as writer:
            writer.prepare(schema_with())
            for piece in filter(None, (events[start::pieces] for start in range(pieces))):
                is_cut = [event[1] == "-" for event in piece]
                rows = rows_for(
                    TableSchema(TABLE, dict(SYSTEM)),
                    piece,
                    {"_truncated": is_cut, "_op": ["update"] * len(piece)},
                )
                flush = Flush({TABLE: rows}, quarantine.SCHEMA.empty_table(), ledger.SCHEMA.empty_table())
                writer.commit(writer.stage(flush))
    assert sorted(listed(*both)) == sorted(f"{e}-0" for e in cuts - (answered[0] & answered[1]))
