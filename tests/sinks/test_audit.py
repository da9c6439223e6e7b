"""The audit finds every kind of fault, and none where there is none."""

import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest

from cdsbridge.model.verdict import Outcome, Reason, Verdict
from cdsbridge.sinks.audit import AuditReport, Received, audit
from cdsbridge.sinks.commit import Committer

from .batches import Post, flattened, text
from .places import ParquetPlace, SqlitePlace

ROW = ("account", {"name": text("A")})
POSTS = [
    Post(1, "a", [ROW]),
    Post(2, "b", [ROW, ROW, ("contact", {"name": text("B")})]),
    Post(3, "b", [ROW, ROW, ("contact", {"name": text("B")})]),
    Post(4, "", verdict=Verdict(Outcome.SKIPPED)),
    Post(5, "", verdict=Verdict.rejected(Reason.NO_KEY, "The context has no key")),
]


class Ground:
    def __init__(self, folder: Path) -> None:
        self.lake = ParquetPlace(folder)
        self.base = SqlitePlace(folder)
        committer = Committer([self.lake.sink, self.base.sink])
        committer.add(flattened(POSTS))
        committer.flush()
        committer.close()

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.base.path)) as connection, connection:
            connection.execute(statement)

    def audit(self, received: Iterable[Received] | None) -> AuditReport:
        with closing(self.lake.sink.read()) as lake, closing(self.base.sink.read()) as base:
            return audit(received, {"lake": lake, "base": base})


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def received() -> list[Received]:
    return [post.key for post in POSTS]


def test_the_sum_holds_where_all_is_well(ground: Ground) -> None:
    report = ground.audit([*received(), *received()])
    assert report.holds
    assert (report.received, report.committed, report.skipped, report.rejected) == (5, 3, 1, 1)
    for sink in report.sinks.values():
        assert dict(sink.rows) == {"account_history": 3, "contact_history": 1, "_quarantine": 1}
    assert report.lines()[0] == "received 5; 3 committed + 1 skipped + 1 rejected = 5"
    assert report.lines()[-1] == "The sum holds"


def test_without_a_list_of_the_received_the_sinks_are_still_compared(ground: Ground) -> None:
    report = ground.audit(None)
    assert report.received is None
    assert report.holds
    ground.sql("DELETE FROM contact_history")
    assert not ground.audit(None).holds


def test_a_message_in_no_ledger_is_in_flight(ground: Ground) -> None:
    report = ground.audit([*received(), ("orders", 99, 1)])
    assert (report.received, report.in_flight, report.holds) == (6, 1, False)
    assert any("still in flight" in line for line in report.lines())


def test_a_message_nobody_received_is_found(ground: Ground) -> None:
    report = ground.audit(received()[1:])
    assert (report.unreceived, report.holds) == (1, False)


def test_a_lost_row_is_found(ground: Ground) -> None:
    ground.sql("DELETE FROM account_history WHERE _event_id = 'b-1'")
    report = ground.audit(received())
    assert report.sinks["base"].missing == 1
    assert report.sinks["lake"].missing == 0
    assert not report.holds
    assert "base: 1 events in its ledger are in no history" in report.lines()


def test_a_lost_file_is_found(ground: Ground) -> None:
    shutil.rmtree(ground.lake.root / "account_history")
    report = ground.audit(received())
    assert report.sinks["lake"].missing == 3
    assert not report.holds


def test_a_row_no_message_became_is_found(ground: Ground) -> None:
    ground.sql("UPDATE account_history SET _event_id = 'z-0' WHERE _event_id = 'a-0'")
    report = ground.audit(received())
    assert (report.missing, report.unexplained, report.holds) == (1, 1, False)


def test_a_lost_quarantine_row_is_found(ground: Ground) -> None:
    ground.sql("DELETE FROM _quarantine")
    report = ground.audit(received())
    assert (report.quarantine_missing, report.holds) == (1, False)


def test_a_lost_ledger_row_is_found_though_another_sink_has_it(ground: Ground) -> None:
    ground.sql("DELETE FROM _ledger WHERE sequence_number = 4")
    report = ground.audit(received())
    assert (report.in_flight, report.differences, report.holds) == (0, 1, False)


def test_an_ending_that_differs_between_sinks_is_found(ground: Ground) -> None:
    ground.sql("UPDATE _ledger SET disposition = 'skipped' WHERE sequence_number = 5")
    assert ground.audit(received()).differences == 1


@pytest.mark.parametrize("nothing", [list, lambda: None])
def test_an_empty_bridge_holds(tmp_path: Path, nothing: Callable[[], list[Received] | None]) -> None:
    with closing(SqlitePlace(tmp_path).sink.read()) as reader:
        report = audit(nothing(), {"base": reader})
    assert report.holds
    assert report.committed == 0
