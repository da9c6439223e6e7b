"""MariaDB and MySQL: rows go as one file by ``LOAD DATA LOCAL``, where that is allowed.

A server may answer that statement by asking for any file of ours, so it is
allowed only where the URL says ``local_infile=1``.  Elsewhere rows go in
inserts of many rows.  ``LOCAL`` turns errors of values into warnings; here
they are errors again.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from .errors import BadData
from .rows import ConnectionTransaction, inserted
from .sets import SetStore

_LINES: Final = 20_000
"""Rows written to the file at once."""


class MysqlTransaction(ConnectionTransaction):
    """A transaction that takes rows as a file, or as inserts."""

    def __init__(self, connection: sa.Connection, by_file: bool) -> None:
        super().__init__(connection)
        self._by_file = by_file

    @contextlib.contextmanager
    def loaded(self, staging: sa.Table, rows: pa.Table) -> Iterator[None]:
        """Hold rows in a temporary table, which commits nothing by itself."""
        dropped = f"DROP TEMPORARY TABLE IF EXISTS {staging.name}"
        # what a transaction before this one left, for these tables outlive a rollback
        self.connection.exec_driver_sql(dropped)
        self.connection.execute(sa.schema.CreateTable(staging))
        if self._by_file:
            self._from_file(staging, rows)
        else:
            inserted(self.connection, staging, rows)
        yield
        self.connection.exec_driver_sql(dropped)

    def _from_file(self, staging: sa.Table, rows: pa.Table) -> None:
        with tempfile.TemporaryDirectory(prefix="cdsbridge-") as folder:
            path = Path(folder, "rows")
            with path.open("wb") as file:
                for start in range(0, rows.num_rows, _LINES):
                    write_lines(rows.slice(start, _LINES), file)
            statement = _load(staging, rows.schema, path)
            count = self.connection.exec_driver_sql(statement).rowcount
        warned = self.connection.exec_driver_sql("SHOW WARNINGS LIMIT 1").all()
        if warned or count != rows.num_rows:
            told = warned[0][2] if warned else f"{count} of {rows.num_rows} rows arrived"
            raise BadData(f"a value does not fit its column: {told}")


class MysqlStore(SetStore):
    """See the module.

    Args:
        engine: Of the database.
        by_file: Whether the URL allows ``LOAD DATA LOCAL``.
    """

    def __init__(self, engine: sa.Engine, by_file: bool) -> None:
        super().__init__(None)
        self._engine = engine
        self._by_file: bool | None = None if by_file else False

    @contextlib.contextmanager
    def begin(self) -> Iterator[MysqlTransaction]:
        """Return a transaction."""
        with self._engine.begin() as connection:
            if self._by_file is None:
                self._by_file = bool(connection.exec_driver_sql("SELECT @@local_infile").scalar())
            yield MysqlTransaction(connection, self._by_file)


def _load(staging: sa.Table, schema: pa.Schema, path: Path) -> str:
    names: list[str] = []
    sets: list[str] = []
    for column, kind in zip(staging.columns, schema.types, strict=True):
        if pa.types.is_binary(kind):
            names.append(f"@{column.name}")
            sets.append(f"{column.name} = UNHEX(@{column.name})")
        else:
            names.append(column.name)
    quoted = path.as_posix().replace("'", "''").replace("%", "%%")
    return (
        f"LOAD DATA LOCAL INFILE '{quoted}' INTO TABLE {staging.name} CHARACTER SET utf8mb4 "
        f"({', '.join(names)})" + (f" SET {', '.join(sets)}" if sets else "")
    )


def write_lines(rows: pa.Table, file: BinaryIO) -> None:
    r"""Write rows as lines of the format ``LOAD DATA`` reads by default.

    Tabs between values, ``\N`` for null, a backslash before what would be
    taken for something else (https://mariadb.com/kb/en/load-data-infile/).

    >>> import io
    >>> file = io.BytesIO()
    >>> write_lines(pa.table({"a": ["x\ty", None], "b": [True, False]}), file)
    >>> file.getvalue()
    b'x\\\ty\t1\n\\N\t0\n'
    """
    texts = [pc.fill_null(_text(column), r"\N") for column in rows.combine_chunks().columns]
    lines = pc.binary_join_element_wise(*(text.cast(pa.binary()) for text in texts), b"\t")
    whole = pc.binary_join_element_wise(lines, pa.scalar(b"\n"), b"")
    for chunk in whole.chunks:
        offsets, data = chunk.buffers()[1:]
        ends = pa.Array.from_buffers(pa.int32(), len(chunk) + 1, [None, offsets], offset=chunk.offset)
        file.write(data[ends[0].as_py() : ends[-1].as_py()] if data is not None else b"")


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_string(kind):
        return _escaped(column)
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us")).cast(pa.string())
    if pa.types.is_boolean(kind):
        return column.cast(pa.int8()).cast(pa.string())
    if pa.types.is_binary(kind):
        hexed = [None if value is None else value.hex() for value in column.to_pylist()]
        return pa.chunked_array([pa.array(hexed, pa.string())])
    return column.cast(pa.string())


def _escaped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pc.any(pc.match_substring_regex(column, r"[\\\t\n]")).as_py():
        return column
    for special in ("\\", "\t", "\n"):
        column = pc.replace_substring(column, special, f"\\{special}")
    return column
