"""What each encoding tells of the values in an oracle, and what it loses.

Nothing of the flattener is used here.  JSON cuts dates to milliseconds, shifts some by an
hour, and does not say what a number is; text XML and binary XML tell all that an oracle does.
"""

import struct
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Protocol

from .notation import DATE, as_iso, at, dated, ticks_of
from .spelled import pairs_of, tree_of

Node = Mapping[str, Any]

OFFSET_IN_1970 = {"UTC": 0, "America/Los_Angeles": -480, "Asia/Kolkata": 330, "Australia/Lord_Howe": 600}
"""Minutes; they matter for the direction of rounding next to 1970 only."""

KINDS = {
    **dict.fromkeys(("Byte", "SByte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"), "integer"),
    "Decimal": "decimal",
    "Double": "double",
    "Single": "double",
}
"""What a number is, where the encoding tells."""


class Telling(Protocol):
    """One encoding of a case.

    Attributes:
        keeps_days: A date without time has its time exactly at midnight.
    """

    keeps_days: bool

    def ticks(self, path: str, value: Node) -> int:
        """Return what a date says: units of 100 ns since 1970."""

    def kind(self, value: Node) -> str:
        """Return what a number says it is: integer, decimal or double."""

    def digits(self, path: str, value: Node) -> str:
        """Return the digits of a number as they are written."""

    def bits(self, value: Node) -> float:
        """Return the double that is meant."""

    def is_date(self, text: str) -> bool:
        """Tell whether nothing tells this text from a date."""

    def tree(self, path: str, value: Node) -> Any:
        """Return a value as JSON text in a row has it, numbers as :func:`exact` reads them."""

    def pairs(self, path: str, values: Mapping[str, Node]) -> Any:
        """Return named values likewise."""


class JsonTelling:
    """The JSON of a case.

    Args:
        case: Its entry in the manifest.
        body: The body, as :func:`exact` reads it.
    """

    keeps_days = False

    def __init__(self, case: Node, body: Any) -> None:
        self._zone = case["writer_time_zone"]
        self._body = body
        self._slips = {slip["path"]: slip["rule_gives"] for slip in case["json_date_exceptions"]}

    def ticks(self, path: str, value: Node) -> int:
        """Return what ``ms + offset`` gives: the wall clock, its Unix time cut toward zero."""
        if path in self._slips:
            return ticks_of(self._slips[path]) // 10_000 * 10_000
        kept = OFFSET_IN_1970[self._zone] * 60_000 if value["kind"] != "Utc" else 0
        ticks = ticks_of(value["value"]) - kept * 10_000
        written = ticks // 10_000 if ticks >= 0 else -(-ticks // 10_000)
        return (written + kept) * 10_000

    def kind(self, _: Node) -> str:
        return "decimal"

    def digits(self, path: str, value: Node) -> str:
        text: str = self._verbatim(path)["number"]
        if value["type"] == "Double":
            assert repr(float(text)) == repr(self.bits(value)), "the oracle is not of this body"
        return text

    def bits(self, value: Node) -> float:
        return double_of(value)

    def is_date(self, text: str) -> bool:
        return DATE.fullmatch(text) is not None

    def tree(self, path: str, _: Node) -> Any:
        return dated(self._verbatim(path))

    def pairs(self, path: str, _: Mapping[str, Node]) -> Any:
        return dated(self._verbatim(path))

    def _verbatim(self, path: str) -> Any:
        """Return a part of the body by its path in the oracle."""
        found = at(self._body, path.split("/"))
        if isinstance(found, dict) and str(found.get("__type", "")).startswith("Money:"):
            return found["Value"]
        return found


class XmlTelling:
    """Text XML, or binary XML, of a case."""

    keeps_days = True

    def __init__(self, *, signs_zero: bool = True) -> None:
        self._signs_zero = signs_zero

    def ticks(self, _: str, value: Node) -> int:
        return ticks_of(value["utc"] or value["value"])

    def kind(self, value: Node) -> str:
        return KINDS[value["type"]]

    def digits(self, _: str, value: Node) -> str:
        if value["type"] == "Double":
            return as_dotnet(self.bits(value))
        is_lost = value["type"] == "Single" and value["value"] == "-0" and not self._signs_zero
        return "0" if is_lost else str(value["value"])

    def bits(self, value: Node) -> float:
        """Binary XML writes a double zero as the whole number 0, which has no sign."""
        held = double_of(value)
        return held if held or self._signs_zero else 0.0

    def is_date(self, _: str) -> bool:
        return False

    def tree(self, _: str, value: Node) -> Any:
        return tree_of(value, self)

    def pairs(self, _: str, values: Mapping[str, Node]) -> Any:
        return pairs_of(values, self)

    def number(self, value: Node) -> Any:
        return {"number": self.digits("", value)}

    def date(self, value: Node) -> str:
        return as_iso(self.ticks("", value))


def double_of(value: Node) -> float:
    """Return a double by its bits."""
    (held,) = struct.unpack(">d", bytes.fromhex(value["bits"]))
    return float(held)


def as_dotnet(value: float) -> str:
    """Return a finite double as ``R`` of .NET Framework has it: 15 digits, or 17 where it takes them."""
    text = f"{value:.15g}"
    return (text if float(text) == value else f"{value:.17g}").upper()


def is_held(text: str, scale: int) -> bool:
    """Tell whether a decimal of 38 digits, of which that many are decimals, holds a number."""
    digits, exponent = Decimal(text).as_tuple()[1:]
    assert isinstance(exponent, int)
    told = "".join(map(str, digits)).lstrip("0")
    kept = told.rstrip("0")
    exponent += len(told) - len(kept)
    return not kept or (-exponent <= scale and len(kept) + exponent <= 38 - scale)
