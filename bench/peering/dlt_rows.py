"""dlt: the user's own rows, a table by name, to Parquet files on disk."""

import json
import os
from collections.abc import Iterator
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
os.environ["NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS"] = "100000"

import dlt
from dlt.destinations import filesystem
from job import arguments, lines, rows_of


def main() -> None:
    messages, folder, kinds = arguments()

    def rows() -> Iterator[Any]:
        for number, line in enumerate(lines(messages)):
            for table, row in rows_of(number, json.loads(line), kinds):
                yield dlt.mark.with_table_name(row, table)

    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=str(folder / "_work"),
        destination=filesystem(bucket_url=str(folder / "out")),
        dataset_name="peer",
    )
    pipeline.run(dlt.resource(rows, max_table_nesting=0), loader_file_format="parquet")


if __name__ == "__main__":
    main()
