"""A listener with pandas: dict rows, a DataFrame and a Parquet file for each 1,000 messages and table."""

import json
from collections import defaultdict

import pandas as pd
from job import Row, arguments, lines, rows_of


def main() -> None:
    messages, folder, kinds = arguments()
    rows: dict[str, list[Row]] = defaultdict(list)
    part = 0
    for number, line in enumerate(lines(messages)):
        for table, row in rows_of(number, json.loads(line), kinds):
            rows[table].append(row)
        if number % 1_000 == 999:
            part += 1
            write(rows, folder, part)
    write(rows, folder, part + 1)


def write(rows: dict[str, list[Row]], folder: object, part: int) -> None:
    for table, some in rows.items():
        if some:
            pd.DataFrame(some).to_parquet(f"{folder}/{table}-{part:05d}.parquet", compression="zstd")
            some.clear()


if __name__ == "__main__":
    main()
