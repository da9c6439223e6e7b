"""A pipeline that breaks is started again, and loses nothing."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cdsbridge.emulator.dataverse import Organization, traffic
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.counters import counters
from cdsbridge.model.envelope import MicroBatch
from cdsbridge.pipelines import supervise
from cdsbridge.pipelines.audit import audit_bridge
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.exit import Exit
from cdsbridge.pipelines.load import load_config
from cdsbridge.pipelines.post import post_all
from cdsbridge.pipelines.supervise import run_bridge
from cdsbridge.sources import Ending
from cdsbridge.transforms.flattener import Flattener

MESSAGES = 60


@pytest.fixture
def bus() -> Iterator[RunningBroker]:
    namespace = Namespace()
    namespace.create_queue("q", QueueSettings(lock_duration=300))
    with run_in_thread(namespace) as running:
        yield running


@pytest.fixture
def config(bus: RunningBroker, tmp_path: Path) -> BridgeConfig:
    path = tmp_path / "bridge.yaml"
    path.write_text(
        f"source: {{connection_string: '{bus.connection_string}', entities: [q]}}\n"
        f"sinks: [{{kind: parquet, url: {tmp_path}/parquet}}]\n"
        f"state: {tmp_path}/state\n"
    )
    loaded = load_config(path)
    organization = Organization(seed=3, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
    post_all(loaded.source, "q", traffic(organization, MESSAGES, duplicates=0, poison=0))
    counters.reset()
    return loaded


def breaking(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let flattening break so many times."""
    flatten: Callable[[Flattener, MicroBatch], FlattenedBatch] = Flattener.flatten
    left = [times]

    def flatten_or_break(self: Flattener, batch: MicroBatch) -> Any:
        if batch.entity == "q" and left[0]:
            left[0] -= 1
            raise KeyError("broken for a test")
        return flatten(self, batch)

    monkeypatch.setattr(Flattener, "flatten", flatten_or_break)
    monkeypatch.setattr(supervise, "_FIRST_PAUSE", 0.01)


def test_a_broken_pipeline_is_started_again_and_loses_nothing(
    bus: RunningBroker, config: BridgeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(2, monkeypatch)
    result = run_bridge(config, Ending.at_mark())
    assert (result.exit, result.counts["restarts"], result.counts["committed"]) == (Exit.OK, 2, MESSAGES)
    assert audit_bridge(config).holds
    assert bus.call(lambda namespace: namespace.queue("q").depth())["active"] == 0


def test_a_run_with_an_end_gives_up_on_a_pipeline_that_breaks_each_time(
    bus: RunningBroker, config: BridgeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(1000, monkeypatch)
    monkeypatch.setattr(supervise, "_TRIES", 2)
    result = run_bridge(config, Ending.at_mark())
    assert result.exit == Exit.UNEXPECTED
    assert "broken for a test" in result.error
    left = bus.call(lambda namespace: namespace.queue("q").peek(1, 1000))
    assert [message.delivery_count for message in left] == [0] * MESSAGES
