"""Parquet files and the archive in Azure Blob Storage, as Azurite emulates it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cdsbridge.sinks import ArchiveSink, ParquetSink
from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.content import contents
from cdsbridge.sinks.parquet.compact import compact
from cdsbridge.sinks.testing.history import NO_REJECTS, TABLE, commit, ending, endings, rows_for, schema_with

from . import azurite
from .test_archive import flush as messages
from .test_archive import numbers, put

SCHEMA = schema_with(name=pa.string())
_names = count()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azurite.running(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(params=["az", "abfss"])
def place(request: pytest.FixtureRequest, endpoint: str) -> dict[str, Any]:
    """Return URL and options of an empty place."""
    name = f"box{next(_names)}"
    azurite.make_container(endpoint, name)
    url = f"az://{name}/deep/lake"
    if request.param == "abfss":
        url = f"abfss://{name}@{azurite.ACCOUNT}.dfs.core.windows.net/deep/lake"
    return {"url": url, "options": azurite.options(endpoint)}


def write(sink: ParquetSink, *flushes: list[str]) -> None:
    with closing(sink.open()) as writer:
        writer.prepare(SCHEMA)
        for number, events in enumerate(flushes):
            rows = rows_for(SCHEMA, events, {"name": events}, sent=number)
            commit(writer, Flush({TABLE: rows}, NO_REJECTS, endings(ending(number))))


def test_files_are_put_once_and_compacted(place: dict[str, Any]) -> None:
    sink = ParquetSink.model_validate(place)
    flushes = [["a-0", "b-0"], ["c-0"], ["b-0", "d-0"]]
    for _ in range(2):
        write(sink, *flushes)
    with closing(sink.read()) as reader:
        before = contents(reader, [TABLE])
        assert before[TABLE].rows == 4
    reports = {report.table: report for report in compact(sink)}
    assert (reports[TABLE].files, reports[TABLE].written, reports[TABLE].repeats) == (3, 1, 1)
    assert (
        len(list(sink.files().walk(TABLE, ".parquet")))
        == len(list(sink.files().walk("_ledger", ".parquet")))
        == 1
    )
    with closing(sink.read()) as reader:
        assert contents(reader, [TABLE]) == before
        assert dict(reader.rows()) == {TABLE: 4, "_quarantine": 0}


def test_of_writers_that_widen_at_once_none_is_written_over(place: dict[str, Any]) -> None:
    sink = ParquetSink.model_validate(place)
    wanted = [f"column{number}" for number in range(4)]

    def widen(name: str) -> None:
        with closing(sink.open()) as writer:
            writer.prepare(schema_with(**{name: pa.int64()}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(widen, wanted))
    found = json.loads(sink.files().read(f"{TABLE}/_schema.json") or b"")
    assert {column["name"] for column in found["columns"]} >= set(wanted)
    assert [entry["version"] for entry in found["versions"]] == [1, 2, 3, 4]


def test_messages_are_archived_and_read(place: dict[str, Any]) -> None:
    sink = ArchiveSink.model_validate(place)
    put(sink, messages(1, 2), messages(3, now=1_790_000_000_000_001), messages(1, 2))
    assert numbers(sink) == [1, 2, 3]
    compact(sink)
    assert numbers(sink) == [1, 2, 3]
    assert len(list(sink.files().walk("_archive", ".parquet"))) == 1


def test_names_of_the_place_do_not_tell_its_key(place: dict[str, Any]) -> None:
    sink = ParquetSink.model_validate(place)
    assert azurite.KEY not in f"{sink!r} {sink.name} {sink.model_dump_json()}"
    assert Path(sink.name).name == "lake"
