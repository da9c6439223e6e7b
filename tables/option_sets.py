"""What codes and lookups mean, learnt from the rows: the metadata tables of Azure Synapse Link.

Rows carry labels beside codes, and tables beside keys.  Of each code the
label that was told last stands in ``OptionsetMetadata``, ``StateMetadata`` or
``StatusMetadata``; each table a lookup has pointed to stands in ``TargetMetadata``.
They are states like any other, so order and repetition change nothing.  A label's
order is the hour it was told in, then the label: else every flush would write
these tables again only to say when.

Names and columns:
https://learn.microsoft.com/power-apps/maker/data-platform/azure-synapse-link-choice-labels.  A
message does not tell whether an option set is global, so none stands in
``GlobalOptionsetMetadata``; the language is the one of whoever caused the message
(``LocalizedLabelLanguageCode`` is null).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from .columns import SYSTEM as HISTORY
from .fold import SYSTEM
from .names import label_name, target_name
from .schema import TableSchema

_LABEL: Final[Mapping[str, pa.DataType]] = {
    "IsUserLocalizedLabel": pa.bool_(),
    "LocalizedLabelLanguageCode": pa.int64(),
    "LocalizedLabel": pa.string(),
}

COLUMNS: Final[Mapping[str, Mapping[str, pa.DataType]]] = {
    "OptionsetMetadata": {
        "EntityName": pa.string(),
        "OptionSetName": pa.string(),
        "Option": pa.int64(),
        **_LABEL,
    },
    "StateMetadata": {"EntityName": pa.string(), "State": pa.int64(), **_LABEL},
    "StatusMetadata": {"EntityName": pa.string(), "State": pa.int64(), "Status": pa.int64(), **_LABEL},
    "TargetMetadata": {
        "EntityName": pa.string(),
        "AttributeName": pa.string(),
        "ReferencedEntity": pa.string(),
        "ReferencedAttribute": pa.string(),
    },
}
"""The tables and their columns beside the system columns of a state."""

_STATE: Final = "statecode"
_STATUS: Final = "statuscode"
_HOUR: Final = 3_600_000_000
"""Microseconds."""


def metadata_schema(name: str) -> TableSchema:
    """Return the schema of one of the tables.

    Args:
        name: A key of :data:`COLUMNS`.
    """
    first = {key: kind for key, kind in SYSTEM.items() if key in {"Id", "IsDelete"}}
    return TableSchema(name, {**first, **COLUMNS[name], **SYSTEM})


def learnt(rows: Mapping[str, pa.Table]) -> Iterator[tuple[str, pa.Table]]:
    """Yield name of a metadata table and what rows say of it, as changes to fold.

    Args:
        rows: Logical name of a table to rows of its history.
    """
    found: dict[str, list[pa.Table]] = {}
    for table, some in rows.items():
        for column, kind in zip(some.column_names, some.schema.types, strict=True):
            if column in HISTORY:
                continue
            if label_name(column) in some.column_names and (
                pa.types.is_integer(kind) or pa.types.is_boolean(kind)
            ):
                name, told = _labels(table, some, column)
            elif pa.types.is_string(kind) and target_name(column) in some.column_names:
                name, told = "TargetMetadata", _targets(table, some, column)
            else:
                continue
            if told.num_rows:
                found.setdefault(name, []).append(told)
    for name, parts in found.items():
        yield name, pa.concat_tables(parts)


def _labels(table: str, rows: pa.Table, column: str) -> tuple[str, pa.Table]:
    name = {_STATE: "StateMetadata", _STATUS: "StatusMetadata"}.get(column, "OptionsetMetadata")
    code = {_STATE: "State", _STATUS: "Status"}.get(column, "Option")
    parts = {
        "code": rows.column(column).cast(pa.int64()),
        "label": rows.column(label_name(column)),
        "state": rows.column(_STATE)
        if column == _STATUS and _STATE in rows.column_names
        else pa.nulls(rows.num_rows, pa.int64()),
        "_order": _hourly(rows.column("_order"), rows.column(label_name(column))),
    }
    told = _latest(pa.table(parts))
    count = told.num_rows
    said = {
        "EntityName": pa.repeat(table, count),
        "OptionSetName": pa.repeat(column, count),
        code: told.column("code"),
        "State": told.column("state") if column == _STATUS else told.column("code"),
        "IsUserLocalizedLabel": pa.repeat(pa.scalar(True), count),
        "LocalizedLabelLanguageCode": pa.nulls(count, pa.int64()),
        "LocalizedLabel": told.column("label"),
    }
    return name, _changes(name, said, told, f"{table}.{column}.", told.column("code").cast(pa.string()))


def _hourly(orders: pa.ChunkedArray, labels: pa.ChunkedArray) -> pa.ChunkedArray:
    hours = pc.divide(pc.utf8_slice_codeunits(orders, 0, 18).cast(pa.int64()), _HOUR)
    return pc.binary_join_element_wise(pc.utf8_lpad(hours.cast(pa.string()), 10, "0"), labels, ".")


def _latest(rows: pa.Table) -> pa.Table:
    """Return for each code the row of the highest order; without a label there is none."""
    kept = rows.filter(pc.and_(rows.column("code").is_valid(), rows.column("_order").is_valid()))
    ranked = kept.sort_by([("code", "ascending"), ("_order", "descending")])
    codes = ranked.column("code").combine_chunks()
    first = pc.not_equal(codes.slice(1), codes.slice(0, max(len(codes) - 1, 0)))
    return ranked.filter(pa.concat_arrays([pa.array([True] * min(len(codes), 1), pa.bool_()), first]))


def _targets(table: str, rows: pa.Table, column: str) -> pa.Table:
    targets = pc.unique(rows.column(target_name(column)).drop_null())
    count = len(targets)
    said = {
        "EntityName": pa.repeat(table, count),
        "AttributeName": pa.repeat(column, count),
        "ReferencedEntity": targets,
        "ReferencedAttribute": pc.binary_join_element_wise(targets, "id", ""),
    }
    told = pa.table({"_order": pa.repeat("", count)})
    return _changes("TargetMetadata", said, told, f"{table}.{column}.", targets)


def _changes(
    name: str, said: Mapping[str, pa.Array], told: pa.Table, prefix: str, last: pa.Array
) -> pa.Table:
    count = told.num_rows
    data = {column: said[column] for column in COLUMNS[name]}
    changed = msgspec.json.encode(sorted(data)).decode()
    return pa.table(
        {
            "Id": pc.binary_join_element_wise(pa.repeat(prefix, count), last, ""),
            "_event_id": pa.repeat("", count),
            "_op": pa.repeat("update", count),
            "_message": pa.nulls(count, pa.string()),
            "_order": told.column("_order"),
            "_changed": pa.repeat(changed, count),
            "_truncated": pa.repeat(pa.scalar(False), count),
            **data,
        }
    )
