"""Memory of the whole bridge over many bundles: it must be flat.

Runs the real graph on the local runner, one message a bundle, into SQLite, and
prints resident memory over bundles with the slope of the line through it.

    python bench/memory.py                        10,000 bundles
    python bench/memory.py --without-patch        as Beam's runner is by itself
"""

import argparse
import os
import tempfile
import threading
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from cdsbridge.emulator.dataverse import Organization, traffic
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import run_in_thread
from cdsbridge.model.counters import counters
from cdsbridge.pipelines import supervise
from cdsbridge.pipelines.load import load_config
from cdsbridge.pipelines.post import post_all
from cdsbridge.sources import Ending

SKIPPED = 0.3
"""Share of the bundles at the start that the slope leaves out: caches fill there."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bundles", type=int, default=10_000)
    parser.add_argument("--without-patch", action="store_true")
    arguments = parser.parse_args()
    if arguments.without_patch:
        setattr(supervise, "flat_memory", nullcontext)  # noqa: B010 - for the comparison only
    samples = run(arguments.bundles)
    for bundles, resident in samples[:: max(1, len(samples) // 20)]:
        print(f"{bundles:8,} bundles {resident / 1e6:8.1f} MB")
    late = [sample for sample in samples if sample[0] >= SKIPPED * arguments.bundles]
    slope = slope_of(late)
    a_day = slope * 86_400 / 1e6
    print(f"slope {slope:,.0f} bytes a bundle; {a_day:,.1f} MB a day at a bundle a second")


def run(bundles: int) -> list[tuple[int, float]]:
    """Drain so many messages, one a bundle; return (bundles, resident bytes) now and then."""
    organization = Organization(seed=5, start=datetime(2026, 3, 2, 8, tzinfo=UTC), remember=False)
    namespace = Namespace()
    namespace.create_queue("q", QueueSettings(lock_duration=300))
    with tempfile.TemporaryDirectory() as folder, run_in_thread(namespace) as bus:
        path = Path(folder) / "bridge.yaml"
        path.write_text(
            f"source: {{connection_string: '{bus.connection_string}', entities: [q]}}\n"
            f"sinks: [{{kind: sql, url: 'sqlite:///{folder}/bridge.db'}}]\n"
        )
        config = load_config(path, ["source.batch=1", "source.max_in_flight=2", "commit.messages=1"])
        post_all(config.source, "q", traffic(organization, bundles, duplicates=0, poison=0))
        samples: list[tuple[int, float]] = []
        done = threading.Event()
        sampler = threading.Thread(target=sample, args=(samples, done))
        sampler.start()
        result = supervise.run_bridge(config, Ending.at_mark())
        done.set()
        sampler.join()
        assert result.exit == 0, result
        return samples


def sample(samples: list[tuple[int, float]], done: threading.Event) -> None:
    while not done.wait(0.5):
        samples.append((counters.read()["flushes"], resident()))


def resident() -> float:
    """Return the resident memory of this process, bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


def slope_of(samples: list[tuple[int, float]]) -> float:
    """Return the least-squares slope, bytes a bundle."""
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / max(spread, 1e-9)


if __name__ == "__main__":
    main()
