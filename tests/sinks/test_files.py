"""Files on a disk, and in an object store, which has no folders and no renaming."""

import socket
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from obstore.store import MemoryStore

from cdsbridge.model.errors import SinkUnavailable
from cdsbridge.sinks import ParquetSink
from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.files import Files, LocalFiles
from cdsbridge.sinks.parquet.reader import ParquetReader
from cdsbridge.sinks.parquet.sink import ParquetWriter
from cdsbridge.sinks.testing.history import NO_REJECTS, TABLE, commit, ending, endings, rows_for, schema_with


@pytest.fixture(params=["object store", "disk"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return LocalFiles(tmp_path, "box") if request.param == "disk" else Files(MemoryStore(), "box")


def test_a_file_is_created_once(files: Files) -> None:
    assert files.create("a/b.txt", b"first")
    assert not files.create("a/b.txt", b"second")
    assert files.read("a/b.txt") == b"first"


def test_a_file_that_is_not_there_reads_as_none(files: Files) -> None:
    assert files.read("a/b.txt") is None
    with pytest.raises(SinkUnavailable, match=r"box: a/b\.txt"), files.open("a/b.txt"):
        pass


def test_a_file_is_swapped_for_what_becomes_of_it(files: Files) -> None:
    files.swap("a/b.txt", lambda held: b"first" if held is None else b"wrong")
    files.swap("a/b.txt", lambda held: b"second" if held == b"first" else b"wrong")
    files.swap("a/b.txt", lambda held: None)
    assert files.read("a/b.txt") == b"second"


def test_what_another_wrote_meanwhile_is_not_written_over() -> None:
    files = Files(MemoryStore(), "box")
    files.create("n", b"0")
    others = iter([b"7", b"9"])

    def one_more(held: bytes | None) -> bytes:
        for other in others:
            files.swap("n", lambda _, other=other: other)  # type: ignore[misc]
            break
        return b"%d" % (int(held or b"0") + 1)

    files.swap("n", one_more)
    assert files.read("n") == b"10"


def test_a_file_is_removed_once(files: Files) -> None:
    files.create("a/b", b"")
    files.remove("a/b")
    files.remove("a/b")
    assert files.read("a/b") is None
    assert files.sizes("a") == {}


def test_a_folder_is_told_from_one_whose_name_begins_alike(files: Files) -> None:
    for path in ("a/2", "a/1", "ab/3"):
        files.create(path, b"")
    assert list(files.walk("a")) == ["a/1", "a/2"]
    assert [name for name in files.folders() if name != "_staging"] == ["a", "ab"]


def test_flushes_go_to_an_object_store_as_to_a_disk(files: Files) -> None:
    schema = schema_with(name=pa.string())
    flush = Flush({TABLE: rows_for(schema, ["a-0"], {"name": ["A"]})}, NO_REJECTS, endings(ending(1)))
    with closing(ParquetWriter(files, ParquetSink(url="az://box"))) as writer:
        writer.prepare(schema)
        commit(writer, flush)
        commit(writer, flush)
        assert writer.describe(TABLE) == schema
    reader = ParquetReader(files, "here")
    assert dict(reader.rows()) == {TABLE: 1, "_quarantine": 0}
    assert pa.concat_tables(reader.ledger()) == flush.ledger
    assert len(list(files.walk(TABLE, ".parquet"))) == 1


def test_a_store_that_is_away_is_told_without_its_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    options = {
        "azure_storage_account_name": "account",
        "azure_storage_sas_token": "sv=2020&sig=S3cret",
        "azure_storage_endpoint": f"http://127.0.0.1:{port}",
        "allow_http": "true",
    }
    sink = ParquetSink.model_validate({"url": "az://box/rows", "options": options})
    with pytest.raises(SinkUnavailable, match="az://box/rows") as caught:
        sink.open()
    assert "S3cret" not in f"{caught.value} {sink!r}"
