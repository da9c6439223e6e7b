"""Arrow columns as columns of a SQL database, so that every value comes back as it went in."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, postgresql

LONG_KEY: Final = 400
SHORT_KEY: Final = 190
"""Characters of texts that stand in a key or a comparison.  Event ids and names of queues
need at most the former; two of the latter still fit one key in every database."""

_LONG: Final = frozenset({"_event_id", "_order", "entity"})


_ZONED: Final = frozenset({"postgresql", "duckdb", "bigquery"})
"""Databases whose type of instants knows UTC."""


class _Written(sa.types.UserDefinedType[Any]):
    """A type as a database writes it, where SQLAlchemy would choose another."""

    cache_ok = True

    def __init__(self, spec: str) -> None:
        self.spec = spec

    def get_col_spec(self, **_options: Any) -> str:
        """Return how the type is written."""
        return self.spec


class ExactDecimal(sa.types.TypeDecorator[Decimal]):
    """NUMERIC; on SQLite text, for SQLite computes NUMERIC in binary floating point.

    The text is plain digits as SQL writes them, never an exponent.  See
    https://www.sqlite.org/datatype3.html, section 3.
    """

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the type of the database."""
        if dialect.name == "bigquery":
            # its NUMERIC holds 29 digits before the point
            own: Any = self.impl_instance
            return _Written(f"BIGNUMERIC({own.precision}, {own.scale})")
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else self.impl_instance)

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> Any:
        """Return what the driver takes."""
        return format(value, "f") if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:  # noqa: ARG002
        """Return the number."""
        return None if value is None else Decimal(value)


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant in UTC, microseconds; without a zone where the database has no type with one."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the type of the database, with six digits after the second."""
        if dialect.name == "mssql":
            return dialect.type_descriptor(mssql.DATETIME2(6))
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        if dialect.name == "bigquery":
            return _Written("TIMESTAMP")
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name in _ZONED))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the instant as the database has it."""
        if value is None:
            return None
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return aware if dialect.name in _ZONED else aware.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Return the instant with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def column_type(name: str, arrow_type: pa.DataType, *, key: bool = False) -> sa.types.TypeEngine[Any]:
    """Return the SQL type of a column.

    Args:
        name: The column.
        arrow_type: One that :func:`cdsbridge.sinks.arrow_types.type_name` knows.
        key: Whether it stands in a key or a comparison: a text is then of bounded length, compared by bytes.

    Raises:
        TypeError: There is none.
    """
    if pa.types.is_decimal128(arrow_type):
        return ExactDecimal(arrow_type.precision, arrow_type.scale)
    if pa.types.is_string(arrow_type):
        return _key_text(LONG_KEY if name in _LONG else SHORT_KEY) if key else _TEXT
    if pa.types.is_timestamp(arrow_type):
        return Instant()
    for test, sql_type in _PLAIN:
        if test(arrow_type):
            return sql_type
    raise TypeError(f"No database column holds Arrow type {arrow_type}")


_BYTES: Final = (
    sa.LargeBinary()
    .with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
    .with_variant(mssql.VARBINARY("max"), "mssql")
)

_PLAIN: Final[tuple[tuple[Callable[[pa.DataType], bool], sa.types.TypeEngine[Any]], ...]] = (
    (pa.types.is_int64, sa.BigInteger()),
    (pa.types.is_boolean, sa.Boolean()),
    (pa.types.is_date32, sa.Date().with_variant(mssql.DATE(), "mssql")),
    (pa.types.is_float64, sa.Double()),
    (pa.types.is_binary, _BYTES),
)

_TEXT: Final = (
    sa.Text()
    .with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    .with_variant(mssql.NVARCHAR(), "mssql")
)


def _key_text(length: int) -> sa.types.TypeEngine[Any]:
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
        .with_variant(mssql.NVARCHAR(length, collation="Latin1_General_100_BIN2"), "mssql")
    )


def python_values(column: pa.ChunkedArray) -> list[Any]:
    """Return a column as the values SQLAlchemy binds; instants in UTC without a zone."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us")).to_pylist()
    return column.to_pylist()


def sqlite_values(column: pa.ChunkedArray) -> list[Any]:
    """Return a column as the values SQLite stores, the same that SQLAlchemy's types would give.

    Instants and dates become text in Arrow, a column at a time.
    """
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us")).cast(pa.string()).to_pylist()
    if pa.types.is_date32(kind):
        return column.cast(pa.string()).to_pylist()
    if pa.types.is_decimal128(kind):
        return _decimal_texts(column)
    return column.to_pylist()


def _decimal_texts(column: pa.ChunkedArray) -> list[str | None]:
    texts = column.cast(pa.string())
    if not pc.any(pc.match_substring(texts, "E")).as_py():
        return texts.to_pylist()
    return [None if value is None else format(value, "f") for value in column.to_pylist()]


def arrow_column(values: list[Any], arrow_type: pa.DataType) -> pa.Array:
    """Return values as Arrow; instants as :func:`column_type` gives them, or as SQLite's text."""
    if pa.types.is_timestamp(arrow_type):
        if any(isinstance(value, str) for value in values):
            return pa.array(values, pa.string()).cast(pa.timestamp("us")).cast(arrow_type)
        micros = [None if v is None else _microseconds(v) for v in values]
        return pa.array(micros, pa.int64()).cast(arrow_type)
    return pa.array(values, arrow_type)


def _microseconds(instant: datetime) -> int:
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


Value = str | int | float | bool | bytes | Decimal | datetime | date | None
"""What a cell may be in Python."""
