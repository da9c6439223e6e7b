"""Messages to begin with: the conformance sets, simulated traffic, and wrapped forms of both."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cdsbridge.emulator.dataverse import Organization, metadata, traffic
from cdsbridge.emulator.dataverse.wrappers import as_json_string, wrapped_bytes, wrapped_text
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.tables.types import ColumnTypes
from cdsbridge.transforms.encodings import Encoding, first_encoding

KINDS: Final = ("json", "xml", "binary", "wrapped")
CONFORMANCE: Final = Path(__file__).parents[2] / "shared" / "conformance"
_NAMES: Final = {Encoding.JSON: "json", Encoding.XML: "xml", Encoding.BINARY: "binary"}
_WHOLE: Final = frozenset({".json", ".xml", ".bin"})
_BESIDE: Final = (".oracle.json", ".params.json", "MANIFEST.json", "SCHEMA.json", "INDEX.json")


def seeds(simulated: int = 120) -> Mapping[str, Sequence[bytes]]:
    """Return bodies by kind, the same whenever asked.

    Args:
        simulated: Simulated events in each encoding.
    """
    found: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    for body in [*_conformance(), *_simulated(simulated)]:
        encoding = first_encoding(body)
        found["binary" if encoding is None else _kind(body, encoding)].append(body)
    found["wrapped"] += _wrapped(found)
    return found


def good() -> Sequence[bytes]:
    """Return messages that are sound: neighbours of what is not."""
    posts = traffic(_organization(9), 4, duplicates=0, poison=0, encodings=("json", "xml", "binary"))
    return [post.body for post in posts]


def known() -> ColumnTypes:
    """Return what the metadata of the simulated organization tells."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metadata.json"
        path.write_text(json.dumps(metadata()))
        return load_metadata(path).types


def _kind(body: bytes, encoding: Encoding) -> str:
    is_wrapped = body[:8] in {b"\x40\x06string", b"\x40\x0cbase64"} or body[:1] == b'"'
    return "wrapped" if is_wrapped else _NAMES[encoding]


def _conformance() -> Iterator[bytes]:
    for path in sorted(CONFORMANCE.rglob("*")):
        if path.suffix in _WHOLE and not path.name.endswith(_BESIDE) and path.stat().st_size:
            yield path.read_bytes()


def _organization(seed: int) -> Organization:
    return Organization(seed=seed, start=datetime(2026, 3, 2, 8, tzinfo=UTC))


def _simulated(count: int) -> Iterator[bytes]:
    for encoding in ("json", "xml", "binary"):
        posts = traffic(
            _organization(4), count, duplicates=0, poison=0, asides=0.1, rare=0.4, encodings=(encoding,)
        )
        for post in posts:
            yield post.body


def _wrapped(found: Mapping[str, Sequence[bytes]]) -> Iterator[bytes]:
    for kind in ("json", "xml", "binary"):
        for number, body in enumerate(found[kind][::9]):
            try:
                body.decode()
            except UnicodeDecodeError:
                yield wrapped_bytes(body)
                continue
            yield (wrapped_bytes, wrapped_text, as_json_string)[number % 3](body)
            if number % 7 == 0:
                yield wrapped_text(as_json_string(body))
