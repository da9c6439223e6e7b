"""Cells of a program's Parquet files against the exact reference: which were changed or lost."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import naive
import pyarrow.parquet as pq
from job import CONTEXT, rows_of

from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.types import ColumnTypes

Key = tuple[str, int, str, str]
Cells = dict[Key, Any]

MERGED = "merged"
"""The source of the bridge's cells: it makes one row of the Target and the images."""

COMPARED = frozenset({"Create", "Update", "Delete"})
"""Messages the job is defined for; the bridge also writes the others."""


def expected(messages: Path, count: int, types: ColumnTypes) -> Cells:
    """Return the bridge's data cells of the first messages, by the naive exact flattener."""
    with messages.open("rb") as file:
        lines = enumerate(islice(file, count))
        envelopes = [Envelope(line.rstrip(b"\n"), "bench", number, 1, 2) for number, line in lines]
    found: Cells = {}
    for table, (records, _) in naive.flatten(MicroBatch("bench", tuple(envelopes)), types).items():
        for row in records.to_pylist():
            if row["_message"] in COMPARED:
                found |= {
                    (table, row["_sequence_number"], MERGED, name): normal(value)
                    for name, value in row.items()
                    if value is not None and name not in SYSTEM
                }
    return found


def expected_of_rows(messages: Path, count: int, kinds: dict[str, dict[str, str]]) -> Cells:
    """Return the cells of the first messages where Target and images are rows, with exact decimals."""
    found: Cells = {}
    with messages.open("rb") as file:
        for number, line in enumerate(islice(file, count)):
            for table, row in rows_of(number, json.loads(line, parse_float=Decimal), kinds):
                found |= {
                    (table, number, row["_source"], name): normal(value)
                    for name, value in row.items()
                    if value is not None
                    and name not in {"_sequence_number", "_source", "_occurred", *CONTEXT, "Id"}
                }
    return found


def found_in(folder: Path, count: int, wanted: Mapping[str, set[str]]) -> Cells:
    """Return the cells of the first messages in the files of a program.

    Args:
        folder: Where its files are; a table is named by file or folder.
        count: How many messages.
        wanted: Table to the columns that are compared.
    """
    found: Cells = {}
    for path in sorted(folder.rglob("*.parquet")):
        table = next(
            (name for name in sorted(wanted, key=len, reverse=True) if is_of(path, folder, name)), None
        )
        if table is None:
            continue
        names = pq.read_schema(path).names
        key = next(name for name in names if name.strip("_") == "sequence_number")
        source = next((name for name in names if name.strip("_") == "source"), None)
        columns = [name for name in names if name in wanted[table]]
        for row in rows(path, [key, *([source] if source else []), *columns]):
            if row[key] < count:
                of = row[source] if source else MERGED
                found |= {
                    (table, row[key], of, name): normal(row[name])
                    for name in columns
                    if row[name] is not None
                }
    return found


def rows(path: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    for batch in pq.ParquetFile(path).iter_batches(columns=columns):
        yield from batch.to_pylist()


def is_of(path: Path, folder: Path, table: str) -> bool:
    """Tell whether a file is of a table."""
    parts = path.relative_to(folder).parts
    return any(
        part == table or part.startswith((f"{table}-", f"{table}.", f"{table}_history")) for part in parts
    )


def normal(value: Any) -> Any:
    """Return a value of which only the representation may differ."""
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, Decimal)):
        return Decimal(value).normalize()
    if isinstance(value, float):
        return None if value != value else Decimal(repr(value)).normalize()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, list):
        return ";".join(str(each) for each in value)
    return value


def changed(exact: Cells, theirs: Cells) -> tuple[Counter[str], list[tuple[Key, Any, Any]]]:
    """Return how many cells differ or are lost, by what they hold, and some of them."""
    counts: Counter[str] = Counter()
    examples: list[tuple[Key, Any, Any]] = []
    for key, value in exact.items():
        other = theirs.get(key)
        if other != value:
            counts["lost" if other is None else type(value).__name__] += 1
            if len(examples) < 20:
                examples.append((key, value, other))
    return counts, examples
