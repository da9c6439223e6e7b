"""The bridge's own batch path: messages of a file in micro-batches, flattened and committed to Parquet."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.sinks.commit import Committer, Limits
from cdsbridge.sinks.parquet import ParquetSink
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.transforms.flattener import Flattener

FLUSH = 10_000
CHUNK = 30 << 20


def main() -> None:
    messages, folder, schema = sys.argv[1:4]
    share, shares = (int(text) for text in (sys.argv[4:6] or ("0", "1")))
    flattener = Flattener(load_metadata(Path(schema).with_name("metadata.json")).types)
    committer = Committer([ParquetSink(url=folder)], limits=Limits(FLUSH, FLUSH, 256 << 20))
    for batch in batches(messages, share, shares):
        committer.add(flattener.flatten(batch))
        if committer.due:
            committer.flush()
    committer.flush()
    committer.close()


def batches(path: str, share: int, shares: int) -> Iterator[MicroBatch]:
    """Yield one share of a file; a line belongs to the share it begins in."""
    size = os.path.getsize(path)
    begin, end = (size * part // shares for part in (share, share + 1))
    with open(path, "rb") as file:
        if begin:
            file.seek(begin - 1)
            file.readline()
        while (at := file.tell()) < end:
            data = file.read(min(CHUNK, end - at))
            bodies = (data if data.endswith(b"\n") else data + file.readline()).split(b"\n")
            envelopes = [Envelope(body, "bench", at + n, 1, 2) for n, body in enumerate(bodies[:-1])]
            yield MicroBatch("bench", tuple(envelopes))


if __name__ == "__main__":
    main()
