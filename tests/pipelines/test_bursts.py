"""A bridge killed again and again burns no delivery of what has failed often, and its sum holds after all."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from crashing import QUEUE, write_config

from cdsbridge.emulator.dataverse import Organization, traffic
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import run_in_thread
from cdsbridge.pipelines.audit import audit_bridge
from cdsbridge.pipelines.post import post_all

ALL = 1000


def fail(namespace: Namespace) -> list[int]:
    """Let everything in the queue be received and its locks lapse, five times; return the delivery counts."""
    queue = namespace.queue(QUEUE)
    for _ in range(5):
        queue.lapse([got.token for got in queue.receive(ALL, lock=True) if got.token])
    return [message.delivery_count for message in queue.peek(1, ALL)]


def test_kills_while_it_flattens_and_commits_burn_no_delivery_and_the_audit_holds(tmp_path: Path) -> None:
    namespace = Namespace()
    namespace.create_queue(QUEUE, QueueSettings(lock_duration=2.0))
    with run_in_thread(namespace) as bus:
        config = write_config(tmp_path, bus.connection_string, settings=["source.max_deliveries=10"])
        organization = Organization(seed=5, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
        sent = post_all(config.source, QUEUE, traffic(organization, 60, poison=0.05, duplicates=0))
        assert bus.call(fail) == [5] * sent
        command = [sys.executable, "-m", "cdsbridge.pipelines.cli", "run", str(tmp_path / "bridge.yaml")]
        command += ["--quiet", "--drain", "--set", "source.max_deliveries=10"]
        for point in ("flattened", "all_written", "committed"):
            environment = {**os.environ, "CDSBRIDGE_FAILPOINT": f"{point}:kill"}
            killed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert killed.returncode == -signal.SIGKILL, killed.stderr
            left = bus.call(lambda on: [m.delivery_count for m in on.queue(QUEUE).peek(1, ALL)])
            assert left == [5] * sent
        assert bus.call(lambda on: on.queue(QUEUE).depth()["locked"]) == 0
        drained = subprocess.run(command, capture_output=True, text=True, check=False)
        assert drained.returncode == 0, drained.stderr
        assert bus.call(lambda on: on.queue(QUEUE).size) == 0
        dead = bus.call(lambda on: on.queue(f"{QUEUE}/$DeadLetterQueue").peek(1, ALL))
    report = audit_bridge(config)
    assert report.holds, report.lines()
    assert report.received == sent
    assert report.rejected == len(dead) > 0
    assert "MaxDeliveryCountExceeded" not in {message.dead_letter["DeadLetterReason"] for message in dead}
