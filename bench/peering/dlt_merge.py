"""dlt's merge of rows by their event id: prints rows a second of a load into a table that is there."""

import sys
import time

import dlt
import pyarrow.parquet as pq


def main() -> None:
    kind, url, parquet, folder = sys.argv[1:]
    rows = pq.read_table(parquet)
    if kind == "postgresql":
        destination = dlt.destinations.postgres(url)
    else:
        destination = dlt.destinations.duckdb(url.removeprefix("duckdb:///"))
    pipeline = dlt.pipeline(
        "rows", destination=destination, dataset_name="loaded", pipelines_dir=f"{folder}/dlt"
    )

    def load(some: object) -> None:
        pipeline.run(
            some,
            table_name="account_history",
            write_disposition={"disposition": "merge", "strategy": "upsert"},
            primary_key="_event_id",
        )

    load(rows.slice(0, 1))
    begun = time.perf_counter()
    load(rows)
    print(rows.num_rows / (time.perf_counter() - begun))


if __name__ == "__main__":
    main()
