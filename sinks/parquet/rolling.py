"""Rows in, files out: one file after another, each as large as a place wants it."""

from typing import Final

import pyarrow as pa

from ..files import Files
from .lake import ParquetLake, file_writer, kind_of, names_of, path_of

_GROUP_ROWS: Final = 122_880
_GROUP_BYTES: Final = 64 * 1024 * 1024


class Rolling:
    """Writes rows of one table and day; a file is put when it has its size.

    Args:
        files: Where to put them.
        lake: How large, and how encoded.
        table: Name in the sink.
        day: ISO date of the folder.
        schema: Columns of every file.
    """

    def __init__(self, files: Files, lake: ParquetLake, table: str, day: str, schema: pa.Schema) -> None:
        self._files = files
        self._lake = lake
        self._table = table
        self._day = day
        self._schema = schema
        self._kind: Final = kind_of(table)
        self._group_bytes: Final = min(_GROUP_BYTES, self._kind.group_bytes, lake.file_bytes)
        self._group_rows: Final = min(_GROUP_ROWS, lake.file_rows)
        self._pending: list[pa.Table] = []
        self._pending_rows = self._pending_bytes = 0
        self._put: dict[str, int] = {}
        self._begin()

    def add(self, rows: pa.Table) -> None:
        """Take rows with any of the columns; those they lack are null."""
        for start in range(0, rows.num_rows, self._group_rows):
            self._add(rows.slice(start, self._group_rows))

    def close(self) -> dict[str, int]:
        """Put what is left; return path and bytes of every file."""
        self._write()
        self._end()
        return self._put

    def _add(self, rows: pa.Table) -> None:
        if self._rows + self._pending_rows + rows.num_rows > self._lake.file_rows:
            self._write()
            self._end()
        self._pending.append(_aligned(rows, self._schema))
        self._pending_rows += rows.num_rows
        self._pending_bytes += rows.nbytes
        if self._pending_rows >= self._group_rows or self._pending_bytes >= self._group_bytes:
            self._write()

    def _begin(self) -> None:
        self._buffer = pa.BufferOutputStream()
        self._writer = file_writer(self._buffer, self._schema, self._lake)
        self._names: list[str] = []
        self._rows = self._arrow = 0

    def _write(self) -> None:
        """Write what is pending as one row group."""
        if (
            self._rows
            and self._buffer.tell() * (1 + self._pending_bytes / self._arrow) > self._lake.file_bytes
        ):
            self._end()
        if self._pending_rows:
            rows = pa.concat_tables(self._pending).combine_chunks()
            self._writer.write_table(rows, row_group_size=rows.num_rows)
            self._names += names_of(rows.select(self._kind.identity))
            self._rows += rows.num_rows
            self._arrow += max(1, self._pending_bytes)
        self._pending.clear()
        self._pending_rows = self._pending_bytes = 0

    def _end(self) -> None:
        if self._rows:
            self._writer.close()
            data = self._buffer.getvalue()
            path = path_of(self._table, self._day, self._names)
            self._files.create(path, data.to_pybytes())
            self._put[path] = data.size
        self._begin()


def _aligned(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    held = set(rows.column_names)
    columns = [
        rows.column(field.name) if field.name in held else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
