"""Fixtures of the embedded Service Bus for pytest; installed with cdsbridge, so nothing needs to be imported.

What the fixtures need is imported when one is used: tests that use none pay nothing.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .entities.clock import ShiftedClock
    from .server import RunningBroker
    from .server.fixture import ServiceBusFixture

_MARKER = "servicebus"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(queues=(), topics=None): entities that the fixture `servicebus` creates for the test: "
        "names, or names with settings; topics with their subscriptions.",
    )


@pytest.fixture(scope="session")
def servicebus_clock() -> "ShiftedClock":
    """The time of the emulator: the real one, until a test lets more of it pass."""
    from .entities.clock import ShiftedClock  # noqa: PLC0415

    return ShiftedClock()


@pytest.fixture(scope="session")
def servicebus_emulator(servicebus_clock: "ShiftedClock") -> "Iterator[RunningBroker]":
    """An embedded Service Bus, in memory, for all tests of the session."""
    from .entities.namespace import Namespace  # noqa: PLC0415
    from .server import run_in_thread  # noqa: PLC0415

    with run_in_thread(lambda: Namespace(servicebus_clock), clock=servicebus_clock) as broker:
        yield broker


@pytest.fixture
def servicebus(
    request: pytest.FixtureRequest, servicebus_emulator: "RunningBroker", servicebus_clock: "ShiftedClock"
) -> "Iterator[ServiceBusFixture]":
    """Entities of this test alone: those its marker declares and those it creates; gone when it ends."""
    from .server.fixture import ServiceBusFixture  # noqa: PLC0415

    fixture = ServiceBusFixture(servicebus_emulator, servicebus_clock)
    try:
        for marker in reversed(list(request.node.iter_markers(_MARKER))):
            fixture.declare(*marker.args, **marker.kwargs)
        yield fixture
    finally:
        fixture.close()
