"""Messages per second of the whole bridge, beside what a user would otherwise write.

Every contender drains the same messages from a queue of its own on one broker,
in a process of its own, in turn, several rounds; the clock runs from the first
message received to the last one settled.  Medians and ratios are printed.

    python bench/throughput.py                       loopback and 20 ms, 20,000 messages, 3 rounds
    python bench/throughput.py --count 5000 --rounds 1 --latency 0
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver

from cdsbridge.emulator.dataverse import Organization, Post, metadata, traffic
from cdsbridge.model.counters import counters
from cdsbridge.pipelines.load import load_config
from cdsbridge.pipelines.post import post_all
from cdsbridge.pipelines.supervise import run_bridge
from cdsbridge.sources import Ending, ServiceBusSource

CONTENDERS = {
    "a": "bare SDK: receive_messages(100), complete_message each",
    "a2": "bare SDK, fastest: receive_messages(1000), one settlement for all",
    "b": "the bridge into Parquet",
    "c": "the bridge into SQLite",
}
Messages = list[ServiceBusReceivedMessage]
SLOW_LOOP = 300
"""Messages of the plain loop where the broker is far away: it would take minutes otherwise."""


def main() -> None:
    arguments = parse()
    if arguments.child:
        print(json.dumps({"seconds": drain(arguments)}))
        return
    posts = business_day(arguments.count)
    for latency in arguments.latency:
        with broker(latency, arguments.rounds) as connection:
            rates = measure(connection, posts, latency, arguments)
        show(rates, latency, len(posts))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--latency", type=float, nargs="*", default=[0.0, 20.0], help="milliseconds of round trip"
    )
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS))
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--connection", help=argparse.SUPPRESS)
    parser.add_argument("--queue", help=argparse.SUPPRESS)
    return parser.parse_args()


def business_day(count: int) -> list[Post]:
    organization = Organization(seed=11, start=datetime(2026, 3, 2, 8, tzinfo=UTC), remember=False)
    return list(traffic(organization, count, poison=0, duplicates=0))[:count]


def names(rounds: int) -> Iterator[str]:
    yield from (f"{name}-{number}" for number in range(rounds) for name in CONTENDERS)


@contextmanager
def broker(latency: float, rounds: int) -> Iterator[str]:
    command = [sys.executable, "-m", "cdsbridge.pipelines.cli", "emulator", "--port", "0"]
    command += ["--latency-ms", str(latency), "--lock-seconds", "300"]
    for queue in names(rounds):
        command += ["--queue", queue]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield next(line.strip() for line in process.stdout or () if line.startswith("Endpoint="))
        finally:
            process.terminate()


def measure(
    connection: str, posts: list[Post], latency: float, arguments: argparse.Namespace
) -> dict[str, list[float]]:
    """Return messages per second of each contender, a figure a round."""
    rates: dict[str, list[float]] = {name: [] for name in arguments.only}
    for number in range(arguments.rounds):
        for name, rounds in rates.items():
            queue = f"{name}-{number}"
            mine = posts[:SLOW_LOOP] if name == "a" and latency else posts
            source = ServiceBusSource.model_validate({"connection_string": connection, "entities": [queue]})
            post_all(source, queue, mine)
            command = [sys.executable, __file__, "--child", name, "--connection", connection]
            command += ["--queue", queue, "--count", str(len(mine))]
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rounds.append(len(mine) / json.loads(ended.stdout.splitlines()[-1])["seconds"])
    return rates


def drain(arguments: argparse.Namespace) -> float:
    """Drain the queue as the contender does; return the seconds it took."""
    if arguments.child in "bc":
        return bridge_seconds(arguments)
    settle = {"a": complete_each, "a2": complete_all}[arguments.child]
    ask = {"a": 100, "a2": 1000}[arguments.child]
    with (
        ServiceBusClient.from_connection_string(arguments.connection) as client,
        client.get_queue_receiver(arguments.queue) as receiver,
    ):
        receiver.peek_messages(1)
        return drain_with(receiver, arguments.count, ask, settle)


def drain_with(
    receiver: ServiceBusReceiver, count: int, ask: int, settle: Callable[[ServiceBusReceiver, Messages], None]
) -> float:
    begun, done = 0.0, 0
    while done < count:
        messages = receiver.receive_messages(ask, max_wait_time=5)
        begun = begun or time.monotonic()
        size = sum(len(b"".join(message.body)) for message in messages)
        assert size or not messages
        settle(receiver, messages)
        done += len(messages)
    return time.monotonic() - begun


def complete_each(receiver: ServiceBusReceiver, messages: Messages) -> None:
    for message in messages:
        receiver.complete_message(message)


def complete_all(receiver: ServiceBusReceiver, messages: Messages) -> None:
    if messages:
        receiver._settle_message_via_mgmt_link(
            "completed", [message.lock_token for message in messages if message.lock_token]
        )


def bridge_seconds(arguments: argparse.Namespace) -> float:
    sink = {"b": "{kind: parquet, url: %s/parquet}", "c": "{kind: sql, url: 'sqlite:///%s/bridge.db'}"}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "metadata.json").write_text(json.dumps(metadata()))
        path = Path(folder) / "bridge.yaml"
        path.write_text(
            f"source: {{connection_string: '{arguments.connection}', entities: [{arguments.queue}]}}\n"
            f"metadata: {folder}/metadata.json\nstate: {folder}/state\n"
            f"sinks: [{sink[arguments.child] % folder}]\n"
        )
        config = load_config(path)
        clock = Clock(arguments.count)
        result = run_bridge(config, Ending.at_mark())
        assert result.exit == 0, result
        assert result.counts["committed"] == arguments.count, result
        return clock.seconds()


class Clock:
    """Notes when the first message was received and when the last was settled."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._begun = self._ended = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        tick = threading.Event()
        while not self._ended:
            counts = counters.read()
            if not self._begun and counts["received"]:
                self._begun = time.monotonic()
            if counts["settled"] >= self._count:
                self._ended = time.monotonic()
            tick.wait(0.005)

    def seconds(self) -> float:
        """Return the seconds between the two."""
        self._thread.join(10)
        return self._ended - self._begun


def show(rates: dict[str, list[float]], latency: float, count: int) -> None:
    medians = {name: statistics.median(rounds) for name, rounds in rates.items()}
    where = f"{latency:g} ms of round trip" if latency else "bare loopback"
    print(f"\n{where}, {count:,} messages, median of {len(next(iter(rates.values())))} rounds")
    print(f"{'':4} {'messages/s':>10} {'min':>8} {'max':>8} {'/ a':>7} {'/ a2':>6}")
    for name, rounds in rates.items():
        ratios = [f"{medians[name] / medians[base]:7.2f}" if base in medians else "" for base in ("a", "a2")]
        figures = f"{medians[name]:10,.0f} {min(rounds):8,.0f} {max(rounds):8,.0f}"
        print(f"{name:4} {figures} {ratios[0]:>7} {ratios[1]:>6}  {CONTENDERS[name]}")


if __name__ == "__main__":
    main()
