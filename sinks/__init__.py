"""Where tables go: Parquet files and SQL databases, and the raw archive; stage, then commit."""

from typing import Annotated

from pydantic import Field

from .archive import ArchiveSink
from .parquet import ParquetSink
from .sql import SqlSink

AnySink = Annotated[ArchiveSink | ParquetSink | SqlSink, Field(discriminator="kind")]
"""Any sink a configuration can name, told apart by ``kind``."""

__all__ = ["AnySink", "ArchiveSink", "ParquetSink", "SqlSink"]
