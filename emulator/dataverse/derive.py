"""Columns the platform computes from the ones a client sets."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from .metadata import Table
from .scalars import Guid, Long
from .values import Money, Reference, Value

_CENT_OF_CENT: Final = Decimal("0.0001")
_NAME: Final = ("firstname", "lastname")
_ADDRESS: Final = ("line1", "line2", "city", "stateorprovince", "postalcode", "country")
_TICKS_TO_1970: Final = 621_355_968_000_000_000


def derive(
    table: Table, before: Mapping[str, Value], changes: dict[str, Value], rate: Decimal, now: datetime
) -> None:
    """Add to the changes of a row what follows from them.

    Base amounts, a contact's full name, composite addresses, the table a
    task regards, and the companions of a picture.

    Args:
        table: The row's table.
        before: The row so far; of a new one only the key.
        changes: Column to new value; extended in place.
        rate: Exchange rate of the row's currency.
        now: Aware; the time stamp of a new picture.
    """
    _base_amounts(table, changes, rate)
    if any(part in changes for part in _NAME):
        parts = [_text(before, changes, part) for part in _NAME]
        changes["fullname"] = changes["yomifullname"] = " ".join([part for part in parts if part]) or None
    for prefix in ("address1", "address2"):
        if any(f"{prefix}_{part}" in changes for part in _ADDRESS):
            lines = [_text(before, changes, f"{prefix}_{part}") for part in _ADDRESS]
            changes[f"{prefix}_composite"] = "\r\n".join([line for line in lines if line]) or None
    if "regardingobjectid" in changes:
        regarding = changes["regardingobjectid"]
        changes["regardingobjecttypecode"] = (
            regarding.logical_name if isinstance(regarding, Reference) else None
        )
    if "entityimageid" in changes:
        _picture(table, before, changes, now)


def _base_amounts(table: Table, changes: dict[str, Value], rate: Decimal) -> None:
    for name in list(changes):
        if table.columns[name].kind == "Money" and f"{name}_base" in table.columns:
            amount = changes[name]
            base = Money((amount.value / rate).quantize(_CENT_OF_CENT)) if isinstance(amount, Money) else None
            changes[f"{name}_base"] = base


def _text(before: Mapping[str, Value], changes: Mapping[str, Value], name: str) -> str:
    value = changes[name] if name in changes else before.get(name)
    return value if isinstance(value, str) else ""


def _picture(table: Table, before: Mapping[str, Value], changes: dict[str, Value], now: datetime) -> None:
    picture = changes["entityimageid"]
    if not isinstance(picture, Guid):
        changes["entityimage_timestamp"] = changes["entityimage_url"] = None
        return
    stamp = _TICKS_TO_1970 + int(now.timestamp()) * 10_000_000
    key = before[table.primary_id]
    changes["entityimage_timestamp"] = Long(stamp)
    changes["entityimage_url"] = (
        f"/Image/download.aspx?Entity={table.name}&Attribute=entityimage&Id={key!s}&Timestamp={stamp}"
    )
