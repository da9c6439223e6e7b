"""A pipeline of your own: rows lose a column you may not keep, before anything is written.

    SERVICEBUS_CONNECTION_STRING=... python examples/own_pipeline.py orders data

reads the queue ``orders`` until it is empty, and leaves Parquet files and an
SQLite database in the folder ``data``.  What you put between FlattenContexts
and CommitTables sees one micro-batch at a time; a message is settled only
after every sink has what is left of it.
"""

import dataclasses
import os
import sys

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from pydantic import SecretStr

from cdsbridge.model.batch import FlattenedBatch, TableBatch
from cdsbridge.sinks import ParquetSink, SqlSink
from cdsbridge.sinks.steps import CommitTables
from cdsbridge.sources import Ending, ReadFromServiceBus, ServiceBusSource, SettleMessages
from cdsbridge.transforms.steps import FlattenContexts

PRIVATE = ["emailaddress1", "telephone1"]


def without_private(flat: FlattenedBatch) -> FlattenedBatch:
    """Drop the columns from every table of a micro-batch."""
    return dataclasses.replace(flat, tables=tuple(map(_dropped, flat.tables)))


def _dropped(table: TableBatch) -> TableBatch:
    there = [name for name in PRIVATE if name in table.records.schema.names]
    return dataclasses.replace(table, records=table.records.drop_columns(there))


def main(connection_string: str, queue: str, folder: str) -> None:
    """Drain a queue into a folder."""
    source = ServiceBusSource(connection_string=SecretStr(connection_string), entities=(queue,))
    files = ParquetSink(url=f"{folder}/parquet")
    database = SqlSink(url=SecretStr(f"sqlite:///{folder}/bridge.db"))
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        (
            pipeline
            | ReadFromServiceBus(source, ending=Ending.at_mark())
            | FlattenContexts()
            | beam.Map(without_private).with_output_types(FlattenedBatch)
            | CommitTables([files, database])
            | SettleMessages(source)
        )


if __name__ == "__main__":
    main(os.environ["SERVICEBUS_CONNECTION_STRING"], *sys.argv[1:])
