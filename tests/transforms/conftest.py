"""The shared conformance set, beside the checkout, and a watch on bulk reading."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import cdsbridge

CONFORMANCE = Path(cdsbridge.__file__).parent.parent / "shared" / "conformance"


@pytest.fixture(scope="session")
def conformance() -> Path:
    if not CONFORMANCE.is_dir():
        pytest.skip(f"CONFORMANCE SET MISSING: {CONFORMANCE}; its messages were not checked")
    return CONFORMANCE


@pytest.fixture(autouse=True)
def no_fault_in_bulk(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A fault of ours in bulk reading costs no message, so only the log would tell."""
    yield
    faults = [each for each in caplog.get_records("call") if each.levelno >= logging.ERROR]
    if "faults_expected" not in request.fixturenames:
        assert not faults, faults[0].exc_text


@pytest.fixture
def faults_expected() -> None:
    """The test brings a fault about on purpose."""
