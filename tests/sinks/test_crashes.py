"""A committer killed at every named point leaves a sink that holds what was sent, once.

``bench/crashes.py`` does the same for every sink and many seeds.
"""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "bench" / "crashes.py"


@pytest.mark.parametrize("sink", ["parquet", "sqlite", "delta"])
def test_a_sink_survives_a_kill_at_every_point(sink: str) -> None:
    """In a process of its own, which forks: this one has used libraries that do not take that well."""
    command = [
        sys.executable,
        str(PROGRAM),
        "--seeds",
        "1",
        "--first",
        "11",
        "--events",
        "120",
        "--sinks",
        sink,
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
