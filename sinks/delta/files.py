"""Data files of a Delta table: encoding with statistics, and reading.

Statistics as in https://github.com/delta-io/delta/blob/master/PROTOCOL.md, "Per-file Statistics".
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...model.errors import SinkUnavailable
from ..files import Files
from .keys import DataFile, Hashes, Key, hashed

GROUP_ROWS: Final = 131_072
"""Rows of a row group, at most: what is held in memory when a file is written anew."""

_INDEXED: Final = 32
"""Columns a table's log has statistics of: the first ones, as Delta's own default is."""

_PREFIX: Final = 32
_LAST: Final = "\U0010ffff"
_WHOLE: Final = 32 * 1024 * 1024
_KEPT: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file that is not put yet, or not part of a table yet.

    Attributes:
        path: Below the table's folder; new.
        data: All of it.
        stats: Statistics as JSON.
        hashes: Of its keys.
    """

    path: str
    data: bytes
    stats: str
    hashes: Hashes


def encoded(pieces: Iterable[pa.Table], key: Key) -> Encoded | None:
    """Return a file of rows, a row group a piece; ``None`` if there are no rows.

    Args:
        pieces: All with the same columns.
        key: What names the rows.
    """
    buffer = pa.BufferOutputStream()
    writer: pq.ParquetWriter | None = None
    hashes: list[Hashes] = []
    for rows in pieces:
        if not rows.num_rows:
            continue
        if writer is None:
            texts = [field.name for field in rows.schema if pa.types.is_string(field.type)]
            writer = pq.ParquetWriter(
                buffer,
                rows.schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=texts,
                store_schema=False,
            )
        writer.write_table(rows, row_group_size=GROUP_ROWS)
        hashes.append(hashed(key.of(rows)))
    if writer is None:
        return None
    writer.close()
    data = buffer.getvalue().to_pybytes()
    stats = statistics(pq.read_metadata(pa.BufferReader(data)))
    return Encoded(f"{uuid.uuid4().hex}.parquet", data, stats, np.sort(np.concatenate(hashes)))


def statistics(metadata: pq.FileMetaData) -> str:
    """Return what a table's log is to say of a file: rows, nulls, lowest and highest values.

    Lowest and highest only where JSON holds them exactly: of texts, whole numbers, days and instants.
    """
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for column in range(min(metadata.num_columns, _INDEXED)):
        chunks = [metadata.row_group(group).column(column) for group in range(metadata.num_row_groups)]
        name, found = chunks[0].path_in_schema, [chunk.statistics for chunk in chunks]
        if any(each is None or not each.has_null_count for each in found):
            continue
        nulls[name] = sum(each.null_count for each in found)
        valued = [
            each for each, chunk in zip(found, chunks, strict=True) if each.null_count < chunk.num_values
        ]
        if not valued or not all(each.has_min_max for each in valued):
            continue
        low, high = _bounds(valued)
        if low is not None:
            lows[name] = low
        if high is not None:
            highs[name] = high
    told = {"numRecords": metadata.num_rows, "minValues": lows, "maxValues": highs, "nullCount": nulls}
    return json.dumps(told)


def _bounds(found: Sequence[pq.Statistics]) -> tuple[Any, Any]:
    kind = found[0].logical_type.type
    if kind == "STRING":
        return _short(min(each.min for each in found), max(each.max for each in found))
    if kind == "TIMESTAMP":
        low, high = min(each.min_raw for each in found), max(each.max_raw for each in found)
        return _instant(low // 1_000), _instant(-(-high // 1_000))
    if kind == "DATE":
        return str(min(each.min for each in found)), str(max(each.max for each in found))
    if kind == "NONE" and found[0].physical_type == "INT64":
        return min(each.min for each in found), max(each.max for each in found)
    return None, None


def _short(low: str, high: str) -> tuple[str, str | None]:
    if len(high) <= _PREFIX:
        return low[:_PREFIX], high
    return low[:_PREFIX], None if high[_PREFIX] == _LAST else high[:_PREFIX] + _LAST


def _instant(milliseconds: int) -> str | None:
    try:
        instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
    return instant.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def aligned(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with the columns of a schema, in its order; nulls for those they lack."""
    columns = [
        rows.column(field.name).cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


class Sources:
    """The data files that one change of a table reads; small ones are fetched once and kept.

    Args:
        files: All files of the sink.
        folder: The table's.
    """

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files
        self._folder = folder
        self._kept: dict[str, bytes] = {}

    def groups(self, file: DataFile) -> Iterator["Group"]:
        """Yield the row groups of a file.

        Raises:
            SinkUnavailable: The file is not there.
        """
        with self._opened(file) as source:
            parquet = pq.ParquetFile(source, pre_buffer=True)
            for number in range(parquet.num_row_groups):
                yield Group(parquet, number)

    @contextmanager
    def _opened(self, file: DataFile) -> Iterator[pa.NativeFile]:
        path = f"{self._folder}/{file.path}"
        if file.size > _WHOLE:
            with self._files.open(path) as source:
                yield source
            return
        data = self._kept.get(path) or self._files.read(path)
        if data is None:
            raise SinkUnavailable(f"{path} is not there; the table is looked at again")
        if sum(map(len, self._kept.values())) + len(data) <= _KEPT:
            self._kept[path] = data
        yield pa.BufferReader(data)


@dataclass(frozen=True, slots=True)
class Group:
    """A row group of a file."""

    _parquet: pq.ParquetFile
    _number: int

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns the file has."""
        return frozenset(self._parquet.schema_arrow.names)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return its rows.

        Args:
            columns: Those wanted, all of them in the file; ``None`` for all.
        """
        return self._parquet.read_row_group(self._number, columns=None if columns is None else list(columns))
