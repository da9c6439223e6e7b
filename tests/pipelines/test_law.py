"""The law of the house, as properties of the real graph over TCP.

Every message ends in exactly one disposition and is settled after it; any
order and any number of deliveries of the same events give the same rows.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import UUID

import apache_beam as beam
import pytest
from crashing import write_config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from verifying import (
    Rows,
    Sent,
    enqueued_at,
    parquet_folder,
    parquet_rows,
    read_parquet,
    read_sqlite,
    reference,
    sqlite_rows,
)

from cdsbridge.emulator.dataverse import Organization, Poison, Post, traffic
from cdsbridge.emulator.entities.message import StoredMessage
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.model.counters import counters
from cdsbridge.model.verdict import DispositionBatch
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.exit import Exit
from cdsbridge.pipelines.local import local_pipeline
from cdsbridge.pipelines.post import post_all
from cdsbridge.pipelines.supervise import run_bridge
from cdsbridge.sinks.steps import CommitTables
from cdsbridge.sources import BundleLimits, Ending, ReadFromServiceBus, SettleMessages
from cdsbridge.sources.intake import Reading, reading_from
from cdsbridge.sources.journal import read_journal
from cdsbridge.tables.columns import DELIVERY
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.transforms.steps import FlattenContexts

POOL = list(
    traffic(
        Organization(seed=3, start=datetime(2026, 3, 2, 8, tzinfo=UTC)),
        40,
        duplicates=0,
        reorder=0,
        poison=0.5,
    )
)
EVENTS = [index for index, post in enumerate(POOL) if post.event is not None][:12]
"""Indexes of some good posts in the pool."""
SKIPPED = "contact"
FEW = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SIZES = st.tuples(st.integers(1, 20), st.integers(1, 20))
"""Messages of a micro-batch, and of a commit."""
_numbers = count()


class Bus:
    """A broker, and the messages of the pool as the SDK encodes them, for any number of queues."""

    def __init__(self, broker: RunningBroker, folder: Path) -> None:
        self.broker = broker
        config = self.bridge(folder, (1, 1))
        post_all(config.source, config.source.entities[0], POOL)
        self._contents = [message.content for message in self.peek(config.source.entities[0])]

    def bridge(self, folder: Path, sizes: tuple[int, int], *more: str) -> BridgeConfig:
        """Make a queue, and an empty bridge that reads it."""
        name = f"queue-{next(_numbers)}"
        self.broker.call(lambda entities: entities.create_queue(name, QueueSettings(max_delivery_count=1000)))
        laid = [
            f"source.batch={sizes[0]}",
            f"commit.messages={sizes[1]}",
            "commit.seconds=0.2",
            "source.wait=0.1",
        ]
        return write_config(folder / name, self.broker.connection_string, name, [*laid, *more])

    def post(self, config: BridgeConfig, chosen: Sequence[int]) -> Sent:
        """Put messages of the pool into the queue of a bridge."""
        queue = config.source.entities[0]
        contents = [self._contents[index] for index in chosen]
        self.broker.call(lambda entities: entities.queue(queue).send(contents))
        return Sent(queue, tuple(POOL[index] for index in chosen))

    def peek(self, entity: str) -> list[StoredMessage]:
        return self.broker.call(lambda entities: entities.queue(entity).peek(1, 10_000))


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with run_in_thread(Namespace()) as running:
        yield Bus(running, tmp_path_factory.mktemp("pool"))


def without_delivery(rows: Rows) -> Rows:
    return {
        key: {name: cell for name, cell in row.items() if name not in DELIVERY} for key, row in rows.items()
    }


def test_the_pool_has_every_kind_of_message() -> None:
    assert {each.poison for each in POOL if each.poison} == set(Poison)
    assert {SKIPPED, "account"} < {each.event.table for each in POOL if each.event}
    assert {"create", "update"} <= {each.event.operation for index in EVENTS if (each := POOL[index]).event}


def expected(each: Post) -> str:
    if each.event is None:
        return "rejected"
    return "skipped" if each.event.table == SKIPPED else "committed"


@FEW
@given(chosen=st.lists(st.sampled_from(range(len(POOL))), min_size=1, max_size=60), sizes=SIZES)
def test_every_message_ends_in_exactly_one_disposition(
    bus: Bus, tmp_path: Path, chosen: list[int], sizes: tuple[int, int]
) -> None:
    config = bus.bridge(tmp_path, sizes, f"flatten.tables.exclude=[{SKIPPED}]")
    sent = bus.post(config, chosen)
    ends = {number: expected(each) for number, each in enumerate(sent.posts, 1)}
    counters.reset()
    result = run_bridge(config, Ending.at_mark())
    assert result.exit is Exit.OK
    columns = ("sequence_number", "disposition")
    in_parquet = list(read_parquet(parquet_folder(config) / "_ledger", columns))
    for ledger in (in_parquet, read_sqlite(config, "_ledger", *columns)):
        assert sorted(tuple(row.values()) for row in ledger) == sorted(ends.items())
    for event in ("received", "settled"):
        keys = read_journal(Path(config.journal or ""), event)
        assert Counter(number for _, number, _ in keys) == Counter(ends.keys())
    rejected = [number for number, end in ends.items() if end == "rejected"]
    assert [dead.sequence_number for dead in bus.peek(f"{sent.queue}/$DeadLetterQueue")] == rejected
    assert bus.peek(sent.queue) == []
    assert {end: result.counts[end] for end in set(ends.values())} == Counter(ends.values())


@FEW
@given(
    order=st.lists(st.sampled_from(EVENTS), max_size=25).flatmap(
        lambda again: st.permutations([*EVENTS, *again])
    ),
    sizes=SIZES,
)
def test_any_order_and_number_of_posts_gives_the_same_history(
    bus: Bus, tmp_path: Path, order: list[int], sizes: tuple[int, int]
) -> None:
    config = bus.bridge(tmp_path, sizes)
    sent = bus.post(config, order)
    assert run_bridge(config, Ending.at_mark()).exit is Exit.OK
    once = without_delivery(reference(config, Sent(sent.queue, tuple(POOL[index] for index in EVENTS)), {}))
    first = sorted(order.index(index) + 1 for index in EVENTS)
    for rows in (parquet_rows(config), sqlite_rows(config)):
        assert without_delivery(rows) == once
        assert sorted(row["_sequence_number"] for row in rows.values()) == first


class LapseLocks(beam.DoFn):
    """Lets messages go back to the queue when they are committed and not yet settled.

    What is left to lapse stands in the class, since Beam pickles its steps.
    """

    broker: RunningBroker
    left: Counter[int]

    def process(self, element: DispositionBatch) -> Iterator[DispositionBatch]:
        lapsing = [item for item in element.dispositions if self.left[item.sequence_number] > 0]
        self.left.subtract(item.sequence_number for item in lapsing)
        tokens = [UUID(bytes=item.lock_token or b"") for item in lapsing]
        self.broker.call(lambda entities: entities.queue(element.entity).abandon(tokens))
        yield element


@FEW
@given(
    lapses=st.lists(st.integers(0, 2), min_size=len(EVENTS), max_size=len(EVENTS)).filter(any),
    sizes=SIZES,
)
def test_redeliveries_of_what_was_committed_change_nothing(
    bus: Bus, tmp_path: Path, lapses: list[int], sizes: tuple[int, int]
) -> None:
    config = bus.bridge(tmp_path, sizes)
    sent = bus.post(config, EVENTS)
    LapseLocks.broker, LapseLocks.left = bus.broker, Counter(dict(enumerate(lapses, 1)))
    drain_with_lapses(config)
    truth = reference(config, sent, enqueued_at(config))
    assert parquet_rows(config) == sqlite_rows(config) == truth
    assert len(read_sqlite(config, "_ledger")) == len(EVENTS)
    deliveries = Counter(number for _, number, _ in read_journal(Path(config.journal or ""), "received"))
    assert deliveries == {number: 1 + lapsed for number, lapsed in enumerate(lapses, 1)}
    assert bus.peek(sent.queue) == []


def drain_with_lapses(config: BridgeConfig) -> None:
    """Run the bridge's graph with :class:`LapseLocks` before the settling."""
    limits = BundleLimits(seconds=0.2, messages=config.commit.messages, lull=0.2)
    ending = Ending.at_mark()
    assert config.metadata is not None
    with reading_from(Reading(config.source, ending, config.journal)):
        pipeline = local_pipeline()
        (
            pipeline
            | ReadFromServiceBus(config.source, ending=ending, bundle=limits, journal=config.journal)
            | FlattenContexts(types=load_metadata(config.metadata).types)
            | CommitTables(config.sinks)
            | beam.ParDo(LapseLocks()).with_output_types(DispositionBatch)
            | SettleMessages(config.source)
        )
        pipeline.run().wait_until_finish()
