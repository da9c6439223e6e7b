"""The three forms in which a service endpoint posts contexts."""

from collections.abc import Iterable
from datetime import tzinfo
from enum import StrEnum

from .binary_writer import BinaryWriter
from .context import Writer
from .json_writer import JsonWriter
from .xml_writer import XmlWriter


class Encoding(StrEnum):
    """A message format of a service endpoint.

    Source: https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/serviceendpoint
    """

    JSON = "json"
    XML = "xml"
    BINARY = "binary"


def encodings(names: Iterable[str]) -> tuple[Encoding, ...]:
    """Return encodings by their names.

    Raises:
        ValueError: There is none, or one is unknown.
    """
    wanted = tuple(names)
    unknown = sorted(set(wanted) - set(Encoding))
    if unknown or not wanted:
        known = ", ".join(Encoding)
        raise ValueError(f"no encoding is called {', '.join(unknown) or 'nothing'}; there are {known}")
    return tuple(map(Encoding, wanted))


def writer(encoding: Encoding, zone: tzinfo) -> Writer:
    """Return what writes contexts in an encoding.

    Args:
        encoding: The form.
        zone: Time zone of the server, which shows in unmarked dates of JSON.
    """
    match encoding:
        case Encoding.JSON:
            return JsonWriter(zone)
        case Encoding.XML:
            return XmlWriter()
        case Encoding.BINARY:
            return BinaryWriter()
