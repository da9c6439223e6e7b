"""What was received and what was settled, written down where the bridge runs.

The audit compares it with the ledgers in the sinks, so it must not depend on
them: it is a file a process appends to, one line per micro-batch, and a line
survives the death of the process as soon as it is written.
"""

import base64
import json
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TextIO

Event = Literal["received", "settled"]
Key = tuple[int, int]
"""Sequence number, and when it was enqueued in microseconds since 1970 UTC."""


class Journal:
    """Appends to one file of its own in the journal's folder, a new one each day."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, made if it is not there."""
        self._folder = folder
        self._lock = threading.Lock()
        self._day = ""
        self._file: TextIO | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, event: Event, entity: str, keys: Sequence[Key]) -> None:
        """Write down messages of one entity.

        Raises:
            OSError: The file cannot be written.
        """
        line = json.dumps({"event": event, "entity": entity, "count": len(keys), "keys": _pack(keys)})
        with self._lock:
            file = self._of_today()
            file.write(line + "\n")
            file.flush()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._day = ""

    def _of_today(self) -> TextIO:
        day = time.strftime("%Y%m%d", time.gmtime())
        if self._file is None or day != self._day:
            if self._file is not None:
                self._file.close()
            path = self._folder / f"{day}-{os.getpid()}-{time.time_ns():x}.jsonl"
            self._file = path.open("a", encoding="ascii")
            self._day = day
        return self._file


def read_journal(folder: Path, event: Event) -> Iterator[tuple[str, int, int]]:
    """Yield (entity, sequence number, enqueued) of every line; a message may come often.

    A last line cut short by a power failure is passed over.
    """
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="ascii") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if entry["event"] == event:
                    for number, enqueued in _unpack(entry["keys"]):
                        yield entry["entity"], number, enqueued


def _pack(keys: Iterable[Key]) -> str:
    """Return keys as differences, compressed: neighbours are close.

    >>> _unpack(_pack([(5, 100), (6, 100), (9, 90)]))
    [(5, 100), (6, 100), (9, 90)]
    """
    flat: list[int] = []
    number = enqueued = 0
    for key in keys:
        flat += (key[0] - number, key[1] - enqueued)
        number, enqueued = key
    return base64.b85encode(zlib.compress(struct.pack(f"<{len(flat)}q", *flat), 1)).decode("ascii")


def _unpack(text: str) -> list[Key]:
    data = zlib.decompress(base64.b85decode(text))
    keys: list[Key] = []
    number = enqueued = 0
    for step, later in struct.iter_unpack("<qq", data):
        number, enqueued = number + step, enqueued + later
        keys.append((number, enqueued))
    return keys
