"""Where tables go: Parquet files and SQL databases; stage, then commit."""
