"""Databases that no test runs: what would be sent to them, as text."""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
import sqlglot
from alembic.ddl.impl import DefaultImpl
from pydantic import ValidationError
from snowflake.sqlalchemy import snowdialect
from sqlalchemy.dialects import mssql, mysql, postgresql
from sqlalchemy.schema import CreateTable
from sqlalchemy_bigquery import BigQueryDialect

from cdsbridge.sinks import SqlSink, ledger
from cdsbridge.sinks.sql.duckdb_dialect import DuckdbDialect
from cdsbridge.sinks.sql.fence import TABLE as FENCE
from cdsbridge.sinks.sql.names import fitted, limits
from cdsbridge.sinks.sql.sets import absent_set, history_sets, replace_sets, staging_of
from cdsbridge.sinks.sql.statements import (
    absent_statements,
    delete_statement,
    history_statements,
    insert_statement,
)
from cdsbridge.sinks.sql.tables import SqlTables
from cdsbridge.sinks.sql.views import view_ddl, view_of
from cdsbridge.sinks.testing.history import TABLE
from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.schema import TableSchema
from cdsbridge.tables.state import state_schema

DATA = {
    "name": pa.string(),
    "price": pa.decimal128(38, 4),
    "rate": pa.decimal128(38, 10),
    "size": pa.int64(),
    "done": pa.bool_(),
    "born": pa.date32(),
    "ratio": pa.float64(),
    "image": pa.binary(),
    "order": pa.string(),
}
SCHEMA = TableSchema(TABLE, {**SYSTEM, **DATA})
DIALECTS = {
    "postgresql": postgresql.dialect(),
    "mysql": mysql.dialect(),
    "mssql": mssql.dialect(),
    "snowflake": snowdialect.dialect(),
    "bigquery": BigQueryDialect(paramstyle="pyformat"),
}
GRAMMARS = {"postgresql": "postgres", "mssql": "tsql"}
"""What sqlglot calls the databases, where not as SQLAlchemy does."""
TYPES = {
    "postgresql": {
        "Id": "TEXT",
        "_event_id": 'VARCHAR(400) COLLATE "C" NOT NULL',
        "_occurred_at": "TIMESTAMP WITH TIME ZONE",
        "price": "NUMERIC(38, 4)",
        "rate": "NUMERIC(38, 10)",
        "size": "BIGINT",
        "done": "BOOLEAN",
        "born": "DATE",
        "ratio": "DOUBLE PRECISION",
        "image": "BYTEA",
    },
    "mysql": {
        "Id": "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "_event_id": "VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
        "_occurred_at": "DATETIME(6)",
        "price": "NUMERIC(38, 4)",
        "rate": "NUMERIC(38, 10)",
        "size": "BIGINT",
        "done": "BOOL",
        "born": "DATE",
        "ratio": "DOUBLE",
        "image": "LONGBLOB",
    },
    "mssql": {
        "Id": "NVARCHAR(max) NULL",
        "_event_id": "NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL",
        "_occurred_at": "DATETIME2(6) NULL",
        "price": "NUMERIC(38, 4) NULL",
        "rate": "NUMERIC(38, 10) NULL",
        "size": "BIGINT NULL",
        "done": "BIT NULL",
        "born": "DATE NULL",
        "ratio": "DOUBLE PRECISION NULL",
        "image": "VARBINARY(max) NULL",
    },
    "snowflake": {
        "Id": "TEXT",
        "_event_id": "VARCHAR(400) NOT NULL",
        "_occurred_at": "datetime",
        "price": "NUMERIC(38, 4)",
        "rate": "NUMERIC(38, 10)",
        "size": "BIGINT",
        "done": "BOOLEAN",
        "born": "DATE",
        "ratio": "DOUBLE",
        "image": "BINARY",
    },
    "bigquery": {
        "Id": "STRING",
        "_event_id": "STRING(400) NOT NULL",
        "_occurred_at": "TIMESTAMP",
        "price": "BIGNUMERIC(38, 4)",
        "rate": "BIGNUMERIC(38, 10)",
        "size": "INT64",
        "done": "BOOL",
        "born": "DATE",
        "ratio": "FLOAT64",
        "image": "BYTES",
    },
}
KEYED = sorted(TYPES.keys() - {"bigquery"})
"""BigQuery keeps no key: what inserts a row looks whether it is there."""


