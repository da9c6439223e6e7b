"""Databases that drop us, forbid us, or die with us in the middle of a commit."""

import json
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from hypothesis import given, settings

from cdsbridge.model.errors import BridgeError, ConfigError, NotPermitted, SinkUnavailable
from cdsbridge.sinks import SqlSink
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.sql.engine import missing
from cdsbridge.sinks.sql.errors import BadData, Meaning, meaning, told
from cdsbridge.sinks.sql.postgresql import AdbcStore
from cdsbridge.sinks.testing import Place
from cdsbridge.sinks.testing.history import TABLE

from .batches import flattened
from .sql_places import SQL_PLACES, InsertingMariaPlace, MariaPlace, PostgresPlace, SchemaPostgresPlace
from .test_any_order import expected, histories, play, seen
from .test_faults import POSTS, SOON, Holds, run_child

SERVED: Mapping[str, Callable[[Path], Any]] = {
    "postgresql": PostgresPlace,
    "postgresql-portable": SchemaPostgresPlace,
    "mariadb": MariaPlace,
    "mariadb-inserting": InsertingMariaPlace,
}


def dropped(place: Any) -> None:
    """End every other session of the server."""
    if isinstance(place, PostgresPlace):
        with place.connected() as postgres:
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        return
    with place.connected() as maria:
        cursor = maria.cursor()
        cursor.execute(
            "SELECT id FROM information_schema.processlist "
            "WHERE id <> connection_id() AND user = 'root' AND command <> 'Daemon'"
        )
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")


@pytest.mark.parametrize("name", SERVED)
def test_a_connection_that_is_dropped_is_made_again(name: str, tmp_path: Path) -> None:
    place = SERVED[name](tmp_path)
    holds = Holds(lambda: None)
    committer = Committer([place.sink], on_hold=holds, backoff=SOON)
    committer.add(flattened(POSTS[:10]))
    committer.flush()
    dropped(place)
    committer.add(flattened(POSTS[10:]))
    assert len(committer.flush()[0].dispositions) == 10
    assert len(holds.heard) == 1
    assert isinstance(holds.heard[0][1], SinkUnavailable)
    assert len(place.rows(TABLE)) == 20
    committer.close()


COMMIT_ALL = """
import sys
from cdsbridge.sinks import SqlSink
from cdsbridge.sinks.commit import Committer
from tests_sinks.batches import flattened
from tests_sinks.test_faults import POSTS

committer = Committer([SqlSink.model_validate_json(sys.argv[1])])
for start in range(0, 20, 5):
    committer.add(flattened(POSTS[start : start + 5]))
    committer.flush()
"""


@pytest.mark.parametrize("point", ["history_written", "all_written"])
@pytest.mark.parametrize("name", sorted(SQL_PLACES))
def test_a_process_killed_inside_a_commit_leaves_nothing_of_it(name: str, point: str, tmp_path: Path) -> None:
    place = SQL_PLACES[name](tmp_path)
    assert isinstance(place.sink, SqlSink)
    configured = place.sink.model_dump(mode="json") | {"url": place.sink.url.get_secret_value()}
    child = run_child(COMMIT_ALL, json.dumps(configured), failpoint=f"{point}:kill@3")
    assert child.returncode == -signal.SIGKILL, child.stderr
    for table in (TABLE, "account", "_ledger"):
        assert len(place.rows(table)) == 10, table
    committer = Committer([place.sink], backoff=SOON)
    committer.add(flattened(POSTS[::-1]))
    committer.flush()
    committer.close()
    for table in (TABLE, "account", "_ledger"):
        assert len(place.rows(table)) == 20, table


def no_rights(place: Any) -> str:
    """Return the URL of a user that may see the place and nothing more."""
    if isinstance(place, PostgresPlace):
        with place.connected() as postgres:
            postgres.execute("DROP ROLE IF EXISTS guarded")
            postgres.execute("CREATE ROLE guarded LOGIN PASSWORD 'S3cret'")
        return f"postgresql://guarded:S3cret@/postgres?host={place.socket}"
    with place.connected() as maria:
        maria.cursor().execute("CREATE OR REPLACE USER guarded@localhost IDENTIFIED BY 'S3cret'")
        maria.cursor().execute(f"GRANT SELECT ON {place.name}.* TO guarded@localhost")
    return f"mysql://guarded:S3cret@localhost/{place.name}?unix_socket={place.socket}"


