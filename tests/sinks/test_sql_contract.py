"""Every SQL database keeps the contract, by its fast way and by the portable one."""

from pathlib import Path

import pytest

from cdsbridge.sinks.testing import Place, SinkContract, StateContract

from .places import PLACES
from .sql_places import SQL_PLACES


@pytest.fixture(params=sorted(SQL_PLACES.keys() - PLACES.keys()))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return SQL_PLACES[request.param](tmp_path)


class TestEverySqlDatabase(SinkContract):
    """The contract, once for each database and way."""


class TestEverySqlState(StateContract):
    """The contract of states, once for each database and way."""
