"""Formatted values: what a person would be shown."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, tzinfo
from functools import partial
from typing import Any, Final

from .metadata import Column, Table
from .values import Value


def labels(table: Table, attributes: Mapping[str, Value], zone: tzinfo) -> dict[str, str]:
    """Return the formatted values of some attributes.

    Choices, states and two options by their labels (several joined by
    ``"; "``), numbers with separators, dates in the user's zone, lookups by
    name where they have one.  Text, GUIDs and nulls have none.

    Args:
        table: Metadata of the attributes.
        attributes: Column to value.
        zone: Time zone of the user.
    """
    columns = table.columns
    found: dict[str, str] = {}
    for name, value in attributes.items():
        column = columns[name]
        form = _FORMS.get(column.kind)
        if form is not None and value is not None and name != "exchangerate":
            label = form(column, value, zone)
            if label is not None:
                found[name] = label
    return found


def _date(column: Column, value: date, zone: tzinfo) -> str:
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(zone).isoformat()
    wall = value if isinstance(value, datetime) else datetime.combine(value, time())
    return f"{wall:%Y-%m-%d}" if column.behavior == "DateOnly" else wall.isoformat()


def _number(form: str, _: Column, value: object, __: tzinfo) -> str:
    return format(value, form)


_Form = Callable[[Column, Any, tzinfo], str | None]
_by_name: Final[_Form] = lambda _, value, __: value.name  # noqa: E731
_by_option: Final[_Form] = lambda column, value, _: column.options[value.value]  # noqa: E731

_FORMS: Final[Mapping[str, _Form]] = {
    "Boolean": lambda column, value, _: column.options[int(value)],
    "Customer": _by_name,
    "DateTime": _date,
    "Decimal": partial(_number, ",f"),
    "Double": partial(_number, ",.2f"),
    "Integer": partial(_number, ","),
    "Lookup": _by_name,
    "Money": lambda _, value, __: f"€{value.value:,.2f}",
    "MultiSelectPicklist": lambda column, value, _: "; ".join([column.options[o] for o in value.values]),
    "Owner": _by_name,
    "Picklist": _by_option,
    "State": _by_option,
    "Status": _by_option,
}