def text_of(clause: Any, name: str) -> str:
    """Return a statement as the database gets it, after a parser of its grammar has taken it."""
    assert not isinstance(clause, str)
    grammar, kind = GRAMMARS.get(name, name), type(DIALECTS[name])
    sqlglot.parse_one(str(clause.compile(dialect=kind(paramstyle="named"))), read=grammar)
    return re.sub(r"\s+", " ", str(clause.compile(dialect=DIALECTS[name]))).replace("`", "")


@pytest.mark.parametrize("name", sorted(TYPES))
def test_columns_are_as_wide_as_what_they_hold(name: str) -> None:
    ddl = str(CreateTable(SqlTables(DIALECTS[name], "crm").of(SCHEMA)).compile(dialect=DIALECTS[name]))
    lines = [line.strip().rstrip(",") for line in ddl.splitlines()]
    found = {line.split()[0].strip('"`[]'): line.partition(" ")[2] for line in lines if line}
    assert {column: found[column] for column in TYPES[name]} == TYPES[name]
    assert (name in KEYED) == bool(re.search(r"PRIMARY KEY \(\W?_event_id\W?\)", ddl))
    sqlglot.parse_one(ddl, read=GRAMMARS.get(name, name))
    assert DefaultImpl.get_by_dialect(DIALECTS[name]), "Alembic widens its tables"
    assert re.search(r'[`"\[]order[`"\]]', ddl), "a word of the database is quoted"


@pytest.mark.parametrize("name", KEYED)
def test_a_state_is_keyed_by_a_bounded_id_and_parties_have_an_index(name: str) -> None:
    table = SqlTables(DIALECTS[name], "crm").of(state_schema("activityparty", {"partyid": pa.string()}))
    ddl = str(CreateTable(table).compile(dialect=DIALECTS[name]))
    assert re.search(r"PRIMARY KEY \(\W?Id\W?\)", ddl)
    assert re.search(r"Id\W? N?VARCHAR\(190\)", ddl)
    assert [[column.key for column in index.columns] for index in table.indexes] == [["_set"]]


def test_duckdb_has_no_index_that_a_kill_may_leave_empty() -> None:
    table = SqlTables(DuckdbDialect(), None).of(state_schema("activityparty", {"partyid": pa.string()}))
    assert not table.indexes


@pytest.mark.parametrize("name", ["mssql", "snowflake", "mysql", "bigquery"])
def test_row_by_row_a_history_takes_two_statements_that_any_database_has(name: str) -> None:
    tables = SqlTables(DIALECTS[name], "crm")
    history, columns = tables.of(SCHEMA), tuple(SCHEMA.columns)
    update, insert = (text_of(made.clause, name) for made in history_statements(history, columns, None))
    assert update.startswith("UPDATE crm.account_history SET _order=")
    assert re.search(r" WHERE (crm\.)?account_history\._event_id = ", update)
    assert "INSERT INTO crm.account_history (" in insert
    assert " FROM (SELECT 1 AS one) AS one WHERE NOT (EXISTS (SELECT 1 FROM crm.account_history AS" in insert
    assert " WHERE there._event_id = " in insert
    (made,) = absent_statements(tables.fixed(ledger.TABLE), ledger.SCHEMA.names, ledger.KEY, None)
    for column in ledger.KEY:
        assert f"there.{column} = " in text_of(made.clause, name)
    assert text_of(delete_statement(history, "name").clause, name).startswith(
        "DELETE FROM crm.account_history WHERE"
    )
    assert " VALUES (" in text_of(insert_statement(history, columns).clause, name)


