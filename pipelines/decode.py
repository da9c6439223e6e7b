"""The command ``decode``."""

import json
import sys
import time
from pathlib import Path

import typer

from ..model.envelope import Envelope, MicroBatch
from ..model.errors import ConfigError
from ..model.verdict import Outcome
from ..transforms.flattener import Flattener
from .exit import Exit


def decode_command(file: Path, rows: bool) -> int:
    """Print a body as readable JSON, or the rows it becomes; return the exit code.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    envelope = Envelope(body=body, entity="file", sequence_number=0, received_at=time.time_ns() // 1000)
    flat = Flattener().flatten(MicroBatch("file", (envelope,)))
    verdict = flat.verdicts[0]
    if verdict.outcome is Outcome.REJECTED:
        where = f" (at {verdict.where})" if verdict.where else ""
        typer.echo(f"cdsbridge: {verdict.reason}: {verdict.sentence}{where}", err=True)
        return Exit.UNEXPECTED
    if not rows:
        typer.echo(json.dumps(json.loads(body.decode("utf-8-sig")), indent=2, ensure_ascii=False))
        return Exit.OK
    for batch in flat.tables:
        for row in batch.records.to_pylist():
            shown = {name: value for name, value in row.items() if value is not None}
            typer.echo(json.dumps({"table": batch.table, **shown}, default=str, indent=2, ensure_ascii=False))
    return Exit.OK
