"""The command ``run``."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from ..sources.ending import Ending
from .config import BridgeConfig
from .load import load_config
from .progress import progress
from .supervise import RunResult, run_bridge


def run_command(
    conf: Path,
    settings: Sequence[str],
    until_idle: float | None,
    drain: bool,
    output: str,
    quiet: bool,
) -> int:
    """Run a bridge and report; return the exit code."""
    config = load_config(conf, settings)
    ending = Ending.never()
    if drain:
        ending = Ending.at_mark()
    elif until_idle is not None:
        ending = Ending.after_idle(until_idle)
    return report(config, output, quiet, lambda: run_bridge(config, ending))


def report(config: BridgeConfig, output: str, quiet: bool, run: Callable[[], RunResult]) -> int:
    """Run something with its progress shown, print what came of it, and return the exit code."""
    with progress(quiet or output == "json"):
        result = run()
    typer.echo(_as_json(result) if output == "json" else _as_text(config, result))
    return int(result.exit)


def _as_json(result: RunResult) -> str:
    return json.dumps(
        {
            "exit": int(result.exit),
            "seconds": round(result.seconds, 3),
            "error": result.error,
            **dict.fromkeys(("received", "committed", "skipped", "rejected", "settled"), 0),
            **result.counts,
        }
    )


def _as_text(config: BridgeConfig, result: RunResult) -> str:
    counts = result.counts
    rate = counts.get("received", 0) / max(result.seconds, 1e-9)
    lines = [
        (
            f"{config.name}: received {counts.get('received', 0):,} "
            f"({counts.get('redelivered', 0):,} of them again), committed {counts.get('committed', 0):,}, "
            f"skipped {counts.get('skipped', 0):,}, rejected {counts.get('rejected', 0):,}, "
            f"settled {counts.get('settled', 0):,}"
        ),
        (
            f"{config.name}: {counts.get('rows', 0):,} rows in {counts.get('flushes', 0):,} commits, "
            f"{result.seconds:.1f} s, {rate:,.0f} messages/s"
        ),
    ]
    if counts.get("hydrated", 0) or counts.get("hydration_deferred", 0):
        lines.append(
            f"{config.name}: {counts.get('hydrated', 0):,} truncated rows read again from Dataverse, "
            f"{counts.get('hydration_deferred', 0):,} left to cdsbridge hydrate"
        )
    if counts.get("rejected", 0):
        lines.append(f"{config.name}: the rejected messages are in the quarantine of each sink, with reasons")
    if result.error:
        lines.append(f"{config.name}: ended early: {result.error}")
    return "\n".join(lines)
