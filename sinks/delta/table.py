"""One Delta table: a live handle that follows its log and adds to it."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from ...model.errors import ConfigError, SinkUnavailable
from ...tables.schema import TableSchema, evolve
from ..arrow_types import type_name
from ..base import SchemaMoved
from ..files import Files
from .errors import Raced, Teller
from .files import Encoded
from .keys import DataFile

RACES: Final = 16
"""How often a change is decided anew because another commit came first."""

_READER: Final = 1
_WRITER: Final = 2


@dataclass(frozen=True, slots=True)
class Lake:
    """Where the tables lie.

    Attributes:
        files: All files, below the root.
        root: The root as the Delta library takes it: a path or a URL, without a slash at its end.
        is_local: Whether it is a path.
        options: Settings of the store, secrets included.
        teller: Tells errors.
        checkpoint_interval: Commits from one checkpoint of a table's log to the next.
    """

    files: Files
    root: str
    is_local: bool
    options: Mapping[str, str]
    teller: Teller
    checkpoint_interval: int

    def tables(self) -> list[str]:
        """Return the names of the folders that may be tables, sorted."""
        return sorted(unquote(folder.replace("=", "%")) for folder in self.files.folders())


def folder_name(table: str) -> str:
    """Return the folder of a table; a name that no path or URL changes.

    >>> folder_name("account_history"), folder_name("a/b c=")
    ('account_history', 'a=2Fb=20c=3D')
    """
    return quote(table, safe="").replace("%", "=")


class Table:
    """A table that may not be there yet.  It is used by one thread at a time.

    Args:
        lake: Where it lies.
        name: Its name in the sink.
    """

    def __init__(self, lake: Lake, name: str) -> None:
        self.lake: Final = lake
        self.name: Final = name
        self.folder: Final = folder_name(name)
        self._uri = f"{lake.root}/{self.folder}"
        self._handle: DeltaTable | None = None
        self._schema: tuple[int, TableSchema] | None = None

    def refresh(self) -> bool:
        """Follow the log to its end.

        Returns:
            Whether the table is there.

        Raises:
            SinkUnavailable: It cannot be read.
            ConfigError: It has a feature or type that none of ours has.
        """
        with self.lake.teller.told(self.name):
            if self._handle is not None:
                try:
                    self._handle.update_incremental()
                except DeltaError:
                    self._handle = None  # the log was cut off behind us
                else:
                    self._check_protocol(self._handle)
                    return True
            try:
                self._handle = DeltaTable(self._uri, storage_options=dict(self.lake.options))
            except TableNotFoundError:
                return False
            self._check_protocol(self._handle)
            return True

    @property
    def label(self) -> str:
        """What errors call it: the sink and the table."""
        return f"{self.lake.teller.name}: table {self.name}"

    @property
    def live(self) -> DeltaTable:
        """The library's own handle, as of the last refresh."""
        if self._handle is None:
            raise SinkUnavailable(f"{self.label} is not there")
        return self._handle

    def schema(self) -> TableSchema:
        """Return the columns."""
        version = self.live.version()
        if self._schema is None or self._schema[0] != version:
            self._schema = version, self._read_schema()
        return self._schema[1]

    def data_files(self, span: str = "") -> list[DataFile]:
        """Return the files the table consists of.

        Args:
            span: Column whose lowest and highest values are wanted, where the log tells them.
        """
        with self.lake.teller.told(self.name):
            told = pa.table(self.live.get_add_actions(flatten=True))
        columns = [told.column("path").to_pylist(), told.column("size_bytes").to_pylist()]
        for name in (f"min.{span}", f"max.{span}"):
            bounds = told.column(name) if name in told.column_names else pa.nulls(told.num_rows)
            if pa.types.is_timestamp(bounds.type):
                bounds = bounds.cast(pa.int64())
            columns.append(bounds.to_pylist())
        return [
            DataFile(path, size, *((low, high) if None not in (low, high) else (None, None)))
            for path, size, low, high in zip(*columns, strict=True)
        ]

    def transaction(self, application: str) -> int | None:
        """Return the version an application has written last, as of the last refresh."""
        return self.live.transaction_version(application)

    def prepare(self, schema: TableSchema) -> None:
        """Create the table, or add the columns it lacks.

        Raises:
            SchemaMoved: A column has another type.
            SinkUnavailable: Others keep changing it.
        """
        raced: Raced | None = None
        for _ in range(RACES):
            try:
                if not self.refresh():
                    self._create(schema)
                    continue
                step = evolve(self.schema(), schema.arrow())
                if step.conflicts:
                    raise SchemaMoved(f"{self.label} has got other column types")
                if not step.added:
                    return
                fields = [pa.field(name, schema.columns[name]) for name in step.added]
                with self.lake.teller.told(self.name):
                    self.live.alter.add_columns(Schema.from_arrow(pa.schema(fields)).fields)
                self._make_lasting()
            except Raced as error:
                raced = error
        raise SinkUnavailable(f"Others keep changing its columns: {raced}")

    def commit(
        self, removed: Sequence[DataFile], added: Sequence[Encoded], transactions: Mapping[str, int]
    ) -> None:
        """Replace files by others, all or nothing; the handle stays as it was before.

        The commit is the very next after the last refresh, or none.  Left to retry by itself, the
        library takes a file out that a concurrent OPTIMIZE has taken out, and its rows stand twice.

        Args:
            removed: Files of the table as of the last refresh.
            added: Files that have been put.
            transactions: Application to the version it writes.  Two commits of one application
                from the same state of the table cannot both succeed.

        Raises:
            Raced: Another commit came first, and nothing was done.
        """
        now = time.time_ns() // 1_000_000
        actions: list[AddAction | RemoveAction] = [
            RemoveAction(file.path, True, now, size=file.size, partition_values={}) for file in removed
        ]
        actions += [AddAction(file.path, len(file.data), {}, now, True, file.stats) for file in added]
        versions = [Transaction(application, version) for application, version in transactions.items()]
        with self.lake.teller.told(self.name):
            self.live.create_write_transaction(
                actions,
                "append",
                self.live.schema(),
                commit_properties=CommitProperties(app_transactions=versions, max_commit_retries=0),
            )
        self._make_lasting()

    def _create(self, schema: TableSchema) -> None:
        if self.lake.is_local:
            with self.lake.teller.told(self.name):
                Path(self._uri).mkdir(parents=True, exist_ok=True)
        try:
            DeltaTable.create(
                self._uri,
                schema=schema.arrow(),
                configuration={"delta.checkpointInterval": str(self.lake.checkpoint_interval)},
                storage_options=dict(self.lake.options),
            )
        except DeltaError as error:
            raise Raced(self.lake.teller.sentence(self.name, error)) from None
        except Exception as error:  # noqa: BLE001 - as in Teller
            raise SinkUnavailable(self.lake.teller.sentence(self.name, error)) from None
        self._make_lasting()

    def _read_schema(self) -> TableSchema:
        columns: dict[str, Any] = {}
        for column in pa.schema(self.live.schema()):
            try:
                type_name(column.type)
            except TypeError:
                raise ConfigError(
                    f"{self.label}: column {column.name} has the type {column.type}, which no table of ours "
                    "has: give the bridge an empty place"
                ) from None
            columns[column.name] = column.type
        return TableSchema(self.name, columns)

    def _check_protocol(self, handle: DeltaTable) -> None:
        protocol = handle.protocol()
        if protocol.min_reader_version > _READER or protocol.min_writer_version > _WRITER:
            raise ConfigError(
                f"{self.label} asks for reader version {protocol.min_reader_version} and writer version "
                f"{protocol.min_writer_version} of Delta; the bridge keeps to {_READER} and {_WRITER}. "
                "A feature has been enabled, such as deletion vectors or column mapping: drop it, or give "
                "the bridge an empty place"
            )

    def _make_lasting(self) -> None:
        """On a local disk, flush what the last commit wrote to the log, for the library does not."""
        if not self.lake.is_local:
            return
        log = Path(self._uri, "_delta_log")
        version = 0 if self._handle is None else self._handle.version() + 1
        with self.lake.teller.told(self.name):
            if version == 0:
                _flush(log.parent)
            while (path := log / f"{version:020d}.json").exists():
                _flush(path)
                version += 1
            _flush(log)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
