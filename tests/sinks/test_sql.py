"""What is particular to SQL databases."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.dialects import mysql

from cdsbridge.model.errors import ConfigError, SinkUnavailable
from cdsbridge.sinks import SqlSink
from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.sql.engine import open_engine
from cdsbridge.sinks.sql.tables import SqlTables
from cdsbridge.sinks.testing.history import (
    NO_REJECTS,
    NOW,
    TABLE,
    commit,
    ending,
    endings,
    opened,
    rows_for,
    schema_with,
)
from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.schema import TableSchema

from .places import PortableSqlitePlace, SqlitePlace

SCHEMA = schema_with(name=pa.string(), price=pa.decimal128(38, 4), size=pa.int64(), born=pa.date32())


@pytest.fixture
def place(tmp_path: Path) -> SqlitePlace:
    return SqlitePlace(tmp_path)


def test_a_commit_is_all_or_nothing(place: SqlitePlace) -> None:
    flush = Flush({TABLE: rows_for(SCHEMA, ["a-0"])}, NO_REJECTS, endings(ending(1)))
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        staged = writer.stage(flush)
        with closing(sqlite3.connect(place.path)) as other:
            other.execute("DROP TABLE _ledger")
        with pytest.raises(SinkUnavailable, match="no such table"):
            writer.commit(staged)
    assert place.rows(TABLE) == []


def test_a_settled_message_survives_a_power_cut(place: SqlitePlace) -> None:
    with opened(place) as writer:
        engine: sa.Engine = writer._engine  # type: ignore[attr-defined]
        with engine.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    assert (mode, synchronous) == ("wal", 2)


@pytest.mark.parametrize("portable", [False, True])
def test_of_two_deliveries_of_one_message_the_earlier_is_told_of(tmp_path: Path, portable: bool) -> None:
    place = (PortableSqlitePlace if portable else SqlitePlace)(tmp_path)
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        for received_at in (NOW + 5, NOW + 3, NOW + 4):
            rows = rows_for(SCHEMA, ["a-0"], {"_received_at": [received_at]})
            commit(writer, Flush({TABLE: rows}, NO_REJECTS, endings()))
    assert [row["_received_at"] for row in place.rows(TABLE)] == ["2026-09-21 14:13:20.000003"]


def test_two_writers_at_once_leave_each_row_once(place: SqlitePlace) -> None:
    events = [f"e{i}-0" for i in range(50)]
    with opened(place) as one, opened(place) as other:
        for writer in (one, other):
            writer.prepare(SCHEMA)
        flush = Flush({TABLE: rows_for(SCHEMA, events)}, NO_REJECTS, endings(ending(1)))
        staged = [one.stage(flush), other.stage(flush)]
        one.commit(staged[0])
        other.commit(staged[1])
    assert len(place.rows(TABLE)) == 50
    assert len(place.rows("_ledger")) == 1


def test_a_column_added_by_hand_does_not_matter(place: SqlitePlace) -> None:
    with opened(place) as writer:
        writer.prepare(schema_with())
        with closing(sqlite3.connect(place.path)) as other:
            other.execute(f"ALTER TABLE {TABLE} ADD COLUMN name TEXT")
            other.execute(f"ALTER TABLE {TABLE} ADD COLUMN remark TEXT")
        wider = schema_with(name=pa.string())
        writer.prepare(wider)
        commit(writer, Flush({TABLE: rows_for(wider, ["a-0"], {"name": ["A"]})}, NO_REJECTS, endings()))
        assert writer.describe(TABLE) == wider
    assert place.rows(TABLE)[0]["name"] == "A"


def test_the_registry_tells_in_which_version_of_a_table_a_column_came(place: SqlitePlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
    with closing(sqlite3.connect(place.path)) as other:
        other.execute("ALTER TABLE _columns DROP COLUMN version")
    for more in ({"b": pa.string()}, {"b": pa.string()}, {"c": pa.string(), "d": pa.int64()}):
        with opened(place) as writer:
            writer.prepare(TableSchema(TABLE, {**SCHEMA.columns, **more}))
    with closing(sqlite3.connect(place.path)) as other:
        found = other.execute("SELECT column_name, version FROM _columns WHERE table_name = ?", (TABLE,))
        versions = dict(found.fetchall())
    assert {name: versions[name] for name in "bcd"} == {"b": 1, "c": 2, "d": 2}
    assert {versions[name] for name in SCHEMA.columns} == {None}, "from before versions were counted"


def test_a_file_that_is_no_database_is_told_with_its_name(place: SqlitePlace) -> None:
    place.path.parent.mkdir()
    place.path.write_bytes(b"this is no database, only a text that is long enough" * 100)
    with pytest.raises(SinkUnavailable, match=r"rows\.db: file is not a database"):
        place.sink.open()


@pytest.mark.parametrize("url", ["rows.db", "S3cret", ""])
def test_what_is_no_url_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SqlSink.model_validate({"url": url})
    assert "S3cret" not in str(caught.value)
    assert "sqlite:///rows.db" in str(caught.value)


def test_a_database_nobody_knows_is_a_fault_of_configuration() -> None:
    with pytest.raises(ConfigError, match="no driver can be loaded"):
        SqlSink.model_validate({"url": "nosuchdb://host/rows"}).open()


def test_names_too_long_for_a_database_are_cut_and_stay_apart() -> None:
    long = "a" * 100
    schema = TableSchema(f"{long}_history", {**SYSTEM, f"{long}x": pa.string(), f"{long}y": pa.string()})
    table = SqlTables(mysql.dialect(), None).of(schema)
    names = [column.name for column in table.columns]
    assert max(map(len, [*names, table.name])) <= 64
    assert len(set(names)) == len(names)
    assert table.c[f"{long}x"].name != table.c[f"{long}y"].name


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_what_is_read_where_there_is_no_file_is_nothing_and_nothing_is_made(
    kind: str, tmp_path: Path
) -> None:
    sink = SqlSink.model_validate({"url": f"{kind}:///{tmp_path}/none/rows.db"})
    with closing(sink.read()) as reader:
        assert (dict(reader.rows()).get("_quarantine"), list(reader.ledger())) == (0, [])
        assert reader.describe("account_history") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["md:orders", "motherduck:orders"])
def test_a_database_in_a_cloud_is_not_a_file_that_is_missing(name: str) -> None:
    assert open_engine(f"duckdb:///{name}", "there", writing=False).url.database == name
