"""The bridge's steps inside Beam's in-process runner; an element is a micro-batch."""

import sys
from pathlib import Path

import apache_beam as beam
from bridge import LIMITS, batches

from cdsbridge.model.envelope import MicroBatch
from cdsbridge.pipelines.local import local_pipeline
from cdsbridge.sinks.parquet.sink import ParquetSink
from cdsbridge.sinks.steps import CommitTables
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.transforms.steps import FlattenContexts


def main() -> None:
    messages, folder, schema = map(Path, sys.argv[1:4])
    types = load_metadata(schema.with_name("metadata.json")).types
    with local_pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create([messages])
            | beam.FlatMap(batches).with_output_types(MicroBatch)
            | FlattenContexts(types)
            | CommitTables([ParquetSink(url=str(folder))], limits=LIMITS)
        )


if __name__ == "__main__":
    main()
