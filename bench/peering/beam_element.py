"""Apache Beam, one element a message: a ParDo with an output for each table, WriteToParquet behind each."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.parquetio import WriteToParquet
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from job import CONTEXT, arguments, row_of

TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "decimal": pa.decimal128(38, 10),
    "money": pa.decimal128(38, 4),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "instant": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "choice": pa.int64(),
    "choices": pa.string(),
    "lookup": pa.string(),
}


class Flatten(beam.DoFn):
    """One message to its row, with exact decimals."""

    def __init__(self, kinds: dict[str, dict[str, str]], names: dict[str, list[str]]) -> None:
        self._kinds = kinds
        self._names = names

    def process(self, numbered: tuple[int, str]) -> Iterator[Any]:
        """Yield the row, for its table."""
        number, line = numbered
        found = row_of(number, json.loads(line, parse_float=Decimal), self._kinds)
        if found is not None:
            table, row = found
            for column, kind in self._kinds[table].items():
                if kind == "double" and isinstance(row.get(column), Decimal):
                    row[column] = float(row[column])
            yield beam.pvalue.TaggedOutput(table, {name: row.get(name) for name in self._names[table]})


def numbered(path: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers."""
    with open(path, encoding="utf-8") as file:
        yield from enumerate(file)


def schema_of(columns: dict[str, str]) -> pa.Schema:
    """Return the columns of a table."""
    fields = [
        ("_sequence_number", pa.int64()),
        ("Id", pa.string()),
        *((name, pa.string()) for name in CONTEXT),
    ]
    fields.append(("_occurred", TYPES["instant"]))
    for column, kind in columns.items():
        fields.append((column, TYPES[kind]))
        if kind in {"choice", "choices", "boolean", "lookup"}:
            fields.append((f"{column}name", pa.string()))
        if kind == "lookup":
            fields.append((f"{column}_entitytype", pa.string()))
    return pa.schema(fields)


def main() -> None:
    messages, folder, kinds = arguments()
    kinds = {
        table: {name: kind for name, kind in columns.items() if kind in TYPES}
        for table, columns in kinds.items()
    }
    schemas = {table: schema_of(columns) for table, columns in kinds.items()}
    names = {table: schema.names for table, schema in schemas.items()}
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        found = (
            pipeline
            | beam.Create([str(messages)])
            | beam.FlatMap(numbered)
            | beam.ParDo(Flatten(kinds, names)).with_outputs(*kinds)
        )
        for table, schema in schemas.items():
            _ = found[table] | f"write {table}" >> WriteToParquet(
                f"{folder}/{table}", schema, file_name_suffix=".parquet", codec="zstd"
            )


if __name__ == "__main__":
    main()
