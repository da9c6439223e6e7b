"""A listener with pandas: dict rows, a DataFrame and a Parquet file for so many messages and each table."""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd
from job import Row, arguments, lines, row_of


def main() -> None:
    messages, folder, kinds = arguments()
    together = int(sys.argv[4])
    rows: dict[str, list[Row]] = defaultdict(list)
    part = 0
    for number, line in enumerate(lines(messages)):
        found = row_of(number, json.loads(line), kinds)
        if found is not None:
            rows[found[0]].append(found[1])
        if (number + 1) % together == 0:
            part += 1
            write(rows, folder, part)
    write(rows, folder, part + 1)


def write(rows: dict[str, list[Row]], folder: Path, part: int) -> None:
    for table, some in rows.items():
        if some:
            pd.DataFrame(some).to_parquet(f"{folder}/{table}-{part:05d}.parquet", compression="zstd")
            some.clear()


if __name__ == "__main__":
    main()
