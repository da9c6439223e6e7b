"""The short form of ``bench/faults.py``: a fault strikes a bridge under load, and nothing is lost."""

import faults
import pytest

KINDS = ("drop before settling", "detach", "lose locks", "silence", "broker killed")
"""Those that differ in what the bridge has to do; the others are tried among the slow tests."""
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in faults.FAULTS if name not in KINDS]


@pytest.mark.parametrize("name", [*KINDS, *OTHERS])
def test_a_bridge_under_load_survives_a_fault(name: str) -> None:
    outcome = faults.endure(name, seed=7)
    assert outcome.findings.faults() == []
