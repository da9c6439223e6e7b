"""Where tables go: Parquet files and SQL databases; stage, then commit."""

from typing import Annotated

from pydantic import Field

from .parquet import ParquetSink
from .sql import SqlSink

AnySink = Annotated[ParquetSink | SqlSink, Field(discriminator="kind")]
"""Any sink a configuration can name, told apart by ``kind``."""

__all__ = ["AnySink", "ParquetSink", "SqlSink"]
