from collections.abc import Callable

import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.settings import QueueSettings


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1000.0)


@pytest.fixture
def make(clock: ManualClock) -> Callable[..., Queue]:
    def make(**settings: float | bool | None) -> Queue:
        return Namespace(clock).create_queue("q", QueueSettings(**settings))  # type: ignore[arg-type]

    return make