@pytest.mark.parametrize("name", ["postgresql", "mysql"])
def test_a_set_is_written_by_few_statements(name: str) -> None:
    history = SqlTables(DIALECTS[name], "crm").of(SCHEMA)
    staging = staging_of("_staged", history, ["_event_id", "_order", "_received_at", *_REST])
    made = history_sets(history, staging, "postgresql" if name == "postgresql" else None)
    texts = [text_of(clause, name) for clause in made]
    if name == "postgresql":
        assert len(texts) == 1
        assert " ON CONFLICT (_event_id) DO UPDATE SET _order = excluded._order" in texts[0]
    else:
        assert texts[0].startswith("UPDATE crm.account_history")
        assert "_staged" in texts[0]
        assert "NOT (EXISTS (SELECT 1" in texts[1]
    assert "NOT (EXISTS" in text_of(absent_set(history, staging, ("_event_id",)), name)
    gone, put = (text_of(clause, name) for clause in replace_sets(history, staging, "_event_id"))
    assert gone.startswith("DELETE FROM crm.account_history")
    assert "WHERE crm.account_history._event_id = _staged.c0" in gone
    assert put.startswith("INSERT INTO crm.account_history (")


_REST = ["_entity", "_sequence_number", "_message_id", "_enqueued_at", "SinkModifiedOn"]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("postgresql", "CREATE OR REPLACE VIEW crm.account_scd2 AS SELECT"),
        ("mysql", "CREATE OR REPLACE VIEW crm.account_scd2 AS SELECT"),
        ("mssql", "CREATE OR ALTER VIEW crm.account_scd2 AS SELECT"),
        ("snowflake", "CREATE OR REPLACE VIEW crm.account_scd2 AS SELECT"),
        ("bigquery", "CREATE OR REPLACE VIEW crm.account_scd2 AS SELECT"),
    ],
)
def test_a_view_is_one_statement_without_parameters(name: str, start: str) -> None:
    found = view_of(SqlTables(DIALECTS[name], "crm").of(SCHEMA), SCHEMA)
    assert found is not None
    view, query = found
    text = view_ddl(DIALECTS[name], view, "crm", query)
    sqlglot.parse_one(text, read=GRAMMARS.get(name, name))
    assert text.replace("`", "").startswith(start)
    assert ":" not in text
    assert "%%" not in text
    assert " LIKE " not in text, "BigQuery has no ESCAPE, and names are full of underscores"
    assert text.count("first_value(") == len(DATA)


def test_what_a_commit_locks_first_is_the_fence() -> None:
    for name in ("mssql", "snowflake", "bigquery"):
        table = SqlTables(DIALECTS[name], None).fixed(FENCE)
        assert text_of(sa.update(table).where(table.c["slot"] == 0).values(slot=0), name).startswith(
            "UPDATE _fence SET slot="
        )


@pytest.mark.parametrize(
    ("dialect", "names"),
    [
        (
            "postgresql",
            ["n" * 63 + "a", "n" * 63 + "b", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 40, "n" * 63],
        ),
        (
            "mysql",
            ["caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe", "cafe ", "caf\N{CYRILLIC SMALL LETTER IE}"],
        ),
        ("mssql", ["n" * 129, "n" * 130, "\N{FULLWIDTH LATIN SMALL LETTER A}", "a"]),
        ("sqlite", ["n" * 200 + "a", "n" * 200 + "b", "a\0b", "a_b"]),
    ],
)
def test_names_a_database_would_take_for_one_another_stay_apart(dialect: str, names: Sequence[str]) -> None:
    found = [fitted(name, dialect) for name in names]
    assert len({each.casefold().rstrip() for each in found}) == len(names)
    assert all(len(each.encode()) <= limits(dialect).name and "\0" not in each for each in found)
    assert [fitted(name, dialect) for name in names] == found


def test_a_database_without_transactions_keeps_a_history_only() -> None:
    place = {"url": "bigquery://project/dataset", "state": False}
    assert SqlSink.model_validate(place).name == "bigquery://project/dataset"
    with pytest.raises(ValidationError, match="set state: false"):
        SqlSink.model_validate(place | {"state": True})
