"""The bridge's own batch path: messages of a file in micro-batches, flattened and committed to Parquet."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.pipelines.collector import rare_collections
from cdsbridge.sinks.commit import Committer, Limits
from cdsbridge.sinks.parquet.sink import ParquetSink
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.transforms.flattener import Flattener

LIMITS = Limits(rows=10_000, messages=10_000, size=256 << 20)
"""When a file is written: 10,000 messages with their rows are some 100 MB."""

CHUNK = 30 << 20
"""Bytes of a micro-batch, about 5,000 messages."""

READ = 1 << 20
"""Bytes read at once: what is cut into lines while it is still in the processor's cache."""


def main() -> None:
    messages, folder, schema = map(Path, sys.argv[1:4])
    share, shares = (int(text) for text in (sys.argv[4:6] or ("0", "1")))
    flattener = Flattener(load_metadata(schema.with_name("metadata.json")).types)
    committer = Committer([ParquetSink(url=str(folder))], limits=LIMITS)
    with rare_collections():
        for batch in batches(messages, share, shares):
            committer.add(flattener.flatten(batch))
            del batch  # the committer frees it when it is written
            if committer.due:
                committer.flush()
        committer.flush()
    committer.close()


def batches(path: Path, share: int = 0, shares: int = 1) -> Iterator[MicroBatch]:
    """Yield one share of a file; a line belongs to the share it begins in."""
    size = path.stat().st_size
    begin, end = (size * part // shares for part in (share, share + 1))
    number = begin  # no two shares have numbers in common: a line is longer than a byte
    with path.open("rb", buffering=READ) as file:
        if begin:
            file.seek(begin - 1)
            file.readline()
        while file.tell() < end:
            bodies = lines(file, end)
            envelopes = tuple(Envelope(body, "bench", number + n, 1, 2) for n, body in enumerate(bodies))
            number += len(bodies)
            del bodies
            yield MicroBatch("bench", envelopes)
            del envelopes


def lines(file: BinaryIO, end: int) -> list[bytes]:
    """Return the next lines that begin before a place, of about so many bytes as a micro-batch has."""
    found: list[bytes] = []
    read = 0
    while read < CHUNK and (left := end - file.tell()) > 0:
        data = file.read(min(READ, left))
        data += b"" if data.endswith(b"\n") else file.readline()
        found += data.split(b"\n")[:-1]
        read += len(data)
    return found


if __name__ == "__main__":
    main()
