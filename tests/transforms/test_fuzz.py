"""Some thousand spoilt messages of every kind, the same ones every time; ``bench/fuzz.py`` makes millions."""

import fuzz
import pytest
from fuzz import CHUNK, Failure, Prover, Tally

from cdsbridge.model.verdict import Outcome, Reason, Verdict


@pytest.fixture(scope="module")
def prover() -> Prover:
    return Prover(seed=1, slowest=float("inf"))


@pytest.mark.timeout(120)
def test_no_spoilt_message_stops_hangs_or_harms_anything(prover: Prover) -> None:
    totals = Tally()
    for start in range(0, 3_000, CHUNK):
        for tally in prover.prove(range(start, start + CHUNK)).values():
            totals.add(tally)
    assert [(failure.name, failure.what) for failure in totals.failures] == []
    assert totals.inputs == 3_000
    for end in ("committed", "bad-value", "not-a-context", "undecodable", "unknown-encoding", "too-large"):
        assert totals.ends[end] > 0, end
    assert totals.ends["committed"] > 500


def test_an_input_is_made_of_its_number_and_the_seed(prover: Prover) -> None:
    other, another = Prover(seed=1), Prover(seed=2)
    assert [prover.make(number) for number in range(50)] == [other.make(number) for number in range(50)]
    assert [prover.make(number) for number in range(50)] != [another.make(number) for number in range(50)]


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict.rejected(Reason.UNDECODABLE, "the message could not be flattened (X); please report it"),
        Verdict.rejected(Reason.UNDECODABLE, "x" * 600),
        Verdict.rejected(Reason.UNDECODABLE, "\x1b[31m"),
        Verdict(Outcome.REJECTED, "", 0, Reason.BAD_VALUE, "a sentence", "a\nplace"),
        Verdict(Outcome.REJECTED, "", 0, Reason.BAD_VALUE, ""),
    ],
)
def test_what_no_verdict_may_be_is_found(verdict: Verdict) -> None:
    assert list(fuzz.wrong_in(verdict))


def test_a_neighbour_that_suffers_is_found(prover: Prover, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prover, "_good_rows", [[["another row"]] * len(prover._good)] * 2)
    failures: list[Failure] = [each for tally in prover.prove(range(2)).values() for each in tally.failures]
    assert [failure.what for failure in failures] == [
        "rows of sound neighbours are not as they are without it"
    ]


def test_rows_that_are_others_in_a_batch_are_found(prover: Prover, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "assemble", lambda _rows: ())
    failures: list[Failure] = [each for tally in prover.prove(range(2)).values() for each in tally.failures]
    assert {failure.what.partition(" of the chunk")[2] for failure in failures} == {
        " has other rows in a batch than alone"
    }
