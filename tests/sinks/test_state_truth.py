"""A simulated day, shuffled, doubled and cut at random, ends as the truth in every sink."""

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdsbridge.emulator.dataverse import Encoding, Organization, metadata, traffic
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.pipelines.truth import compare
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.testing import Place
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.tables.types import ColumnTypes
from cdsbridge.transforms.flattener import Flattener

from ..posted import received
from .places import PLACES
from .sql_places import SQL_PLACES

ALL: dict[str, Callable[[Path], Place]] = {**PLACES, **SQL_PLACES}
EVENTS = 60


@cache
def types() -> ColumnTypes:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(metadata(), file)
        file.flush()
        return load_metadata(Path(file.name)).types


def day(seed: int) -> tuple[Organization, list[Envelope]]:
    organization = Organization(seed=seed, start=datetime(2026, 3, 2, 8, tzinfo=UTC), existing=3)
    posts = traffic(organization, EVENTS, rare=0.2, encodings=tuple(Encoding))
    return organization, received(posts)


def cut(envelopes: list[Envelope], rng: random.Random) -> Iterator[list[Envelope]]:
    while envelopes:
        size = rng.choice([1, 7, 40, 200])
        yield envelopes[:size]
        envelopes = envelopes[size:]


@pytest.mark.parametrize("name", sorted(name for name in ALL if name != "parquet"))
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), chance=st.integers(0, 10_000))
def test_the_state_is_the_truth_however_messages_come(name: str, seed: int, chance: int) -> None:
    organization, envelopes = day(seed)
    rng = random.Random(chance)
    posted = [*envelopes, *rng.sample(envelopes, len(envelopes) // 3)]
    rng.shuffle(posted)
    flattener = Flattener(types())
    with tempfile.TemporaryDirectory() as folder:
        sink = ALL[name](Path(folder)).sink
        with closing(Committer([sink])) as committer:
            for batch in cut(posted, rng):
                committer.add(flattener.flatten(MicroBatch("q", tuple(batch))))
                committer.flush()
        found = compare(organization, sink, types())
    assert found.differences == []
    assert found.rows
