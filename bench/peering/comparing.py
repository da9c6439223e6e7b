"""Compares a program's Parquet files, cell by cell, with the exact reference.

A program of its own, so that what it holds does not count as memory of a
program that is measured.  Only representation may differ: unit and zone of a
timestamp, a date as midnight, a whole number as a decimal, a list as text.

    python bench/peering/comparing.py messages.ndjson out-pandas schema.json 2000
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from exact import ROWS, Cell, Place, exact_cells

EXAMPLES = 12
"""Cells shown of each kind, at most."""


def main() -> None:
    """Print, as JSON, how many cells were compared, how many differ by kind, and some of them."""
    messages, folder, schema = map(Path, sys.argv[1:4])
    kinds = json.loads(schema.read_text())
    exact = exact_cells(messages, int(sys.argv[4]), kinds)
    theirs = found_in(folder, int(sys.argv[4]), exact)
    counts: Counter[str] = Counter()
    examples: list[str] = []
    for place in sorted({*exact, *theirs}):
        cell, value = exact.get(place, Cell("cell", None)), theirs.get(place)
        if plain(cell.value) != value:
            how = "lost" if value is None else "invented" if cell.value is None else "changed"
            counts[f"{cell.kind} {how}"] += 1
            if counts[f"{cell.kind} {how}"] <= EXAMPLES:
                examples.append(
                    f"{cell.kind} {how}: {'.'.join(map(str, place))}: {cell.value!r} is {value!r}"
                )
    print(json.dumps({"compared": len(exact), "differ": counts.most_common(), "examples": examples}))


def found_in(folder: Path, count: int, exact: Mapping[Place, Cell]) -> dict[Place, Any]:
    """Return the cells of the first messages, of the columns that the reference knows.

    Raises:
        SystemExit: A row stands twice.
    """
    columns: dict[str, dict[str, str]] = {}
    for place in exact:
        columns.setdefault(place.table, {})[bare(place.column)] = place.column
    found: dict[Place, Any] = {}
    seen: set[tuple[str, int]] = set()
    for path in sorted(each for each in folder.rglob("*.parquet") if "_work" not in each.parts):
        table = next((name for name in columns if is_of(path, folder, name)), None)
        if table is None:
            continue
        names = {name: columns[table].get(bare(name)) for name in pq.read_schema(path).names}
        key = next(name for name in names if bare(name) == "sequencenumber")
        wanted = {name: column for name, column in names.items() if column}
        for batch in pq.ParquetFile(path).iter_batches(columns=[key, *wanted]):
            for row in batch.to_pylist():
                cells = {Place(table, row[key], column): plain(row[name]) for name, column in wanted.items()}
                if row[key] >= count or cells[Place(table, row[key], "_message")] not in ROWS:
                    continue
                if (table, row[key]) in seen:
                    raise SystemExit(f"{folder.name}: message {row[key]} has two rows in {table}")
                seen.add((table, row[key]))
                found |= {place: value for place, value in cells.items() if value is not None}
    return found


def bare(name: str) -> str:
    """Return a column's name as far as loaders keep it."""
    return name.replace("_", "").lower()


def is_of(path: Path, folder: Path, table: str) -> bool:
    """Tell whether a file is of a table: by its name, or by that of a folder it lies in."""
    return any(
        part == table or part.startswith((f"{table}-", f"{table}.", f"{table}_history"))
        for part in path.relative_to(folder).parts
    )


def plain(value: Any) -> Any:
    """Return a value without what is representation only."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    if isinstance(value, float):
        return None if value != value else Decimal(repr(value))
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, list):
        return ";".join(str(each) for each in value)
    return value


if __name__ == "__main__":
    main()
