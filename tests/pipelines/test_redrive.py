"""Dead letters by the thousand, killed three times: each is committed once, and none is left."""

from pathlib import Path

import pytest
from redrive import redrive


@pytest.mark.slow
def test_twenty_thousand_dead_letters_are_redriven_through_three_kills(tmp_path: Path) -> None:
    outcome = redrive(tmp_path, 20_000, 3)
    assert not outcome.faults
    assert [run.ended for run in outcome.runs] == ["killed"] * 3 + ["0"]
