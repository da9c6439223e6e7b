"""Several writers on one database at once."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cdsbridge.model.errors import Fenced, SinkUnavailable
from cdsbridge.sinks.base import Claim, Flush
from cdsbridge.sinks.testing import Place
from cdsbridge.sinks.testing.history import NO_ENDINGS, NO_REJECTS, TABLE, opened, rows_for
from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.schema import TableSchema
from cdsbridge.tables.state import StateChanges, state_schema

from .sql_places import SQL_PLACES

WRITERS = 4
ROUNDS = 12
DATA = {f"c{number}": pa.int64() for number in range(WRITERS)}
SCHEMA = TableSchema(TABLE, {**SYSTEM, **DATA})
STATE = state_schema("account", DATA)


def together(count: int, action: Callable[[int], None]) -> None:
    """Run an action at once in several threads; what one raises is raised."""
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        action(number)

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(run, range(count)))


def insist(action: Callable[[], object]) -> None:
    """Do something again while the database is busy, as a bridge does."""
    for _ in range(200):
        try:
            action()
        except SinkUnavailable:
            continue
        return
    raise AssertionError("the database stayed away")


def said(number: int, step: int) -> Flush:
    """One event, by which a writer sets its own column of the row all share."""
    event = f"e{number}-{step}-0"
    told: dict[str, list[Any]] = {
        "Id": ["k"],
        "_op": ["update"],
        "_message": ["Update"],
        "_truncated": [False],
        "_order": [f"{step:04d}.{event}"],
        "_changed": [json.dumps([f"c{number}"])],
        f"c{number}": [step],
    }
    rows = rows_for(SCHEMA, [event], told)
    return Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS, {"account": StateChanges(STATE, "Id", rows)}, now=1)


@pytest.mark.parametrize("name", sorted(SQL_PLACES))
def test_writers_that_begin_and_write_at_once_lose_nothing_of_a_row_they_share(
    name: str, tmp_path: Path
) -> None:
    place: Place = SQL_PLACES[name](tmp_path)

    def write(number: int) -> None:
        def once() -> None:
            with opened(place) as writer:
                writer.prepare(SCHEMA)
                writer.prepare(STATE)
                for step in range(ROUNDS):
                    insist(lambda step=step: writer.commit(writer.stage(said(number, step))))  # type: ignore[misc]

        insist(once)

    together(WRITERS, write)
    (row,) = place.rows("account")
    assert [row[name] for name in DATA] == [ROUNDS - 1] * WRITERS
    assert len(place.rows(TABLE)) == WRITERS * ROUNDS


@pytest.mark.parametrize("name", sorted(SQL_PLACES))
def test_a_worker_of_a_bridge_that_was_replaced_does_not_take_the_database_back(
    name: str, tmp_path: Path
) -> None:
    place: Place = SQL_PLACES[name](tmp_path)
    claims = [Claim(run, f"bridge {run}") for run in ("one", "two", "three")]
    for claim in claims:
        place.sink.open(claim).close()
    for claim in claims[:2]:
        with pytest.raises(Fenced, match="bridge three has taken over"):
            place.sink.open(claim)
    with closing(place.sink.open(claims[2])) as writer:
        writer.prepare(SCHEMA)
        writer.prepare(STATE)
        writer.commit(writer.stage(said(0, 1)))
    assert len(place.rows("account")) == 1
