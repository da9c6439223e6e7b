"""A Web API for every test."""

from collections.abc import Iterator

import pytest

from .server import Dataverse, running


@pytest.fixture
def dataverse() -> Iterator[Dataverse]:
    with running() as found:
        yield found
