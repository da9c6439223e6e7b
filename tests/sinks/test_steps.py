"""The committing step in a Beam graph on the local runner."""

import json
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from pydantic import TypeAdapter, ValidationError

from cdsbridge.model.counters import counters
from cdsbridge.model.verdict import DispositionBatch
from cdsbridge.sinks import AnySink
from cdsbridge.sinks.commit import Limits
from cdsbridge.sinks.steps import CommitTables
from cdsbridge.sinks.testing.history import TABLE
from cdsbridge.sinks.testing.places import Place

from .batches import Post, flattened, text
from .places import ParquetPlace, SqlitePlace

ROW = ("account", {"name": text("A")})
BATCHES = [flattened([Post(10 * i + j, f"e{i}{j}", [ROW]) for j in range(4)]) for i in range(5)]


def numbers(batch: DispositionBatch) -> list[int]:
    return [end.sequence_number for end in batch.dispositions]


@pytest.mark.parametrize("limit", [1, 8, 20_000])
def test_every_batch_comes_out_once_it_is_durable(tmp_path: Path, limit: int) -> None:
    places: list[Place] = [ParquetPlace(tmp_path), SqlitePlace(tmp_path)]
    counters.reset()
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        ended = (
            pipeline
            | beam.Create(BATCHES, reshuffle=False)
            | CommitTables([place.sink for place in places], limits=Limits(messages=limit))
        )
        assert_that(ended | beam.Map(numbers), equal_to([[10 * i + j for j in range(4)] for i in range(5)]))
    for place in places:
        assert len(place.rows(TABLE)) == len(place.rows("_ledger")) == 20
    assert counters.read()["committed"] == 20
    assert counters.read()["flushes"] >= min(5, 20 // limit)


def test_the_step_says_what_it_gives() -> None:
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        ended = (
            pipeline | beam.Create([], reshuffle=False) | CommitTables([ParquetPlace(Path("unused")).sink])
        )
        assert ended.element_type is DispositionBatch


def test_configured_sinks_do_not_load_beam() -> None:
    program = "import sys, cdsbridge.sinks; print('apache_beam' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_a_sink_is_told_by_its_kind() -> None:
    adapter: TypeAdapter[AnySink] = TypeAdapter(AnySink)
    assert adapter.validate_python({"kind": "parquet", "url": "out"}).kind == "parquet"
    assert adapter.validate_python({"kind": "sql", "url": "sqlite:///x.db"}).kind == "sql"
    with pytest.raises(ValidationError, match="parquet"):
        adapter.validate_python({"kind": "iceberg", "url": "out"})
    with pytest.raises(ValidationError, match="Extra inputs"):
        adapter.validate_python({"kind": "parquet", "url": "out", "pat": 1})
    assert "discriminator" in json.dumps(adapter.json_schema())
