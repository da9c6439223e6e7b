"""The short form of ``bench/faults.py``: a fault strikes a bridge under load, and nothing is lost."""

import faults
import pytest


@pytest.mark.parametrize("name", ["drop before settling", "detach", "lose locks", "silence"])
def test_a_bridge_under_load_survives_a_fault(name: str) -> None:
    outcome = faults.endure(name, seed=7)
    assert outcome.findings.faults() == []
