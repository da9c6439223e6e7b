"""Flattening in a pipeline."""

import pickle

import apache_beam as beam
from apache_beam.testing.util import assert_that

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.tables.types import ColumnTypes, Kind
from cdsbridge.transforms.flattener import Flattener
from cdsbridge.transforms.rules import FlattenRules, Limits
from cdsbridge.transforms.steps import FlattenContexts

from .bodies import agree, batch, update

TYPES = ColumnTypes({"account": {"a": Kind.INTEGER}})


def test_the_step_flattens_every_batch_and_keeps_it_whole() -> None:
    batches = [batch(update({"a": 1}), b"poison"), batch(update({"a": 2}))]

    def check(found: list[FlattenedBatch]) -> None:
        assert len(found) == 2
        for flat in found:
            agree(flat, Flattener(TYPES).flatten(flat.batch))
            assert flat.batch in batches

    with beam.Pipeline("FnApiRunner") as pipeline:
        flat = pipeline | beam.Create(batches) | FlattenContexts(TYPES, FlattenRules())
        assert_that(flat, check)


def test_what_the_step_is_made_of_crosses_processes() -> None:
    rules = FlattenRules(limits=Limits(depth=3))
    assert pickle.loads(pickle.dumps((TYPES, rules))) == (TYPES, rules)
    flat = Flattener(TYPES).flatten(batch(update({"a": 1})))
    agree(pickle.loads(pickle.dumps(flat)), flat)
