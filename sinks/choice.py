"""The sinks a configuration can choose from."""

from typing import Annotated

from pydantic import Field

from .archive.sink import ArchiveSink
from .delta.sink import DeltaSink
from .parquet.sink import ParquetSink
from .sql.sink import SqlSink

AnySink = Annotated[ArchiveSink | DeltaSink | ParquetSink | SqlSink, Field(discriminator="kind")]
"""Any sink a configuration can name, told apart by ``kind``."""
