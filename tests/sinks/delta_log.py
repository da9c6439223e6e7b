"""Reads a Delta table by the letter of the protocol, without our code and without the library we write by.

The log is replayed from its first entry, the files are read by DuckDB.
See https://github.com/delta-io/delta/blob/master/PROTOCOL.md.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import obstore
import pyarrow as pa


@dataclass
class Replayed:
    """What a table's log says.

    Attributes:
        files: Path to the ``add`` action of every file the table consists of.
        schema: Column to type, as the metadata spells them.
        configuration: The table's properties.
        protocol: Reader and writer version.
        transactions: Application to version.
        commits: Actions of each entry.
    """

    files: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    schema: dict[str, str] = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)
    protocol: tuple[int, int] = (0, 0)
    transactions: dict[str, int] = field(default_factory=dict)
    commits: list[list[dict[str, Any]]] = field(default_factory=list)


def replay(store: Any, folder: str) -> Replayed:
    """Return what the log of the table in a folder says, all of its entries being there."""
    found = Replayed()
    paths = sorted(entry["path"] for chunk in obstore.list(store, f"{folder}/_delta_log") for entry in chunk)
    for number, path in enumerate(path for path in paths if path.endswith(".json")):
        assert path.endswith(f"/{number:020d}.json"), "an entry is missing"
        actions = [json.loads(line) for line in bytes(obstore.get(store, path).bytes()).splitlines()]
        found.commits.append(actions)
        for action in actions:
            _apply(found, action)
    return found


def _apply(found: Replayed, action: Mapping[str, Any]) -> None:
    if add := action.get("add"):
        assert add["path"] not in found.files, "a file is added twice"
        found.files[add["path"]] = add
    if remove := action.get("remove"):
        found.files.pop(remove["path"])
    if metadata := action.get("metaData"):
        fields = json.loads(metadata["schemaString"])["fields"]
        found.schema = {each["name"]: each["type"] for each in fields}
        found.configuration = metadata["configuration"]
        assert metadata["partitionColumns"] == []
    if protocol := action.get("protocol"):
        found.protocol = protocol["minReaderVersion"], protocol["minWriterVersion"]
    if txn := action.get("txn"):
        found.transactions[txn["appId"]] = txn["version"]


def table_rows(store: Any, folder: str, order: str) -> pa.Table | None:
    """Return the rows of a table by the order of some columns; ``None`` if there are none."""
    log = replay(store, folder)
    if not log.files:
        return None
    with tempfile.TemporaryDirectory() as copy, duckdb.connect() as connection:
        paths = [str(Path(copy, f"{number}.parquet")) for number in range(len(log.files))]
        for path, (name, add) in zip(paths, log.files.items(), strict=True):
            data = bytes(obstore.get(store, f"{folder}/{name}").bytes())
            assert len(data) == add["size"]
            Path(path).write_bytes(data)
        query = f"SELECT * FROM read_parquet({paths!r}, union_by_name=true) ORDER BY {order}"
        found = connection.sql(query).to_arrow_table()
    assert set(found.column_names) <= set(log.schema)
    assert found.num_rows == sum(json.loads(add["stats"])["numRecords"] for add in log.files.values())
    return found
