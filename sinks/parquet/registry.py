"""The columns of each table, written down beside its files.

``<table>/_schema/00000001.json`` and on are the truth: each version can be
created only once, in every store, so of two writers one goes first and the
other adds to it.  ``<table>/_schema.json`` is made of them for readers: the
columns, their Arrow types, and what each version added.
"""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import pyarrow.parquet as pq

from ...model.errors import SinkUnavailable
from ...tables.schema import TableSchema, evolve
from ..arrow_types import type_from_name, type_name
from ..base import SchemaMoved
from ..files import Files
from .lake import folder_of

_RACES: Final = 16
_FORMAT: Final = 1


class Registry:
    """The columns of tables in a place.

    Args:
        files: Of the place.
        name: What people know the place by.
    """

    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._name = name

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns written down; lacking that, those in the files.

        Raises:
            SinkUnavailable: What is written down cannot be read.
        """
        return self._known(table, self._versions(table))

    def prepare(self, schema: TableSchema) -> None:
        """Write down the columns of a table before any file has them.

        Raises:
            SchemaMoved: A column has another type there.
            SinkUnavailable: The store does not take it.
        """
        table = schema.table
        for _ in range(_RACES):
            versions = self._versions(table)
            known = self._known(table, versions) or TableSchema(table)
            step = evolve(known, schema.arrow())
            if step.conflicts:
                raise SchemaMoved(f"{self._name}: table {table} has got other column types")
            if versions and not step.added:
                return self._publish(table, versions[-1])
            version = versions[-1] + 1 if versions else 1
            if self._files.create(_path(table, version), _to_json(step.schema)):
                return self._publish(table, version)
        raise SinkUnavailable(f"{self._name}: others keep changing the columns of {table}")

    def _publish(self, table: str, newest: int) -> None:
        """Bring ``_schema.json`` up to the versions; on a disk it may need another go after a race."""
        path = f"{folder_of(table)}/_schema.json"
        written = 0
        while written < newest:
            self._files.swap(path, partial(self._published, table, newest))
            written, newest = newest, self._versions(table)[-1]

    def _published(self, table: str, newest: int, held: bytes | None) -> bytes | None:
        entries = _entries(held)
        if len(entries) >= newest:
            return None
        columns: dict[str, str] = {}
        history = []
        for version in range(1, newest + 1):
            found = self._at(table, version)
            types = {name: type_name(kind) for name, kind in found.columns.items()}
            added = [{"name": name, "type": kind} for name, kind in types.items() if name not in columns]
            history.append({"version": version, "added": added})
            columns |= types
        tree = {
            "format": _FORMAT,
            "table": table,
            "version": newest,
            "columns": [{"name": name, "type": kind} for name, kind in columns.items()],
            "versions": history,
        }
        return json.dumps(tree, indent=1).encode()

    def _known(self, table: str, versions: Sequence[int]) -> TableSchema | None:
        return self._at(table, versions[-1]) if versions else self._in_files(table)

    def _versions(self, table: str) -> list[int]:
        paths = self._files.walk(f"{folder_of(table)}/_schema", ".json")
        return [int(path.rpartition("/")[2].removesuffix(".json")) for path in paths]

    def _at(self, table: str, version: int) -> TableSchema:
        data = self._files.read(_path(table, version))
        return TableSchema(table) if data is None else _from_json(table, data)

    def _in_files(self, table: str) -> TableSchema | None:
        schema = TableSchema(table)
        for path in self._files.walk(folder_of(table), ".parquet"):
            with self._files.open(path) as file:
                schema = evolve(schema, pq.read_schema(file)).schema
        return schema if schema.columns else None


def _path(table: str, version: int) -> str:
    return f"{folder_of(table)}/_schema/{version:08d}.json"


def _entries(held: bytes | None) -> list[Any]:
    try:
        entries = json.loads(held or b"{}")["versions"]
    except (ValueError, KeyError, TypeError):
        return []
    return entries if isinstance(entries, list) else []


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