@pytest.mark.parametrize("make", [PostgresPlace, MariaPlace])
@pytest.mark.parametrize("password", ["S3cret", "Wr0ng"])
def test_a_database_that_refuses_us_says_so_without_the_secret(
    make: Callable[[Path], Any], password: str, tmp_path: Path
) -> None:
    place = make(tmp_path)
    url = no_rights(place).replace("S3cret", password)
    schema = place.name if make is PostgresPlace else None
    sink = SqlSink.model_validate({"url": url, "schema_name": schema})
    with pytest.raises(NotPermitted) as caught:
        sink.open()
    assert sink.name in str(caught.value)
    assert password not in str(caught.value) + repr(sink) + repr(caught.value.__context__)


def test_where_adbc_is_refused_it_says_so_without_the_secret(tmp_path: Path) -> None:
    place = PostgresPlace(tmp_path)
    url = no_rights(place).replace("S3cret", "Wr0ng")
    sink = SqlSink.model_validate({"url": url})
    store = AdbcStore(sink._full(), sink.name)
    with (
        pytest.raises(NotPermitted) as caught,
        told(sink.name, sink.secret, *store.errors),
        store.begin(),
    ):
        pass
    assert "Wr0ng" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.errors.DeadlockDetected(), Meaning.AWAY),
        (psycopg.errors.SerializationFailure(), Meaning.AWAY),
        (psycopg.errors.TooManyConnections(), Meaning.AWAY),
        (psycopg.errors.DiskFull(), Meaning.AWAY),
        (psycopg.errors.LockNotAvailable(), Meaning.AWAY),
        (psycopg.errors.UniqueViolation(), Meaning.AWAY),
        (psycopg.errors.UndefinedTable(), Meaning.AWAY),
        (psycopg.errors.InsufficientPrivilege(), Meaning.PERMISSION),
        (psycopg.errors.InvalidPassword(), Meaning.PERMISSION),
        (psycopg.errors.StringDataRightTruncation(), Meaning.DATA),
        (psycopg.errors.NumericValueOutOfRange(), Meaning.DATA),
        (psycopg.errors.CheckViolation(), Meaning.DATA),
        (psycopg.errors.ProgramLimitExceeded(), Meaning.DATA),
        (pymysql.err.OperationalError(1213, "Deadlock found"), Meaning.AWAY),
        (pymysql.err.OperationalError(1205, "Lock wait timeout exceeded"), Meaning.AWAY),
        (pymysql.err.OperationalError(1040, "Too many connections"), Meaning.AWAY),
        (pymysql.err.OperationalError(2013, "Lost connection"), Meaning.AWAY),
        (pymysql.err.OperationalError(1021, "Disk full"), Meaning.AWAY),
        (pymysql.err.IntegrityError(1062, "Duplicate entry"), Meaning.AWAY),
        (pymysql.err.OperationalError(1142, "SELECT command denied"), Meaning.PERMISSION),
        (pymysql.err.DataError(1406, "Data too long"), Meaning.DATA),
        (pymysql.err.DataError(1366, "Incorrect string value"), Meaning.DATA),
        (ConnectionResetError(104, "reset"), Meaning.AWAY),
    ],
)
def test_what_an_error_means(error: Exception, expected: Meaning) -> None:
    assert meaning(error) is expected


@pytest.mark.parametrize("kind", [BadData, NotPermitted, SinkUnavailable])
def test_an_error_is_told_in_one_line_without_the_password(kind: type[BridgeError]) -> None:
    number = {BadData: 1406, NotPermitted: 1045, SinkUnavailable: 2013}[kind]
    with pytest.raises(kind) as caught, told("here", "S3cret", pymysql.err.Error):
        raise pymysql.err.OperationalError(number, "with S3cret")
    assert str(caught.value) == f"here: with *** (error {number})"


def test_a_driver_that_is_missing_is_told_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(
        ConfigError, match=r"the driver pymysql is not installed; pip install 'cdsbridge\[mysql\]'"
    ):
        SqlSink.model_validate({"url": "mariadb://host/base"}).open()
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    with pytest.raises(ConfigError, match=r"pip install 'cdsbridge\[postgresql\]'"):
        SqlSink.model_validate({"url": "postgresql://host/base"}).open()
    assert missing("oracle", "oracledb").endswith("install the package that brings oracledb")


@settings(max_examples=12, deadline=None)
@given(histories())
def test_any_order_cut_and_multiplicity_gives_the_same_rows_in_every_database(history: Any) -> None:
    sent, steps = history
    for name in ("postgresql", "mariadb", "mariadb-portable"):
        place: Place = SQL_PLACES[name](Path())
        committed = play(place, steps)
        for table in ("account", "contact"):
            assert seen(place.rows(f"{table}_history"), exact=True) == expected(committed, table), name
        assert len(place.rows("_ledger")) == len(sent), name
