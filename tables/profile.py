"""Which columns tables show: ours, or those that users of Azure Synapse Link know.

``synapse-compat`` leaves the labels of choices to the metadata tables and adds
``PartitionId``, the year of ``createdon``
(https://learn.microsoft.com/power-apps/maker/data-platform/azure-synapse-link-data-lake).
"""

from collections.abc import Mapping
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from .names import label_name

Profile = Literal["native", "synapse-compat"]

PARTITION: Final = "PartitionId"
"""Text: the year of ``createdon``, null where that is not known."""

_CREATED: Final = "createdon"


def shown(columns: Mapping[str, pa.DataType], profile: Profile) -> dict[str, pa.DataType]:
    """Return the columns a table has under a profile, in their order.

    >>> list(shown({"kind": pa.int64(), "kindname": pa.string(), "name": pa.string()}, "synapse-compat"))
    ['kind', 'name', 'PartitionId']
    """
    if profile == "native":
        return dict(columns)
    labels = {
        label_name(name)
        for name, kind in columns.items()
        if pa.types.is_integer(kind) or pa.types.is_boolean(kind)
    }
    kept = {name: kind for name, kind in columns.items() if name not in labels}
    kept.setdefault(PARTITION, pa.string())
    return kept


def partitions(rows: pa.Table) -> pa.Array | pa.ChunkedArray:
    """Return the ``PartitionId`` of each row."""
    if _CREATED not in rows.column_names or not pa.types.is_temporal(rows.column(_CREATED).type):
        return pa.nulls(rows.num_rows, pa.string())
    return pc.year(rows.column(_CREATED)).cast(pa.string())


def with_partitions(rows: pa.Table) -> pa.Table:
    """Return rows whose ``PartitionId``, if they have that column, is filled."""
    at = rows.schema.get_field_index(PARTITION)
    return rows if at < 0 else rows.set_column(at, rows.schema.field(at), partitions(rows))
