"""Where tables go: Delta lakes, Parquet files and SQL databases, and the raw archive; stage, then commit.

What is named here is imported when it is first used, so that who writes Parquet
does not wait for the libraries of databases and Delta lakes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .archive.sink import ArchiveSink
    from .choice import AnySink
    from .delta.sink import DeltaSink
    from .parquet.sink import ParquetSink
    from .sql.sink import SqlSink

_MODULES: Final = {
    "AnySink": "choice",
    "ArchiveSink": "archive.sink",
    "DeltaSink": "delta.sink",
    "ParquetSink": "parquet.sink",
    "SqlSink": "sql.sink",
}

__all__ = ["AnySink", "ArchiveSink", "DeltaSink", "ParquetSink", "SqlSink"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
