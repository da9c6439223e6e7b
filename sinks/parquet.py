"""Parquet files: one folder a table, files created once and never changed.

Layout, below the sink's URL::

    account_history/ingest_date=2026-11-24/<name>.parquet   the rows
    account_history/_schema/00000001.json                   the columns; the highest number counts
    _quarantine/ingest_date=.../<name>.parquet
    _ledger/ingest_date=.../<name>.parquet                  written after all the rest

A file's name is a hash of what identifies its rows, so the same file written
again is the same file.  Delivery is **at least once**: after a crash the
messages may come cut into other files, and a retry after midnight lands in
the next day's folder, so an event can stand in more than one file.
``_event_id`` tells; of rows with the same one, that with the lowest
``_order`` counts.  Columns are only ever added, and a file has all columns
known when it was written: read the files of a table by column name
(``union_by_name`` in DuckDB, ``pyarrow.unify_schemas``).
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from ..model.errors import SinkUnavailable
from ..tables.schema import TableSchema, evolve
from . import ledger, quarantine
from .arrow_types import type_from_name, type_name
from .base import Flush, SchemaMoved, Staged
from .files import SCHEMES, Files, open_files
from .parquet_reader import ParquetReader

MAX_ROWS: Final = 1_000_000
"""Rows of one file, at most."""

MAX_BYTES: Final = 128 * 1024 * 1024
"""Arrow bytes of one file, at most."""

_SCHEMA_FOLDER: Final = "_schema"
_RACES: Final = 16


class ParquetSink(BaseModel):
    """A folder of Parquet files, on a local disk or in an object store.

    Attributes:
        kind: ``parquet``.
        url: A local path, or ``file:``, ``abfss:``, ``az:``, ``s3:``, ``gs:`` with bucket
            or container and folder.
        options: Settings of the object store, credentials among them, by the
            names obstore gives them (https://developmentseed.org/obstore).
        compression: Codec of the files.
        compression_level: Its level, where it has levels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["parquet"] = "parquet"
    url: str
    options: Mapping[str, SecretStr] = Field(default_factory=dict)
    compression: Literal["zstd", "snappy", "none"] = "zstd"
    compression_level: int = Field(default=1, ge=1, le=22)

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if not url or (parts.scheme and parts.scheme not in SCHEMES):
            raise ValueError(f"not a local path nor a URL of one of {', '.join(SCHEMES)}")
        if parts.scheme and (parts.query or parts.fragment or parts.password):
            raise ValueError("a URL here carries no credentials: put them under options")
        return url

    @property
    def name(self) -> str:
        """The URL."""
        return self.url

    def open(self) -> "ParquetWriter":
        """Return a live writer; see :meth:`cdsbridge.sinks.base.Sink.open`."""
        files = self._files()
        files.greet()
        return ParquetWriter(files, self)

    def read(self) -> ParquetReader:
        """Return a live reader; see :meth:`cdsbridge.sinks.base.Sink.read`."""
        return ParquetReader(self._files())

    def _files(self) -> Files:
        options = {key: value.get_secret_value() for key, value in self.options.items()}
        return open_files(self.url, options, self.name)


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class StagedFiles:
    """Encoded files, in memory.

    Attributes:
        history: Put first, in no particular order.
        quarantine: Put next.
        ledger: Put last.
    """

    history: tuple[_File, ...]
    quarantine: tuple[_File, ...]
    ledger: tuple[_File, ...]


class ParquetWriter:
    """Writes flushes as Parquet files; see :class:`cdsbridge.sinks.base.SinkWriter`."""

    def __init__(self, files: Files, sink: ParquetSink) -> None:
        self._files = files
        self._sink = sink
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="parquet-sink")

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns written down beside the table; lacking that, those in its files."""
        _, schema = self._registered(table)
        return schema or self._in_files(table)

    def prepare(self, schema: TableSchema) -> None:
        """Write down the columns of a table before any file has them.

        Each version of the columns is a file of its own that can be created
        only once, so of two writers one goes first and the other adds to it.
        """
        for _ in range(_RACES):
            version, current = self._registered(schema.table)
            known = current or self._in_files(schema.table) or TableSchema(schema.table)
            step = evolve(known, schema.arrow())
            if step.conflicts:
                raise SchemaMoved(f"{self._sink.name}: table {schema.table} has got other column types")
            if current and not step.added:
                return
            path = f"{_folder(schema.table)}/{_SCHEMA_FOLDER}/{version + 1:08d}.json"
            if self._files.create(path, _to_json(step.schema)):
                return
        raise SinkUnavailable(f"{self._sink.name}: others keep changing the columns of {schema.table}")

    def stage(self, flush: Flush) -> StagedFiles:
        """Encode the files in memory."""
        history = [
            (table, name, "SinkCreatedOn", ("_event_id", "_order")) for name, table in flush.tables.items()
        ]
        rejected = [(flush.quarantine, quarantine.TABLE, "quarantined_at", quarantine.KEY)]
        ended = [(flush.ledger, ledger.TABLE, "committed_at", ledger.KEY)]
        return StagedFiles(self._encode(history), self._encode(rejected), self._encode(ended))

    def commit(self, staged: Staged) -> None:
        """Put the files; one that is there already has the same rows and stays."""
        if not isinstance(staged, StagedFiles):
            raise TypeError("not staged by this writer")
        for files in (staged.history, staged.quarantine, staged.ledger):
            list(self._pool.map(lambda file: self._files.create(file.path, file.data), files))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _registered(self, table: str) -> tuple[int, TableSchema | None]:
        paths = list(self._files.walk(f"{_folder(table)}/{_SCHEMA_FOLDER}", ".json"))
        data = self._files.read(paths[-1]) if paths else None
        if data is None:
            return 0, None
        return int(paths[-1].rpartition("/")[2].removesuffix(".json")), _from_json(table, data)

    def _in_files(self, table: str) -> TableSchema | None:
        schema = TableSchema(table)
        for path in self._files.walk(_folder(table), ".parquet"):
            with self._files.open(path) as file:
                schema = evolve(schema, pq.read_schema(file)).schema
        return schema if schema.columns else None

    def _encode(self, jobs: Sequence[tuple[pa.Table, str, str, Sequence[str]]]) -> tuple[_File, ...]:
        cuts = [(cut, *rest) for rows, *rest in jobs for cut in _cuts(rows)]
        return tuple(self._pool.map(lambda job: self._encoded(*job), cuts))

    def _encoded(self, rows: pa.Table, table: str, stamp: str, key: Sequence[str]) -> _File:
        buffer = pa.BufferOutputStream()
        codec = self._sink.compression
        pq.write_table(
            rows,
            buffer,
            compression=codec,
            compression_level=self._sink.compression_level if codec == "zstd" else None,
            use_dictionary=[field.name for field in rows.schema if pa.types.is_string(field.type)],
            row_group_size=MAX_ROWS,
            store_schema=False,
        )
        path = (
            f"{_folder(table)}/ingest_date={_day(rows.column(stamp))}/{_file_name(rows.select(key))}.parquet"
        )
        return _File(path, buffer.getvalue().to_pybytes())


def _folder(table: str) -> str:
    """Return the folder of a table.

    >>> _folder("account_history"), _folder("a/b")
    ('account_history', 'a%2Fb')
    """
    return quote(table, safe="")


def _cuts(rows: pa.Table) -> Iterator[pa.Table]:
    if not rows.num_rows:
        return
    most = rows.get_total_buffer_size()  # quick, and never less than the bytes in use
    size = most if most <= MAX_BYTES else rows.nbytes
    files = max(math.ceil(rows.num_rows / MAX_ROWS), math.ceil(size / MAX_BYTES))
    size = math.ceil(rows.num_rows / files)
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)


def _day(stamps: pa.ChunkedArray) -> str:
    return datetime.fromtimestamp(stamps[0].value // 1_000_000, UTC).date().isoformat()


def _file_name(keys: pa.Table) -> str:
    lines = sorted(zip(*(_as_text(column) for column in keys.columns), strict=True))
    return hashlib.sha256("\n".join(map("\0".join, lines)).encode()).hexdigest()[:32]


def _as_text(column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.string()).to_pylist()


def _to_json(schema: TableSchema) -> bytes:
    columns = [{"name": name, "type": type_name(kind)} for name, kind in schema.columns.items()]
    return json.dumps({"table": schema.table, "columns": columns}, indent=1).encode()


def _from_json(table: str, data: bytes) -> TableSchema:
    try:
        columns = json.loads(data)["columns"]
        return TableSchema(table, {c["name"]: type_from_name(c["type"]) for c in columns})
    except (ValueError, KeyError, TypeError) as error:
        raise SinkUnavailable(
            f"The columns written down for table {table} cannot be read ({error}): remove that file, "
            "and they are taken from the data"
        ) from error
