"""Views: the rows that are alive, and what each row was at each time.

``<table>_active`` is the state without tombstones.  ``<table>_scd2`` is made of
the history in the order of events, so what comes late lands where it belongs.
Its intervals are half-open: a row was so from ``_valid_from`` until just before
``_valid_to``, which is null for the row that is current.

A message tells only some columns.  The view carries each on from the last
event that told it, by the rules of :mod:`cdsbridge.tables.presence`, and
carries nothing from before a delete into a row that was made again.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

import pyarrow as pa
import sqlalchemy as sa

from ...tables.columns import SYSTEM, history_name
from ...tables.names import EVENT_TABLE, PARTY_TABLE, label_name, target_name
from ...tables.presence import stem
from ...tables.schema import TableSchema
from ...tables.state import is_state
from .names import fitted

_NONE: Final = frozenset(history_name(name) for name in (EVENT_TABLE, PARTY_TABLE))
"""Histories that are no rows which change one column at a time."""

_SHOWN: Final = ("Id", "_op", "_order", "_event_id", "_occurred_at", "IsDelete")


def view_of(table: sa.Table, schema: TableSchema) -> tuple[str, sa.Select[Any]] | None:
    """Return the name of the view that goes with a table, and its query.

    Args:
        table: A history or a state.
        schema: Its columns.
    """
    if is_state(schema):
        return f"{schema.table}_active", active(table)
    if schema.table in _NONE:
        return None
    return f"{schema.table.removesuffix(history_name(''))}_scd2", validity(table, schema)


def active(table: sa.Table) -> sa.Select[Any]:
    """Return the query of the rows of a state that are not deleted."""
    alive = sa.or_(table.c["IsDelete"].is_(None), table.c["IsDelete"] == sa.false())
    return sa.select(*(column for column in table.columns if column.key != "_versions")).where(alive)


def validity(table: sa.Table, schema: TableSchema) -> sa.Select[Any]:
    """Return the query of what each row was, and from when until when."""
    data = {name: kind for name, kind in schema.columns.items() if name not in SYSTEM}
    lives = _lives(table, data)
    columns = _carried(lives, _Told(lives, data)).c
    until = sa.func.lead(columns["_occurred_at"]).over(partition_by=columns["Id"], order_by=columns["_order"])
    first, last = (
        [columns[name].label(table.c[name].name) for name in names]
        for names in (("Id", "IsDelete", "_op"), ("_order", "_event_id"))
    )
    own = [columns[_short(at)].label(table.c[name].name) for at, name in enumerate(data)]
    return sa.select(
        *first,
        columns["_occurred_at"].label("_valid_from"),
        until.label("_valid_to"),
        sa.case((until.is_(None), sa.true()), else_=sa.false()).label("_is_current"),
        *last,
        *own,
    ).where(sa.or_(columns["_life"] == 0, columns["_born"] > 0))


def _yes() -> sa.ColumnElement[int]:
    return sa.literal_column("1")


def _no() -> sa.ColumnElement[int]:
    return sa.literal_column("0")


def _short(at: int) -> str:
    """Return what a data column is called within a view: its own name may be too long to be kept apart."""
    return f"_c{at}"


def _lives(table: sa.Table, data: Mapping[str, pa.DataType]) -> sa.Subquery:
    """Return the history, and how many deletes of its row stand before each event."""
    deletes = sa.func.sum(sa.case((table.c["_op"] == "delete", _yes()), else_=_no()))
    before = deletes.over(partition_by=table.c["Id"], order_by=table.c["_order"], rows=(None, -1))
    system = [table.c[name].label(name) for name in (*_SHOWN, "_changed")]
    own = [table.c[name].label(_short(at)) for at, name in enumerate(data)]
    life = sa.func.coalesce(before, _no()).label("_life")
    return sa.select(*system, *own, life).where(table.c["Id"].is_not(None)).subquery("lives")


class _Told:
    """Whether an event tells a column.

    Args:
        events: The events.
        data: Columns and their types.
    """

    def __init__(self, events: sa.Subquery, data: Mapping[str, pa.DataType]) -> None:
        self.data = data
        self._changed = events.c["_changed"]
        self._columns = {name: events.c[_short(at)] for at, name in enumerate(data)}

    def companion(self, name: str) -> str | None:
        """Return the column beside which one stands, or ``None``."""
        return next((each for each in stem(name) if each in self.data and self._may_label(name, each)), None)

    def itself(self, name: str) -> sa.ColumnElement[bool]:
        """Return whether a column is told by itself."""
        column = self._columns[name]
        # no LIKE: how its escape is written differs, and names are full of underscores
        sent = sa.func.replace(self._changed, f'"{name}"', "") != self._changed
        beside = self.companion(name)
        if beside is None:
            return sa.or_(column.is_not(None), sent)
        goes = sa.and_(self.itself(beside), self._labels(name, beside))
        return sa.or_(sent, sa.and_(column.is_not(None), sa.case((goes, _no()), else_=_yes()) == _yes()))

    def _may_label(self, name: str, beside: str) -> bool:
        if not name.endswith(label_name("")) or name == target_name(beside):
            return True
        kind = self.data[beside]
        return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_string(kind))

    def _labels(self, name: str, beside: str) -> sa.ColumnElement[bool]:
        """Return whether, of an event, the column is a label and not a column of its own."""
        if not name.endswith(label_name("")) or not pa.types.is_string(self.data[beside]):
            return sa.true()
        points = target_name(beside)
        # codes of a multi-select choice: nothing is left without digits, minus and semicolon
        rest: sa.ColumnElement[Any] = reduce(
            lambda found, character: sa.func.replace(found, character, ""),
            "0123456789;-",
            self._columns[beside],
        )
        codes = sa.and_(self._columns[beside].is_not(None), rest == "")
        return sa.or_(self._columns[points].is_not(None), codes) if points in self.data else codes


def _carried(lives: sa.Subquery, told: _Told) -> sa.Subquery:
    """Return the events with every column as the last event told it."""

    def counted(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        said = sa.func.count(sa.case((condition, _yes())))
        life = [lives.c["Id"], lives.c["_life"]]
        return said.over(partition_by=life, order_by=lives.c["_order"], rows=(None, 0))

    place = {name: at for at, name in enumerate(told.data)}
    counts = [counted(told.itself(name)).label(f"_n{at}") for name, at in place.items()]
    born = counted(lives.c["_op"] == "create").label("_born")
    taken = [lives.c[name] for name in (*_SHOWN, "_life", *map(_short, place.values()))]
    events = sa.select(*taken, born, *counts).subquery("events").c

    def last(name: str, by: str) -> sa.ColumnElement[Any]:
        told_once = [events["Id"], events["_life"], events[f"_n{place[by]}"]]
        values = sa.func.first_value(events[_short(place[name])])
        return values.over(partition_by=told_once, order_by=events["_order"])

    def value(name: str) -> sa.ColumnElement[Any]:
        beside = told.companion(name)
        if beside is None:
            return last(name, name)
        return sa.case((events[f"_n{place[name]}"] > 0, last(name, name)), else_=last(name, beside))

    kept = [events[name] for name in (*_SHOWN, "_life", "_born")]
    return sa.select(*kept, *(value(name).label(_short(at)) for name, at in place.items())).subquery(
        "carried"
    )


def create_view(connection: sa.Connection, name: str, schema: str | None, query: sa.Select[Any]) -> None:
    """Create a view, or replace one that has other columns.

    Args:
        connection: In a transaction.
        name: Of the view, as the sink knows it.
        schema: The database's schema, or ``None`` for its default.
        query: What it shows.
    """
    dialect = connection.dialect
    view = fitted(name, dialect.name)
    wanted = [column.name for column in query.selected_columns]
    inspector = sa.inspect(connection)
    if view in inspector.get_view_names(schema):
        if [column["name"] for column in inspector.get_columns(view, schema=schema)] == wanted:
            return
        if dialect.name == "sqlite":
            _execute(connection, f"DROP VIEW {_quoted(dialect, view, schema)}")
    _execute(connection, view_ddl(dialect, view, schema, query))


def view_ddl(dialect: sa.Dialect, view: str, schema: str | None, query: sa.Select[Any]) -> str:
    """Return the statement that creates or replaces a view."""
    kind: Any = type(dialect)
    plain = kind(paramstyle="named")
    text = query.compile(dialect=plain, compile_kwargs={"literal_binds": True})
    create = {"sqlite": "CREATE VIEW", "mssql": "CREATE OR ALTER VIEW"}.get(
        dialect.name, "CREATE OR REPLACE VIEW"
    )
    return f"{create} {_quoted(dialect, view, schema)} AS {text}"


def _quoted(dialect: sa.Dialect, view: str, schema: str | None) -> str:
    return dialect.identifier_preparer.format_table(sa.Table(view, sa.MetaData(), schema=schema))


def _execute(connection: sa.Connection, statement: str) -> None:
    # without parameters, a percent sign is a percent sign
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
