"""A place for Parquet files, and how rows are cut and encoded into them."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from .. import ledger, quarantine
from ..archive import schema as archive_schema
from ..files import SCHEMES, Files, open_files

MAX_ARROW: Final = 128 * 1024 * 1024
"""Arrow bytes encoded at once, at most: a file larger in memory is cut before it is encoded."""

_MEGABYTE: Final = 1024 * 1024


class ParquetLake(BaseModel):
    """A folder for Parquet files, on a local disk or in an object store.

    Attributes:
        url: A local path, or ``file:``, ``abfss:``, ``az:``, ``s3:``, ``gs:`` with bucket
            or container and folder.
        options: Settings of the object store, credentials among them, by the
            names obstore gives them (https://developmentseed.org/obstore).
        compression: Codec of the files.
        compression_level: Its level, where it has levels.
        file_bytes: Encoded bytes of one file, at most, unless one row alone is larger.
        file_rows: Rows of one file, at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str
    options: Mapping[str, SecretStr] = Field(default_factory=dict)
    compression: Literal["zstd", "snappy", "none"] = "zstd"
    compression_level: int = Field(default=1, ge=1, le=22)
    file_bytes: int = Field(default=128 * _MEGABYTE, ge=64 * 1024, le=1024 * _MEGABYTE)
    file_rows: int = Field(default=1_000_000, ge=1, le=10_000_000)

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

    @property
    def history(self) -> bool:
        """``True``: it takes every event."""
        return True

    @property
    def state(self) -> bool:
        """``False``: files that never change cannot keep a current state."""
        return False

    @property
    def wants_messages(self) -> bool:
        """``False``: only an archive takes the messages themselves."""
        return False

    @property
    def max_columns(self) -> int:
        """Columns a table may have; the format has no limit, its readers grow slow."""
        return 5_000

    @property
    def may_refuse(self) -> bool:
        """``False``: what is staged can be committed."""
        return False

    def files(self) -> Files:
        """Return the files of the place.

        Raises:
            ConfigError: No store can be opened by this URL and these options.
            SinkUnavailable: The root folder cannot be made.
        """
        options = {key: value.get_secret_value() for key, value in self.options.items()}
        return open_files(self.url, options, self.name)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is particular to the rows of a table.

    Attributes:
        stamp: Column whose day a file lies in; our own writing.
        key: Columns that name a row; a row may stand in several files.
        rank: Columns by which the one that counts is told: the lowest.
        identity: Columns a file is named after.
        order: Columns by whose least values the files stand in their order.
        ordered: Whether that order counts.
        group_bytes: Arrow bytes of one row group, at most.
    """

    stamp: str
    key: tuple[str, ...]
    rank: tuple[str, ...]
    identity: tuple[str, ...]
    order: tuple[str, ...]
    ordered: bool = False
    group_bytes: int = MAX_ARROW


_HISTORY: Final = Kind(
    "SinkCreatedOn",
    key=("_event_id",),
    rank=("_order", "_received_at", "SinkCreatedOn"),
    identity=("_event_id", "_order"),
    order=("SinkCreatedOn",),
)
_OTHERS: Final[Mapping[str, Kind]] = {
    ledger.TABLE: Kind("committed_at", ledger.KEY, ("committed_at",), ledger.KEY, ("committed_at",)),
    quarantine.TABLE: Kind(
        "quarantined_at", quarantine.KEY, ("quarantined_at",), quarantine.KEY, ("quarantined_at",)
    ),
    archive_schema.TABLE: Kind(
        "committed_at",
        key=archive_schema.KEY,
        rank=("committed_at", "batch", "position"),
        identity=(*archive_schema.KEY, "committed_at"),
        order=("committed_at", "position"),
        ordered=True,
        group_bytes=16 * _MEGABYTE,
    ),
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = "ingest_date="
_FEW_VALUES: Final = frozenset(
    {
        "_op",
        "_message",
        "_changed",
        "_organization",
        "_user_id",
        "_initiating_user_id",
        "_entity",
        "entity",
        "disposition",
        "reason",
    }
)
"""Columns worth a dictionary.  For other texts zstd does better alone: files were 5 % larger with one, and
took 2 microseconds a message longer (``bench/README.md``)."""


def kind_of(table: str) -> Kind:
    """Return what is particular to a table, by its name in the sink."""
    return _OTHERS.get(table, _HISTORY)


@dataclass(frozen=True, slots=True)
class File:
    """An encoded file that is not put yet."""

    path: str
    data: bytes


def folder_of(table: str) -> str:
    """Return the folder of a table.

    >>> folder_of("account_history"), folder_of("a/b")
    ('account_history', 'a%2Fb')
    """
    return quote(table, safe="")


def encoded(rows: pa.Table, table: str, lake: ParquetLake) -> Iterator[File]:
    """Yield rows as files, cut where one would be too large.

    Equal rows are cut alike; rows that fit one file give the same name in any order.
    """
    kind = kind_of(table)
    for cut in _cuts(rows, lake.file_rows):
        yield from _within(cut, table, kind, lake)


def _within(rows: pa.Table, table: str, kind: Kind, lake: ParquetLake) -> Iterator[File]:
    buffer = pa.BufferOutputStream()
    with file_writer(buffer, rows.schema, lake) as writer:
        writer.write_table(rows, row_group_size=_group_rows(rows, kind))
    data = buffer.getvalue()
    if data.size <= lake.file_bytes or rows.num_rows == 1:
        stamp = rows.column(kind.stamp)[0].value
        yield File(path_of(table, day_of(stamp), names_of(rows.select(kind.identity))), data.to_pybytes())
        return
    size = math.ceil(rows.num_rows / math.ceil(data.size / lake.file_bytes))
    for start in range(0, rows.num_rows, size):
        yield from _within(rows.slice(start, size), table, kind, lake)


def file_writer(target: Any, schema: pa.Schema, lake: ParquetLake) -> pq.ParquetWriter:
    """Return a writer of one file, as the place wants it; only columns of few values have dictionaries."""
    return pq.ParquetWriter(
        target,
        schema,
        compression=lake.compression,
        compression_level=lake.compression_level if lake.compression == "zstd" else None,
        use_dictionary=[name for name in schema.names if name in _FEW_VALUES] or False,
        store_schema=False,
    )


def path_of(table: str, day: str, names: Sequence[str]) -> str:
    """Return the path of a file: table, day, and a hash of what identifies its rows.

    Args:
        table: Name in the sink.
        day: ISO date.
        names: A text a row, in any order; see :func:`names_of`.
    """
    name = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:32]
    return f"{folder_of(table)}/{_DAY}{day}/{name}.parquet"


def names_of(identity: pa.Table) -> list[str]:
    """Return what identifies each row as one text."""
    return list(map("\0".join, zip(*(_as_text(column) for column in identity.columns), strict=True)))


def day_of(stamp: int) -> str:
    """Return the UTC day of an instant in microseconds since 1970.

    >>> day_of(1_790_000_000_000_000)
    '2026-09-21'
    """
    return datetime.fromtimestamp(stamp // 1_000_000, UTC).date().isoformat()


def day_in(path: str) -> str:
    """Return the day in a path, an ISO date.

    >>> day_in("account_history/ingest_date=2026-09-21/0a.parquet")
    '2026-09-21'
    """
    return path.partition(_DAY)[2].partition("/")[0]


def first_of(metadata: pq.FileMetaData, kind: Kind) -> tuple[int, ...]:
    """Return where a file stands in the order of its table: the least values of its first row group.

    Raises:
        KeyError: A column is not there, or has no statistics.
    """
    return min(
        tuple(_least(metadata.row_group(group), name) for name in kind.order)
        for group in range(metadata.num_row_groups)
    )


def _least(group: Any, name: str) -> int:
    columns = {group.column(at).path_in_schema: group.column(at) for at in range(group.num_columns)}
    statistics = columns[name].statistics
    if statistics is None or not statistics.has_min_max:
        raise KeyError(name)
    least = statistics.min
    if isinstance(least, datetime):
        return (least.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
    return int(least)


def _cuts(rows: pa.Table, file_rows: int) -> Iterator[pa.Table]:
    if not rows.num_rows:
        return
    files = max(math.ceil(rows.num_rows / file_rows), math.ceil(_arrow_bytes(rows) / MAX_ARROW))
    size = math.ceil(rows.num_rows / files)
    for start in range(0, rows.num_rows, size):
        yield rows.slice(start, size)


def _group_rows(rows: pa.Table, kind: Kind) -> int:
    return max(1, math.ceil(rows.num_rows / max(1, math.ceil(_arrow_bytes(rows) / kind.group_bytes))))


def _arrow_bytes(rows: pa.Table) -> int:
    most = rows.get_total_buffer_size()  # quick, and never less than the bytes in use
    return int(most if most <= MAX_ARROW else rows.nbytes)


def _as_text(column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.string()).to_pylist()
