"""SIGKILL at every named point and at random moments loses nothing and doubles nothing.

``bench/kills.py`` does the same hundreds of times.
"""

from collections.abc import Iterator

import pytest
from crashing import CrashRig, crash_rig

from cdsbridge.model.failpoints import POINTS


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashRig]:
    """One broker and one set of tables for all kills, so that each comes on top of those before."""
    with crash_rig(tmp_path_factory.mktemp("kills"), seed=11) as running:
        yield running


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_point_leaves_nothing_acknowledged_that_is_not_in_every_sink(
    rig: CrashRig, point: str
) -> None:
    kill = rig.kill_at(point)
    assert kill.locked, "the bridge was idle when it was killed"
    assert kill.missing == 0


@pytest.mark.parametrize("number", range(2))
def test_a_kill_at_any_moment_leaves_nothing_acknowledged_that_is_not_in_every_sink(
    rig: CrashRig, number: int
) -> None:
    kill = rig.kill_at_a_moment()
    assert kill.locked, "the bridge was idle when it was killed"
    assert kill.missing == 0


def test_after_all_kills_every_event_is_in_every_sink_once(rig: CrashRig) -> None:
    rig.drain()
    findings = rig.verify()
    assert findings.faults() == []
    assert findings.redelivered >= len(rig.kills)
    assert findings.sent > findings.events > 0
