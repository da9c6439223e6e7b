"""The command ``emulator``."""

from collections.abc import Sequence
from pathlib import Path

import typer

from ..emulator.entities.settings import QueueSettings
from ..emulator.server import serve
from .exit import Exit


def emulator_command(
    host: str,
    port: int,
    queues: Sequence[str],
    store: Path | None,
    lock_seconds: float,
    max_deliveries: int,
    latency_ms: float,
) -> int:
    """Serve the embedded Service Bus until a signal; return the exit code."""

    def ready(connection_string: str) -> None:
        typer.echo(f"embedded Service Bus for development and tests; queues: {', '.join(queues)}")
        typer.echo(connection_string)
        typer.echo(
            "try: SERVICEBUS_CONNECTION_STRING='...' cdsbridge simulate conf/local.yaml; Ctrl-C ends it"
        )

    settings = QueueSettings(lock_duration=lock_seconds, max_delivery_count=max_deliveries)
    serve(
        host=host,
        port=port,
        queues=dict.fromkeys(queues, settings),
        path=store,
        latency=latency_ms / 1000,
        on_ready=ready,
    )
    return Exit.OK
