"""Every sink keeps the contract."""

from pathlib import Path

import pytest

from cdsbridge.sinks.testing import SinkContract, StateContract
from cdsbridge.sinks.testing.places import Place

from .places import PLACES


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return PLACES[request.param](tmp_path)


class TestEverySink(SinkContract):
    """The contract, once for each sink."""


class TestEveryState(StateContract):
    """The contract of states, once for each sink that keeps them."""

    @pytest.fixture
    def place(self, place: Place) -> Place:
        if not place.sink.state:
            pytest.skip("this sink keeps no state: plain files are never rewritten")
        return place
