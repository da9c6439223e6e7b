"""The command ``audit``."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from ..sinks.audit import AuditReport, audit
from ..sources.journal import read_journal
from .config import BridgeConfig
from .exit import Exit
from .load import load_config


def audit_bridge(config: BridgeConfig) -> AuditReport:
    """Compare the journal of a bridge with ledger and history of each sink that keeps a history.

    Raises:
        SinkUnavailable: A sink cannot be read.
    """
    folder = None if config.journal is None else Path(config.journal)
    readers = {sink.name: sink.read() for sink in config.sinks if sink.history}
    try:
        received = None if folder is None else read_journal(folder, "received")
        settled = None if folder is None else read_journal(folder, "settled")
        return audit(received, readers, settled=settled)
    finally:
        for reader in readers.values():
            reader.close()


def audit_command(conf: Path, settings: Sequence[str], output: str) -> int:
    """Print the audit of a bridge; return the exit code."""
    report = audit_bridge(load_config(conf, settings))
    if output == "json":
        typer.echo(json.dumps({"holds": report.holds, **asdict(report)}, default=str))
    else:
        for line in report.lines():
            typer.echo(line)
    return Exit.OK if report.holds else Exit.AUDIT_MISMATCH
