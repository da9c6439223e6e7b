"""Application properties as JSON text that keeps their types."""

import base64
import json
import math
from collections.abc import Mapping

Scalar = str | bytes | int | float | bool | None
"""Value of an application property."""


def properties_text(properties: Mapping[str, Scalar]) -> str:
    r"""Return application properties as a JSON object that keeps their types.

    Bytes stand as ``{"base64": "..."}``, numbers JSON has no form for as ``{"float": "..."}``.

    >>> properties_text({"b": b"\x00", "a": float("inf"), "c": 1.0})
    '{"a": {"float": "inf"}, "b": {"base64": "AA=="}, "c": 1.0}'
    """
    return json.dumps(plain_properties(properties), sort_keys=True)


def plain_properties(properties: Mapping[str, Scalar]) -> dict[str, object]:
    """Return application properties as values JSON has, in the form of :func:`properties_text`."""
    return {key: _as_json(value) for key, value in properties.items()}


def properties_of(text: str) -> dict[str, Scalar]:
    r"""Return the application properties of their JSON.

    >>> properties_of('{"a": {"float": "inf"}, "b": {"base64": "AA=="}, "c": 1.0}')
    {'a': inf, 'b': b'\x00', 'c': 1.0}

    Raises:
        ValueError: The text was not written by :func:`properties_text`.
    """
    return typed_properties(json.loads(text))


def typed_properties(values: object) -> dict[str, Scalar]:
    """Return the application properties of their plain values.

    Raises:
        ValueError: They were not made by :func:`plain_properties`.
    """
    if not isinstance(values, dict):
        raise ValueError("application properties are no object")  # noqa: TRY004 - what the text says is wrong
    return {str(key): _from_json(value) for key, value in values.items()}


def _as_json(value: Scalar) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _from_json(value: object) -> Scalar:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict) and isinstance(value.get("float"), str):
        return float(value["float"])
    if isinstance(value, dict) and isinstance(value.get("base64"), str):
        return base64.b64decode(value["base64"], validate=True)
    raise ValueError("an application property is neither a plain value, nor base64, nor a float")
