"""dlt: the user's own rows, a table by name, to Parquet files on disk."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
os.environ["NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS"] = "100000"
os.environ["DATA_WRITER__COMPRESSION"] = "zstd"

import dlt
from dlt.destinations import filesystem
from job import Row, arguments, lines, row_of

PAGE = 1_000
"""Messages whose rows are handed over together: rows handed over one by one are slower."""


def main() -> None:
    messages, folder, kinds = arguments()

    def rows() -> Iterator[Any]:
        numbered = enumerate(lines(messages))
        while page := list(islice(numbered, PAGE)):
            tables: dict[str, list[Row]] = defaultdict(list)
            for number, line in page:
                found = row_of(number, json.loads(line), kinds)
                if found is not None:
                    tables[found[0]].append(found[1])
            for table, some in tables.items():
                yield dlt.mark.with_table_name(some, table)

    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=str(folder / "_work"),
        destination=filesystem(bucket_url=str(folder / "out")),
        dataset_name="peer",
    )
    pipeline.run(dlt.resource(rows, max_table_nesting=0), loader_file_format="parquet")


if __name__ == "__main__":
    main()
