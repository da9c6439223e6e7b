"""Every sink keeps the contract."""

from pathlib import Path

import pytest

from .contract import SinkContract
from .places import PLACES, Place


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return PLACES[request.param](tmp_path)


class TestEverySink(SinkContract):
    """The contract, once for each sink."""
