"""The statements that write rows, one by one, so that writing them again changes nothing.

History: a row is inserted unless its event is there.  If it is, and the row
at hand has the lower ``_order`` (then the earlier ``_received_at``), it gives
its delivery columns to the row that is there.  So any order and any number of
posts of an event end in the same row; of what the sink itself stamps,
``SinkCreatedOn`` stays and ``SinkModifiedOn`` tells of the last change.

Ledger and quarantine: a row is inserted unless its message is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ...tables.columns import DELIVERY

REPLACED: Final = (*DELIVERY, "SinkModifiedOn")
"""Columns of a row that is there which an earlier post of its event gives anew."""

_NATIVE: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement for many rows.

    Attributes:
        clause: For SQLAlchemy, with parameters ``P<i>`` for column number i; or
            text for the driver, with parameters by position.
        columns: Names in the sink of the columns whose values it takes, numbered from 0.
    """

    clause: sa.Insert | sa.Update | sa.Delete | str
    columns: tuple[str, ...]


def history_statements(table: sa.Table, columns: Sequence[str], native: str | None) -> list[Statement]:
    """Return what to execute for every row of a history table.

    Args:
        table: Keys of its columns are their names in the sink.
        columns: The columns that have values, all system columns of delivery among them.
        native: ``sqlite`` or ``postgresql`` for the one statement these have,
            ``None`` for the pair of statements any database has.
    """
    if native is None:
        return [_update_later_post(table), _insert_absent(table, columns, ("_event_id",))]
    insert = _insert(native, table, columns)
    theirs = insert.excluded
    update = insert.on_conflict_do_update(
        index_elements=[table.c["_event_id"]],
        set_={table.c[name].name: theirs[name] for name in REPLACED},
        where=is_earlier(theirs["_order"], theirs["_received_at"], table),
    )
    return [Statement(update, tuple(columns))]


def absent_statements(
    table: sa.Table, columns: Sequence[str], key: Sequence[str], native: str | None
) -> list[Statement]:
    """Return what inserts the rows whose key is absent; arguments as above."""
    if native is None:
        return [_insert_absent(table, columns, key)]
    insert = _insert(native, table, columns)
    return [
        Statement(insert.on_conflict_do_nothing(index_elements=[table.c[k] for k in key]), tuple(columns))
    ]


def delete_statement(table: sa.Table, column: str) -> Statement:
    """Return what deletes the rows with a value."""
    same = table.c[column] == _parameter(table, column, 0)
    return Statement(sa.delete(table).where(same), (column,))


def insert_statement(table: sa.Table, columns: Sequence[str]) -> Statement:
    """Return what inserts rows."""
    given = {table.c[name]: _parameter(table, name, i) for i, name in enumerate(columns)}
    return Statement(sa.insert(table).values(given), tuple(columns))


def for_driver(statement: Statement, dialect: sa.Dialect) -> Statement:
    """Return a statement as text for the driver, which spares SQLAlchemy a visit to every cell."""
    if isinstance(statement.clause, str):
        return statement
    compiled: Any = statement.clause.compile(dialect=dialect)
    numbers = [int(parameter[1:]) for parameter in compiled.positiontup]
    return Statement(str(compiled), tuple(statement.columns[number] for number in numbers))


def is_earlier(order: Any, received_at: Any, table: sa.Table) -> sa.ColumnElement[bool]:
    """Return whether a post is to be told of rather than the one whose row is there."""
    same = sa.and_(order == table.c["_order"], received_at < table.c["_received_at"])
    return sa.or_(order < table.c["_order"], same)


def _insert(native: str, table: sa.Table, columns: Sequence[str]) -> Any:
    return _NATIVE[native](table).values({table.c[n]: _parameter(table, n, i) for i, n in enumerate(columns)})


def _parameter(table: sa.Table, name: str, number: int) -> sa.BindParameter[Any]:
    return sa.bindparam(f"P{number}", type_=table.c[name].type)


def _update_later_post(table: sa.Table) -> Statement:
    columns = (*REPLACED, "_event_id")
    given = {name: _parameter(table, name, i) for i, name in enumerate(columns)}
    update = (
        sa.update(table)
        .where(table.c["_event_id"] == given["_event_id"])
        .where(is_earlier(given["_order"], given["_received_at"], table))
        .values({table.c[name]: given[name] for name in REPLACED})
    )
    return Statement(update, columns)


def _insert_absent(table: sa.Table, columns: Sequence[str], key: Sequence[str]) -> Statement:
    given = {name: _parameter(table, name, i) for i, name in enumerate(columns)}
    there = table.alias("there")
    same = sa.and_(*(there.c[name] == given[name] for name in key))
    absent = ~sa.exists(sa.select(sa.literal_column("1")).select_from(there).where(same))
    # BigQuery has no WHERE without FROM
    one = sa.select(sa.literal_column("1").label("one")).subquery("one")
    rows = sa.select(*given.values()).select_from(one).where(absent)
    return Statement(sa.insert(table).from_select([table.c[n] for n in columns], rows), tuple(columns))
