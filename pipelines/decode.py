"""The command ``decode``: what a message says, what becomes of it, and what could not be read."""

import base64
import binascii
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from ..model.batch import FlattenedBatch
from ..model.envelope import Envelope, MicroBatch
from ..model.errors import ConfigError, MessageRejected
from ..model.verdict import Outcome
from ..sources.peek import peek
from ..tables.metadata import load_metadata
from ..tables.types import ColumnTypes
from ..transforms.content_types import disagreement
from ..transforms.encodings import open_body
from ..transforms.flattener import Flattener
from ..transforms.rules import FlattenRules
from ..transforms.trees import readable
from .exit import Exit
from .load import load_config

_AROUND: Final = 32
_DEPTH: Final = 100


def decode_body(file: Path, in_base64: bool, metadata: Path | None, rows: bool) -> int:
    """Decode the body in a file, or on standard input for ``-``; return the exit code.

    Raises:
        ConfigError: It cannot be read, or is not base64; or the metadata cannot.
    """
    body = _read(file, in_base64)
    envelope = Envelope(body=body, entity="file", sequence_number=0, received_at=time.time_ns() // 1000)
    return _decode(envelope, FlattenRules(), metadata, rows)


def decode_peeked(
    conf: Path, entity: str | None, sequence_number: int, metadata: Path | None, rows: bool
) -> int:
    """Decode a message that lies in an entity of a bridge, by the bridge's rules; return the exit code.

    Raises:
        ConfigError: The configuration is wrong, or there is no such message.
        ServiceUnreachable: Service Bus cannot be reached.
        NotPermitted: The credential may not listen.
    """
    config = load_config(conf)
    envelope = peek(config.source, entity or config.source.entities[0], sequence_number)
    note(f"message {envelope.sequence_number} of {envelope.entity}, id {envelope.message_id or 'none'}")
    return _decode(envelope, config.flatten, metadata or config.metadata, rows)


def _read(file: Path, in_base64: bool) -> bytes:
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    if not in_base64:
        return body
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except binascii.Error as error:
        raise ConfigError(f"{file}: is not base64: {error}") from None


def _decode(envelope: Envelope, rules: FlattenRules, metadata: Path | None, rows: bool) -> int:
    """Print JSON to standard output; notes and what is wrong go to standard error."""
    types = ColumnTypes() if metadata is None else load_metadata(metadata).types
    try:
        opened = open_body(envelope.body, rules.limits, whole=True)
    except MessageRejected as fault:
        _explain(envelope.body, fault)
        return Exit.UNEXPECTED
    note(f"{len(envelope.body):,} bytes, {' inside '.join([opened.encoding, *reversed(opened.wrappers)])}")
    if sentence := disagreement(envelope):
        note(sentence)
    if not rows:
        typer.echo(readable(opened.tree, _DEPTH))
    flat = Flattener(types, rules).flatten(MicroBatch(envelope.entity, (envelope,)))
    verdict = flat.verdicts[0]
    if verdict.outcome is Outcome.REJECTED:
        _explain(envelope.body, MessageRejected(verdict.reason or "", verdict.sentence, verdict.where))
        return Exit.UNEXPECTED
    found = list(_rows(flat))
    if rows:
        typer.echo(json.dumps(found, default=str, indent=2, ensure_ascii=False))
    _summarise(found)
    return Exit.OK


def _rows(flat: FlattenedBatch) -> Iterator[dict[str, Any]]:
    """Yield the rows without what is null, and with their table."""
    for batch in flat.tables:
        for row in batch.records.to_pylist():
            yield {"table": batch.table, **{name: value for name, value in row.items() if value is not None}}


def _summarise(rows: list[dict[str, Any]]) -> None:
    """Say what becomes of the message, and what of it has no column."""
    if not rows:
        note("the rules skip this message; it becomes no row")
    for row in rows:
        note(f"{row['_message']}: {row['_op']} of {row['table']} {row.get('Id', 'without an id')}")
        if row.get("_truncated"):
            note("the sender cut this message; `cdsbridge hydrate` reads the row from Dataverse")
        if extra := row.get("_extra"):
            names = ", ".join(json.loads(extra))
            note(f"what has no column of its own, or not one that can hold it, stands in _extra: {names}")


def _explain(body: bytes, fault: MessageRejected) -> None:
    """Say what could not be read, where, and what stands there."""
    where = f" (at {fault.where})" if fault.where else ""
    note(f"{fault.reason}: {fault.sentence}{where}")
    kind, _, number = fault.where.partition(" ")
    if kind == "byte" and number.isdecimal() and body:
        at = min(int(number), len(body))
        start = max(at - _AROUND, 0)
        before, behind = body[start:at], body[at : at + _AROUND]
        note(f"bytes {start} to {at}: {before.hex(' ')}  {_shown(before)}")
        note(f"from byte {at}: {behind.hex(' ') or 'the end'}  {_shown(behind)}")


def _shown(data: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)


def note(text: str) -> None:
    """Tell something beside the output."""
    typer.echo(f"cdsbridge: {text}", err=True)
